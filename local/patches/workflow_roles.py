"""What a state machine does, judged by its role: the emulator itself asks nobody.

A task's resource says which actions Step Functions calls in the role's name (its guide, "IAM policies for integrated
services"); each is judged from the role's own policies and recorded. One that is denied fails the task as AWS does.
What an integration waits for, it asks here: whose execution it is, and for how long.
"""

import contextlib
import contextvars
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import stepfunctions

from local.patches import batch_control, reached
from local.patches.integrations import failed
from local.patches.service_roles import ServiceRoles

Needed = list[tuple[str, str]]
"""Actions, each with its resource."""
BATCH_RULE = "StepFunctionsGetEventsForBatchJobsRule"
MANAGED_RULES = {"arn:aws:states:::batch:submitJob.sync": BATCH_RULE}
"""Which integrations Step Functions hears of the end of by a rule of its own, that it makes in the role's name."""


@dataclass(frozen=True)
class Waiting:
    """For whom an integration works, and until when."""

    role: str
    """Its ARN."""
    execution: str
    """Its ARN."""
    deadline: float | None = None
    """By the clock that only goes forward."""

    @property
    def timed(self) -> bool:
        """Whether the state has a timeout."""
        return self.deadline is not None

    @property
    def late(self) -> bool:
        """Whether it is over."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def aborted(self) -> bool:
        """Whether the execution has been stopped."""
        known = reached(stepfunctions, "_executions").get(self.execution) or {}
        return bool(known.get("status") != "RUNNING")


NOBODY = Waiting("", "")
_waiting: contextvars.ContextVar[Waiting] = contextvars.ContextVar("state_machine", default=NOBODY)


def waiting() -> Waiting:
    """For whom this thread works."""
    return _waiting.get()


def _of_lambda(given: Mapping[str, Any]) -> Needed:
    return [("lambda:InvokeFunction", str(given["FunctionName"]))]


def _of_glue(given: Mapping[str, Any]) -> Needed:
    job = f"arn:aws:glue:{get_region()}:{get_account_id()}:job/{given['JobName']}"
    return [("glue:StartJobRun", job), ("glue:GetJobRun", job)]


def _of_batch(given: Mapping[str, Any]) -> Needed:
    batch = f"arn:aws:batch:{get_region()}:{get_account_id()}"
    definition = _arn(f"{batch}:job-definition/", given["JobDefinition"])
    with contextlib.suppress(batch_control.Refused):
        # IAM is asked about the revision that is run, also where none was named (AWS Batch guide, "Restrict to job
        # definition prefix on job submission").
        definition = batch_control.definition_of(definition)["jobDefinitionArn"]
    asked = [definition, _arn(f"{batch}:job-queue/", given["JobQueue"])]
    tagged = [("batch:TagResource", f"{batch}:job/*")] if given.get("Tags") else []
    return [*(("batch:SubmitJob", one) for one in asked), *tagged]


def _of_batch_sync(given: Mapping[str, Any]) -> Needed:
    return [*_of_batch(given), ("batch:DescribeJobs", "*"), *_of_rule(BATCH_RULE)]


def _of_rule(name: str) -> Needed:
    rule = f"arn:aws:events:{get_region()}:{get_account_id()}:rule/{name}"
    return [(f"events:{one}", rule) for one in ("DescribeRule", "PutRule", "PutTargets")]


NEEDED: dict[str, Callable[[Mapping[str, Any]], Needed]] = {
    "arn:aws:states:::lambda:invoke": _of_lambda,
    "arn:aws:states:::glue:startJobRun": _of_glue,
    "arn:aws:states:::batch:submitJob.sync": _of_batch_sync,
    "arn:aws:states:::batch:submitJob": _of_batch,
}
"""The first that a resource begins with."""


def install(roles: ServiceRoles) -> None:
    """Replaces three functions of `stepfunctions` that run, and two that make and change machines."""
    _install_runs(roles)
    _install_managed_rules(roles)


def _install_runs(roles: ServiceRoles) -> None:
    run = reached(stepfunctions, "_run_execution")
    invoke = reached(stepfunctions, "_invoke_resource")
    invoke_in_time = reached(stepfunctions, "_invoke_resource_with_timeout")
    executions = reached(stepfunctions, "_executions")
    machines = reached(stepfunctions, "_state_machines")

    def run_in_role(execution_arn: str) -> Any:
        execution = executions.get(execution_arn) or {}
        machine = machines.get(execution.get("stateMachineArn", "")) or {}
        _waiting.set(Waiting(machine.get("roleArn", ""), execution_arn))
        return run(execution_arn)

    def invoke_if_allowed(resource: str, given: Any) -> Any:
        role = waiting().role
        needed = next((of for prefix, of in NEEDED.items() if resource.startswith(prefix)), None)
        if needed is not None:
            for action, target in needed(given):
                if not roles.may(role, action, target):
                    raise failed("States.TaskFailed", f"{role} is not authorized to perform {action} on {target}")
        return invoke(resource, given)

    def invoke_until(resource: str, given: Any, timeout: float) -> Any:
        now = waiting()
        token = _waiting.set(Waiting(now.role, now.execution, time.monotonic() + float(timeout)))
        try:
            return invoke_in_time(resource, given, timeout)
        finally:
            _waiting.reset(token)

    stepfunctions._run_execution = run_in_role  # noqa: SLF001
    stepfunctions._invoke_resource = invoke_if_allowed  # noqa: SLF001
    stepfunctions._invoke_resource_with_timeout = invoke_until  # noqa: SLF001


def _install_managed_rules(roles: ServiceRoles) -> None:
    create = reached(stepfunctions, "_create_state_machine")
    update = reached(stepfunctions, "_update_state_machine")

    def refused(role: str, definition: str) -> Any:
        """AWS makes the rules of a machine with it, so a role that may not cannot have the machine."""
        for name in {MANAGED_RULES[one] for one in _resources(json.loads(definition)) if one in MANAGED_RULES}:
            if not all(roles.may(role, action, rule) for action, rule in _of_rule(name)):
                return error_response_json(
                    "AccessDeniedException", f"'{role}' is not authorized to create managed-rule.", 400
                )
        return None

    def created(given: Mapping[str, Any]) -> Any:
        return refused(given["roleArn"], given["definition"]) or create(given)

    def updated(given: Mapping[str, Any]) -> Any:
        known = reached(stepfunctions, "_state_machines").get(given["stateMachineArn"]) or {}
        role = given.get("roleArn") or known.get("roleArn", "")
        return refused(role, given.get("definition") or known.get("definition", "{}")) or update(given)

    stepfunctions._create_state_machine = created  # noqa: SLF001
    stepfunctions._update_state_machine = updated  # noqa: SLF001


def _resources(definition: Any) -> Iterator[str]:
    """The resource of every task, however deep."""
    if isinstance(definition, dict):
        if isinstance(definition.get("Resource"), str):
            yield definition["Resource"]
        for inner in definition.values():
            yield from _resources(inner)
    elif isinstance(definition, list):
        for inner in definition:
            yield from _resources(inner)


def _arn(prefix: str, reference: Any) -> str:
    """What IAM is asked about: as it was named, with a revision or without."""
    return str(reference) if str(reference).startswith("arn:") else f"{prefix}{reference}"
