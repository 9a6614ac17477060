"""What a state machine does, judged by its role: the emulator itself asks nobody.

A task's resource says which actions Step Functions calls in the role's name (its guide, "IAM policies for integrated
services"); each is judged from the role's own policies and recorded. One that is denied fails the task as AWS does.
"""

import contextvars
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from local.patches import reached
from local.patches.integrations import failed
from local.patches.service_roles import ServiceRoles

_role: contextvars.ContextVar[str] = contextvars.ContextVar("state_machine_role", default="")

Needed = list[tuple[str, str]]
"""Actions, each with its resource."""


def _of_lambda(given: Mapping[str, Any]) -> Needed:
    return [("lambda:InvokeFunction", str(given["FunctionName"]))]


def _of_glue(given: Mapping[str, Any]) -> Needed:
    job = f"arn:aws:glue:{get_region()}:{get_account_id()}:job/{given['JobName']}"
    return [("glue:StartJobRun", job), ("glue:GetJobRun", job)]


NEEDED: dict[str, Callable[[Mapping[str, Any]], Needed]] = {
    "arn:aws:states:::lambda:invoke": _of_lambda,
    "arn:aws:states:::glue:startJobRun": _of_glue,
}


def install(roles: ServiceRoles) -> None:
    """Replaces `stepfunctions._run_execution` and `stepfunctions._invoke_resource`."""
    run = reached(stepfunctions, "_run_execution")
    invoke = reached(stepfunctions, "_invoke_resource")
    executions = reached(stepfunctions, "_executions")
    machines = reached(stepfunctions, "_state_machines")

    def run_in_role(execution_arn: str) -> Any:
        execution = executions.get(execution_arn) or {}
        machine = machines.get(execution.get("stateMachineArn", "")) or {}
        _role.set(machine.get("roleArn", ""))
        return run(execution_arn)

    def invoke_if_allowed(resource: str, given: Any) -> Any:
        needed = next((of for prefix, of in NEEDED.items() if resource.startswith(prefix)), None)
        if needed is not None:
            for action, target in needed(given):
                if not roles.may(_role.get(), action, target):
                    raise failed(
                        "States.TaskFailed", f"{_role.get()} is not authorized to perform {action} on {target}"
                    )
        return invoke(resource, given)

    stepfunctions._run_execution = run_in_role  # noqa: SLF001
    stepfunctions._invoke_resource = invoke_if_allowed  # noqa: SLF001
