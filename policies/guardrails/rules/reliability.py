"""Policies about reliability: dead letters, retries, timeouts, alarms and versions.

`Rule(…).requires(…)` registers a policy about properties of one type of resource. All policies are mandatory in
staging and prod.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from guardrails import resource_types as t
from guardrails.records import ADVISORY_IN_DEV, MANDATORY_EVERYWHERE, CheckedResource, Group, PolicySet, Severity
from guardrails.rules.requirement import IS_SET, IS_TRUE, Rule, describe, equals, matches, one_of

LOW, MEDIUM, HIGH = Severity.LOW, Severity.MEDIUM, Severity.HIGH
POLICIES = PolicySet(Group.RELIABILITY, levels=MANDATORY_EVERYWHERE)

MIN_RECEIVES: Final = 3
"""Minimum number of receives of a message before it moves to the dead-letter queue."""

Rule(POLICIES, "event-target-has-dead-letters", HIGH, MANDATORY_EVERYWHERE).requires(
    t.EVENT_TARGET,
    {"deadLetterConfig.arn": IS_SET},
    description="Every target of an event rule has a dead-letter queue.",
    remedy="Use the event rule block (components/blocks/events.py), which creates a dead-letter queue.",
    because="an event that cannot be delivered is lost otherwise",
)
Rule(POLICIES, "schedule-has-dead-letters", HIGH, MANDATORY_EVERYWHERE).requires(
    t.SCHEDULE,
    {"target.deadLetterConfig.arn": IS_SET},
    description="Every schedule has a dead-letter queue.",
    remedy="Use the schedule block (components/blocks/schedule.py), which creates a dead-letter queue.",
    because="a call that cannot be delivered is lost otherwise",
)
Rule(POLICIES, "queue-fails-one-by-one", MEDIUM, MANDATORY_EVERYWHERE).requires(
    t.EVENT_SOURCE_MAPPING,
    {"functionResponseTypes": equals(["ReportBatchItemFailures"])},
    description="Only the failed messages of a batch are delivered again.",
    remedy="Set functionResponseTypes to [ReportBatchItemFailures], and return the ids of the failed messages.",
)
Rule(POLICIES, "function-traced", LOW, ADVISORY_IN_DEV).requires(
    t.FUNCTION,
    {"tracingConfig.mode": equals("Active")},
    description="Every function has X-Ray tracing.",
    remedy="Set tracingConfig.mode to Active.",
)
Rule(POLICIES, "function-logs-json", LOW, ADVISORY_IN_DEV).requires(
    t.FUNCTION,
    {"loggingConfig.logFormat": equals("JSON")},
    description="Every function writes JSON logs, which can be searched by field.",
    remedy="Set loggingConfig.logFormat to JSON.",
)
Rule(POLICIES, "function-publishes-versions", MEDIUM, MANDATORY_EVERYWHERE).requires(
    t.FUNCTION,
    {"publish": IS_TRUE},
    description="Every deployment of a function publishes a version, to which an alias can be rolled back.",
    remedy="Set publish to true.",
)
Rule(POLICIES, "alarm-has-action", HIGH, MANDATORY_EVERYWHERE).requires(
    t.ALARM,
    {"alarmActions": IS_SET},
    description="Every alarm has an action.",
    remedy="Set alarmActions to the ARN of the alerts topic.",
    because="the alarm notifies no operator otherwise",
)
Rule(POLICIES, "alarm-decides-missing-data", MEDIUM, MANDATORY_EVERYWHERE).requires(
    t.ALARM,
    {"treatMissingData": one_of("breaching", "notBreaching")},
    description="Every alarm decides whether missing data breaches its threshold.",
    remedy="Set treatMissingData to breaching if missing data is a fault, otherwise to notBreaching.",
)
Rule(POLICIES, "alarm-names-runbook", LOW, ADVISORY_IN_DEV).requires(
    t.ALARM,
    {"alarmDescription": matches(r"Runbook: docs/runbooks/\S+\.md", "a text with `Runbook: docs/runbooks/<page>.md`")},
    description="Every alarm's description names its runbook.",
    remedy="Use the alarm block (components/blocks/alarm.py), which adds the runbook.",
)
Rule(POLICIES, "workflow-logged", MEDIUM, MANDATORY_EVERYWHERE).requires(
    t.WORKFLOW,
    {"loggingConfiguration.level": one_of("ERROR", "ALL", "FATAL")},
    description="Every workflow writes logs.",
    remedy="Set loggingConfiguration.level to ERROR, and a log destination.",
)
Rule(POLICIES, "workflow-traced", LOW, ADVISORY_IN_DEV).requires(
    t.WORKFLOW,
    {"tracingConfiguration.enabled": IS_TRUE},
    description="Every workflow has X-Ray tracing.",
    remedy="Set tracingConfiguration.enabled to true.",
)
Rule(POLICIES, "rest-api-traced", LOW, ADVISORY_IN_DEV).requires(
    t.REST_STAGE,
    {"xrayTracingEnabled": IS_TRUE},
    description="Every REST stage has X-Ray tracing.",
    remedy="Set xrayTracingEnabled to true.",
)
Rule(POLICIES, "rest-api-deploys-changes", HIGH, MANDATORY_EVERYWHERE).requires(
    t.REST_DEPLOYMENT,
    {"triggers": IS_SET},
    description="Every deployment of a REST API has triggers, so that a change of the API deploys it again.",
    remedy="Set triggers to a hash of the API's document.",
)
Rule(POLICIES, "batch-job-bounded", MEDIUM, MANDATORY_EVERYWHERE).requires(
    t.BATCH_JOB,
    {"timeout.attemptDurationSeconds": IS_SET},
    description="Every Batch job has a timeout.",
    remedy="Set timeout.attemptDurationSeconds.",
)


@POLICIES.resource_policy(
    "queue-retries-first",
    severity=MEDIUM,
    description=f"A message is received at least {MIN_RECEIVES} times before it moves to the dead-letter queue.",
    remedy="Raise maxReceiveCount in redrivePolicy, so that a transient error moves no valid message.",
    types={t.QUEUE},
)
def _check_queue_retries_first(queue: CheckedResource) -> Iterator[str]:
    redrive_policy = queue.get("redrivePolicy")
    receives = json.loads(redrive_policy).get("maxReceiveCount") if redrive_policy else MIN_RECEIVES
    if int(receives or 0) < MIN_RECEIVES:
        yield f"maxReceiveCount is {describe(receives)}, but must be at least {MIN_RECEIVES}."


@POLICIES.resource_policy(
    "function-called-by-alias",
    severity=HIGH,
    description="Permissions and asynchronous configurations name an alias of the function.",
    remedy="Set qualifier to the alias.",
    types={t.FUNCTION_ASYNC_CONFIG, t.FUNCTION_PERMISSION},
)
def _check_function_called_by_alias(resource: CheckedResource) -> Iterator[str]:
    # The policy `value-allowed` refuses any other qualifier than that of the alias.
    if not resource.get("qualifier"):
        yield "The resource names the function without an alias, so it concerns the unpublished version."


@POLICIES.resource_policy(
    "batch-retries-reclaims",
    severity=MEDIUM,
    description="A Batch job is retried if AWS reclaims its Spot capacity. Other failures end it, unless a rule retries them.",
    remedy="Set retryStrategy.attempts to 2 or more, and end evaluateOnExits with onReason * → EXIT.",
    types={t.BATCH_JOB},
)
def _check_batch_retries_reclaims(job: CheckedResource) -> Iterator[str]:
    last = (list(job.get("retryStrategy.evaluateOnExits") or ()) or [{}])[-1]
    if float(job.get("retryStrategy.attempts") or 1) < 2:
        yield "retryStrategy.attempts is 1, so the job fails if AWS reclaims its Spot capacity."
    elif last.get("onReason") != "*" or last.get("action") != "EXIT":
        yield "retryStrategy.evaluateOnExits does not end with onReason * → EXIT, so other failures are retried too."


@POLICIES.resource_policy(
    "workflow-tasks-retried",
    severity=HIGH,
    description="Every task of a workflow has a retry or catches errors.",
    remedy="Add Retry for transient errors and Catch for other errors.",
    types={t.WORKFLOW},
)
def _check_workflow_tasks_retried(workflow: CheckedResource) -> Iterator[str]:
    for name, task in _list_tasks(json.loads(workflow.props["definition"])):
        if not task.get("Retry") and not task.get("Catch"):
            yield f"The task {name} has neither Retry nor Catch, so one throttled call ends the execution."


@POLICIES.resource_policy(
    "workflow-tasks-bounded",
    severity=HIGH,
    description="Every task of a workflow has a timeout.",
    remedy="Set TimeoutSeconds of the task.",
    types={t.WORKFLOW},
)
def _check_workflow_tasks_bounded(workflow: CheckedResource) -> Iterator[str]:
    for name, task in _list_tasks(json.loads(workflow.props["definition"])):
        if not task.keys() & {"TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds"}:
            yield f"The task {name} has no timeout, so an execution can wait for a year."


def _list_tasks(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every task with its name, including tasks in maps and parallel branches."""
    for name, state in definition["States"].items():
        if state["Type"] == "Task":
            yield name, state
        for inner in (state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", ())):
            if inner:
                yield from _list_tasks(inner)
