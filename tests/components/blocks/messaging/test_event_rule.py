"""Tests of EventBridge rules and schedules: their retries, dead-letter queues and permissions."""

import json

import pytest

from components.blocks.compute.function import Function
from components.blocks.compute.schedule import Schedule, ScheduleArgs
from components.blocks.messaging.event_rule import EventRule, EventRuleArgs, rule_sender
from components.blocks.messaging.queue import Queue, QueueArgs
from tests.components.blocks.compute.test_function import args, async_function
from tests.components.deployment_harness import allow_statement, trust_statement
from tests.fake_engine import Engine, scope

PATTERN = {"source": ["aws.s3"], "detail-type": ["Object Created"]}
RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/polyphony-test-ingestion-uploads"
ALIAS_ARN = "arn:aws:lambda:us-east-1:123456789012:function:polyphony-test-ingestion-builder:live"


def test_a_rule_without_a_target_sends_its_events_to_its_dead_letter_queue(engine: Engine) -> None:
    """Such a rule selects events for operators. The alarm of the dead-letter queue notifies them."""
    recorded = engine.run(lambda: EventRule("uploads", EventRuleArgs(scope(), "Uploads", PATTERN)))
    assert json.loads(recorded.one("cloudwatch.EventRule").inputs["eventPattern"]) == PATTERN
    target = recorded.one("cloudwatch.EventTarget")
    assert target.inputs["arn"] == target.inputs["deadLetterConfig"]["arn"]
    assert target.inputs["retryPolicy"] == {"maximumRetryAttempts": 8, "maximumEventAgeInSeconds": 3600}
    assert target.inputs["deadLetterConfig"]["arn"].endswith(":polyphony-test-ingestion-uploads-dlq")
    policy = recorded.one("sqs.QueuePolicy", "uploads-dlq")
    assert policy in list(recorded.ancestors(target))
    assert allow_statement(policy)["Condition"]["ArnEquals"] == {"aws:SourceArn": RULE_ARN}


def test_a_rule_sends_to_a_queue_whose_policy_names_the_rule(engine: Engine) -> None:
    def program() -> None:
        rule_scope = scope()
        senders = [rule_sender(rule_scope, "uploads")]
        queue = Queue("work", QueueArgs(rule_scope, "Work", consumer_timeout_seconds=30, senders=senders))
        EventRule("uploads", EventRuleArgs(rule_scope, "Uploads", PATTERN, target=queue))

    recorded = engine.run(program)
    target = recorded.one("cloudwatch.EventTarget")
    assert target.inputs["arn"] == "arn:aws:sqs:us-east-1:123456789012:polyphony-test-ingestion-work"
    policy = recorded.one("sqs.QueuePolicy", "ingestion-work-policy")
    assert policy in list(recorded.ancestors(target)), "otherwise the queue refuses the first events"
    assert allow_statement(policy)["Condition"]["ArnEquals"] == {"aws:SourceArn": RULE_ARN}


def schedule(target: Function) -> Schedule:
    return Schedule("sweep", ScheduleArgs(scope(), "Sweep", "rate(5 minutes)", target, {"kind": "sweep"}))


def test_a_schedule_calls_the_alias_with_its_own_minimal_role(engine: Engine) -> None:
    recorded = engine.run(lambda: schedule(async_function()))
    earlier_names = {resource.name for resource in recorded.ancestors(recorded.one("scheduler.Schedule"))}
    assert "ingestion-sweep-dlq-queue" in earlier_names, "otherwise a first call that fails is lost"
    target = recorded.one("scheduler.Schedule").inputs["target"]
    assert (target["arn"], json.loads(target["input"])) == (ALIAS_ARN, {"kind": "sweep"})
    assert target["roleArn"] == "arn:aws:iam::123456789012:role/polyphony-test-ingestion-sweep"
    assert target["deadLetterConfig"]["arn"].endswith(":polyphony-test-ingestion-sweep-dlq")
    (policy,) = [resource for resource in recorded.all("iam.RolePolicy") if "sweep" in resource.name]
    actions = [statement["Action"] for statement in json.loads(policy.inputs["policy"])["Statement"]]
    assert actions == [["lambda:InvokeFunction"], ["sqs:SendMessage"]]
    assert trust_statement(recorded, "sweep")["Condition"]["ArnLike"] == {
        "aws:SourceArn": "arn:aws:scheduler:us-east-1:123456789012:schedule-group/default"
    }


def test_a_schedule_needs_a_target_with_a_queue_for_failed_calls(engine: Engine) -> None:
    with pytest.raises(ValueError, match="Give the target function a queue for failed calls"):
        engine.run(lambda: schedule(Function("builder", args())))
