"""Workflows log, are traced and watched; each of their tasks ends in time and is tried again or caught."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from guardrails.model.resource_types import ALARM, WORKFLOW
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

ANY_WORKFLOW = frozenset({WORKFLOW})


def _tasks(workflow: CheckedResource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from _tasks_of(json.loads(workflow.props.get("definition") or "{}"))


def _tasks_of(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every task by name, those inside maps and branches too."""
    for name, state in definition.get("States", {}).items():
        if state.get("Type") == "Task":
            yield name, state
        for inner in (state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", ())):
            if inner:
                yield from _tasks_of(inner)


@POLICIES.resource(
    "workflow-tasks-retried",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every task of a workflow is tried again or caught.",
    remedy="Give it Retry for what passes, Catch for what does not.",
    frameworks=("AWS Well-Architected REL05-BP03",),
    types=ANY_WORKFLOW,
)
def _check_workflow_tasks_retried(workflow: CheckedResource) -> Iterator[str]:
    for name, state in _tasks(workflow):
        if not state.get("Retry") and not state.get("Catch"):
            yield f"Its task {name} has neither Retry nor Catch: one throttled call ends the execution."


@POLICIES.resource(
    "workflow-tasks-bounded",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every task of a workflow ends in time.",
    remedy="Set TimeoutSeconds.",
    frameworks=("AWS Well-Architected REL05-BP05",),
    types=ANY_WORKFLOW,
)
def _check_workflow_tasks_bounded(workflow: CheckedResource) -> Iterator[str]:
    for name, state in _tasks(workflow):
        if not any(key in state for key in ("TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds")):
            yield f"Its task {name} has no timeout: an execution can hang for a year."


@POLICIES.resource(
    "workflow-logged",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every workflow logs what failed.",
    remedy="Set loggingConfiguration.level ERROR and a destination.",
    frameworks=("AWS FSBP StepFunctions.1",),
    types=ANY_WORKFLOW,
)
def _check_workflow_logged(workflow: CheckedResource) -> Iterator[str]:
    level = workflow.get_nested("loggingConfiguration", "level") or "OFF"
    if level == "OFF":
        yield "It writes no log (loggingConfiguration.level is OFF)."


@POLICIES.resource(
    "workflow-traced",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every workflow is traced by X-Ray.",
    remedy="Set tracingConfiguration.enabled.",
    types=ANY_WORKFLOW,
)
def _check_workflow_traced(workflow: CheckedResource) -> Iterator[str]:
    if not workflow.get_nested("tracingConfiguration", "enabled"):
        yield "It is not traced."


@POLICIES.relation(
    "workflow-failures-watched",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="An alarm watches the failed executions of every workflow.",
    remedy="Use the workflow block, which brings it.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types=ANY_WORKFLOW,
)
def _check_workflow_failures_watched(workflow: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for alarm in stack.list_resources(ALARM):
        named = str(alarm.get_nested("dimensions", "StateMachineArn") or "").endswith(f":{workflow.props.get('name')}")
        if alarm.props.get("metricName") == "ExecutionsFailed" and (
            named or workflow in alarm.references.get("dimensions", ())
        ):
            return
    yield "No alarm watches its ExecutionsFailed."
