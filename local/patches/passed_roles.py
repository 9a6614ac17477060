"""A role that is handed to a service must trust it: on AWS the service says so when it is given the role, and the
emulator never asks.

Each entry has the service's own words. What a service finds out later only (Batch, MediaConvert, Transcribe) is asked
where it takes the role on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import glue, lambda_svc, scheduler, stepfunctions

from local.patches import reached
from local.patches.trust import trusts

Given = Mapping[str, Any]
LAMBDA = ("InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.")
STATES = (
    "AccessDeniedException",
    "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the role.",
)
SCHEDULER = (
    "ValidationException",
    "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
)
GLUE = ("InvalidInputException", "Role should be given assume role permissions for Glue Service.")


def install() -> None:
    """Replaces seven functions of `lambda_svc`, `stepfunctions`, `scheduler` and `glue`."""
    create, configure = reached(lambda_svc, "_create_function"), reached(lambda_svc, "_update_config")
    lambda_svc._create_function = _guarded(create, _of_function, LAMBDA)  # noqa: SLF001
    lambda_svc._update_config = _guarded(configure, lambda _, given: _of_function(given), LAMBDA)  # noqa: SLF001
    create, update = reached(stepfunctions, "_create_state_machine"), reached(stepfunctions, "_update_state_machine")
    stepfunctions._create_state_machine = _guarded(create, _of_machine, STATES)  # noqa: SLF001
    stepfunctions._update_state_machine = _guarded(update, _of_machine, STATES)  # noqa: SLF001
    create, update = reached(scheduler, "_create_schedule"), reached(scheduler, "_update_schedule")
    scheduler._create_schedule = _guarded(create, _of_schedule, SCHEDULER)  # noqa: SLF001
    scheduler._update_schedule = _guarded(update, _of_schedule, SCHEDULER)  # noqa: SLF001
    glue._create_job = _guarded(reached(glue, "_create_job"), _of_job, GLUE)  # noqa: SLF001


def _guarded(original: Any, allowed: Callable[..., bool], error: tuple[str, str]) -> Any:
    def guarded(*given: Any, **named: Any) -> Any:
        return original(*given, **named) if allowed(*given) else error_response_json(*error, 400)

    return guarded


def _of_function(given: Given) -> bool:
    return _trusted(given.get("Role"), "lambda.amazonaws.com", {})


def _of_machine(given: Given) -> bool:
    name = given.get("name") or given["stateMachineArn"].rpartition(":")[2]
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:stateMachine:{name}"
    return _trusted(given.get("roleArn"), "states.amazonaws.com", {"aws:SourceArn": arn})


def _of_schedule(_name: str, given: Given) -> bool:
    group = f"arn:aws:scheduler:{get_region()}:{get_account_id()}:schedule-group/{given.get('GroupName', 'default')}"
    return _trusted((given.get("Target") or {}).get("RoleArn"), "scheduler.amazonaws.com", {"aws:SourceArn": group})


def _of_job(given: Given) -> bool:
    return _trusted(given.get("Role"), "glue.amazonaws.com", {})


def _trusted(role: str | None, service: str, keys: Mapping[str, str]) -> bool:
    """A request without a role is the emulator's to answer."""
    sent = {**keys, "aws:SourceAccount": get_account_id()} if keys else {}
    return not role or trusts(role, service, sent)
