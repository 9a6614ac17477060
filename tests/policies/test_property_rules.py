"""Policies about the properties of one resource: each finds its fault in the recorded prod program, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from guardrails import resource_types as t
from guardrails.rules import cost, reliability
from guardrails.rules.requirement import NOT_FALSE, NOT_TRUE, at_most, equals, one_of
from tests.policies.program import Program, change, edit, find_mandatory, find_unchanged
from tests.whole_program import ONE_WORKER, STACKS

pytestmark = ONE_WORKER

POLICIES = (*cost.POLICIES, *reliability.POLICIES)


def update(which: str, key: str, **values: Any) -> Callable[[Program], str]:
    """Return a change of keys of a property."""
    return edit(which, key, lambda value: value.update(values))


def edit_task(change_task: Callable[[dict[str, Any]], object]) -> Callable[[Program], str]:
    """Return a change of the first task of a workflow."""
    return edit(
        "ingestion-workflow-machine",
        "definition",
        lambda definition: change_task(next(s for s in definition["States"].values() if s["Type"] == "Task")),
    )


def bury_task(program: Program) -> str:
    """Add a task without Retry to the branch of a parallel state."""
    task = {"Type": "Task", "TimeoutSeconds": 60, "End": True}
    parallel = {"Type": "Parallel", "Branches": [{"StartAt": "Inner", "States": {"Inner": task}}], "End": True}
    return program.edit(t.WORKFLOW, "definition", lambda definition: definition["States"].update(Outer=parallel))


BREAKS: dict[str, Callable[[Program], str]] = {
    "logs-expire": change(t.LOG_GROUP, retentionInDays=None),
    "logs-expire:zero": change(t.LOG_GROUP, retentionInDays=0),
    "logs-expire:late": change(t.LOG_GROUP, retentionInDays=401),
    "function-on-arm64": change(t.FUNCTION, architectures=None),
    "function-memory-ceiling": change(t.FUNCTION, memorySize=2049),
    "function-provisioned-ceiling": change(t.PROVISIONED_CONCURRENCY, provisionedConcurrentExecutions=3),
    "queue-source-bounded": change(t.EVENT_SOURCE_MAPPING, scalingConfig=None),
    "glue-job-bounded": change(t.GLUE_JOB, numberOfWorkers=11),
    "glue-job-bounded:type": change(t.GLUE_JOB, workerType="G.8X"),
    "glue-job-bounded:timeout": change(t.GLUE_JOB, timeout=61),
    "glue-job-bounded:no-timeout": change(t.GLUE_JOB, timeout=None),
    "glue-job-bounded:runs": change(t.GLUE_JOB, executionProperty={"maxConcurrentRuns": 51}),
    "batch-vcpu-ceiling": update(t.BATCH_ENVIRONMENT, "computeResources", maxVcpus=17),
    "table-on-demand": change(t.TABLE, billingMode=None),
    "table-few-indexes": change(t.TABLE, globalSecondaryIndexes=[{"name": name} for name in "abc"]),
    "query-scans-limited": change(t.ATHENA_WORKGROUP, configuration={"enforceWorkgroupConfiguration": True}),
    "query-scans-limited:override": update(t.ATHENA_WORKGROUP, "configuration", enforceWorkgroupConfiguration=False),
    "memory-expires": change(t.AGENT_MEMORY, eventExpiryDuration=91),
    "interface-endpoint-with-reason": change(t.VPC_ENDPOINT, vpcEndpointType="Interface"),
    "interface-endpoint-with-reason:short": lambda program: (
        program.change(t.VPC_ENDPOINT, vpcEndpointType="Interface")
        and program.edit(t.VPC_ENDPOINT, "tags", lambda tags: tags.update(Reason="needed"))
    ),
    "bucket-aborts-multipart": edit(t.BUCKET_LIFECYCLE, "rules", lambda rules: rules.pop(0)),
    "bucket-aborts-multipart:late": edit(
        t.BUCKET_LIFECYCLE,
        "rules",
        lambda rules: rules[0].update(abortIncompleteMultipartUpload={"daysAfterInitiation": 2}),
    ),
    "bucket-aborts-multipart:part": edit(
        t.BUCKET_LIFECYCLE, "rules", lambda rules: rules[0].update(filter={"prefix": "incoming/"})
    ),
    "required-tags": edit(t.TABLE, "tags", lambda tags: tags.pop("Owner")),
    "required-tags:all": change(t.FUNCTION, tags=None),
    "event-target-has-dead-letters": change(t.EVENT_TARGET, deadLetterConfig=None),
    "schedule-has-dead-letters": edit(t.SCHEDULE, "target", lambda target: target.pop("deadLetterConfig")),
    "queue-fails-one-by-one": change(t.EVENT_SOURCE_MAPPING, functionResponseTypes=None),
    "function-traced": change(t.FUNCTION, tracingConfig=None),
    "function-logs-json": update(t.FUNCTION, "loggingConfig", logFormat="Text"),
    "function-publishes-versions": change(t.FUNCTION, publish=None),
    "alarm-has-action": change(t.ALARM, alarmActions=[]),
    "alarm-decides-missing-data": change(t.ALARM, treatMissingData=None),
    "alarm-names-runbook": change(t.ALARM, alarmDescription="CRITICAL: failed"),
    "workflow-logged": update(t.WORKFLOW, "loggingConfiguration", level="OFF"),
    "workflow-traced": change(t.WORKFLOW, tracingConfiguration=None),
    "rest-api-traced": change(t.REST_STAGE, xrayTracingEnabled=None),
    "rest-api-deploys-changes": change(t.REST_DEPLOYMENT, triggers={}),
    "batch-job-bounded": change(t.BATCH_JOB, timeout=None),
    "queue-retries-first": update("ingestion-intake-queue", "redrivePolicy", maxReceiveCount=2),
    "function-called-by-alias": change(t.FUNCTION_PERMISSION, qualifier=None),
    "batch-retries-reclaims": update(t.BATCH_JOB, "retryStrategy", attempts=1),
    "batch-retries-reclaims:all": edit(t.BATCH_JOB, "retryStrategy", lambda value: value["evaluateOnExits"].pop()),
    "workflow-tasks-retried": edit_task(lambda task: (task.pop("Retry", None), task.pop("Catch", None))),
    "workflow-tasks-retried:branch": bury_task,
    "workflow-tasks-bounded": edit_task(lambda task: task.pop("TimeoutSeconds")),
}
"""Change of the prod program by policy, or by policy and what is changed. It returns the resource with the fault."""


@pytest.mark.parametrize("case", BREAKS)
def test_a_fault_is_found_at_its_resource(case: str) -> None:
    policy = case.partition(":")[0]
    program, before = Program(), find_unchanged(policy)
    faulty = BREAKS[case](program)
    found = program.find(policy)
    assert found.get(faulty), "the faulty resource has no finding, or its check was undecided"
    assert found[faulty] != before.get(faulty), "the untouched program has the same finding"
    assert "unexpected form" not in found[faulty], "the check failed"
    assert found.keys() <= before.keys() | {faulty}, "another resource has a finding, too"


def test_every_policy_has_a_fault() -> None:
    assert {case.partition(":")[0] for case in BREAKS} == {policy.name for policy in POLICIES}


@pytest.mark.parametrize("stack", STACKS)
def test_the_program_has_no_fault(stack: str) -> None:
    assert find_mandatory(stack, POLICIES) == {}


def test_a_reason_may_be_as_short_as_the_limit() -> None:
    program = Program()
    endpoint = program.change(t.VPC_ENDPOINT, vpcEndpointType="Interface")
    program.edit(t.VPC_ENDPOINT, "tags", lambda tags: tags.update(Reason="x" * 15))
    assert endpoint not in program.find("interface-endpoint-with-reason")


def test_a_limit_belongs_to_the_allowed_values() -> None:
    assert at_most(3).is_met(3.0)
    assert not at_most(3).is_met(3.1)


def test_an_absent_value_meets_a_requirement_only_by_its_default() -> None:
    for requirement in (at_most(3), equals("a"), one_of("a")):
        assert not requirement.is_met(requirement.default)
    for requirement in (at_most(3, default=3), NOT_FALSE, NOT_TRUE):
        assert requirement.is_met(requirement.default)


def test_a_message_names_path_value_and_requirement() -> None:
    program = Program()
    function = program.change(t.FUNCTION, memorySize=4096.0)
    assert program.find("function-memory-ceiling")[function] == "memorySize is 4096, but must be at most 2048."
