"""Guardrail policies about Step Functions workflows: retries, timeouts, logs, traces and alarms."""

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


def _list_tasks(workflow: CheckedResource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from _list_tasks_of_definition(json.loads(workflow.props.get("definition") or "{}"))


def _list_tasks_of_definition(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every task with its name, including tasks in maps and parallel branches."""
    for name, state in definition.get("States", {}).items():
        if state.get("Type") == "Task":
            yield name, state
        for inner in (state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", ())):
            if inner:
                yield from _list_tasks_of_definition(inner)


@POLICIES.resource(
    "workflow-tasks-retried",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every task of a workflow has a retry or catches errors.",
    remedy="Add Retry for transient errors and Catch for other errors.",
    frameworks=("AWS Well-Architected REL05-BP03",),
    types={WORKFLOW},
)
def _check_workflow_tasks_retried(workflow: CheckedResource) -> Iterator[str]:
    for name, state in _list_tasks(workflow):
        if not state.get("Retry") and not state.get("Catch"):
            yield f"The task {name} has neither Retry nor Catch, so one throttled call ends the execution."


@POLICIES.resource(
    "workflow-tasks-bounded",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every task of a workflow has a timeout.",
    remedy="Set TimeoutSeconds of the task.",
    frameworks=("AWS Well-Architected REL05-BP05",),
    types={WORKFLOW},
)
def _check_workflow_tasks_bounded(workflow: CheckedResource) -> Iterator[str]:
    for name, state in _list_tasks(workflow):
        if not any(key in state for key in ("TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds")):
            yield (
                f"The task {name} has no timeout (TimeoutSeconds, TimeoutSecondsPath or HeartbeatSeconds), "
                "so an execution can wait for a year."
            )


@POLICIES.resource(
    "workflow-logged",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every workflow writes logs.",
    remedy="Set loggingConfiguration.level to ERROR, and a log destination.",
    frameworks=("AWS FSBP StepFunctions.1",),
    types={WORKFLOW},
)
def _check_workflow_logged(workflow: CheckedResource) -> Iterator[str]:
    level = workflow.get_nested("loggingConfiguration", "level") or "OFF"
    if level == "OFF":
        yield "loggingConfiguration.level is OFF or not set, so failures are not logged."


@POLICIES.resource(
    "workflow-traced",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every workflow has X-Ray tracing.",
    remedy="Set tracingConfiguration.enabled to true.",
    types={WORKFLOW},
)
def _check_workflow_traced(workflow: CheckedResource) -> Iterator[str]:
    if not workflow.get_nested("tracingConfiguration", "enabled"):
        yield "tracingConfiguration.enabled is not true, so executions are not traced."


@POLICIES.resource_in_stack(
    "workflow-failures-watched",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every workflow has an alarm on failed executions.",
    remedy="Use the workflow block (components/blocks/workflow/workflow.py), which creates the alarm.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={WORKFLOW},
)
def _check_workflow_failures_watched(workflow: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for alarm in stack.list_resources(ALARM):
        is_named = str(alarm.get_nested("dimensions", "StateMachineArn") or "").endswith(
            f":{workflow.props.get('name')}"
        )
        if alarm.props.get("metricName") == "ExecutionsFailed" and (
            is_named or workflow in alarm.references.get("dimensions", ())
        ):
            return
    yield "No alarm watches the metric ExecutionsFailed of the workflow."
