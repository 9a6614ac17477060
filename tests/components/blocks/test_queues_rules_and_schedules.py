"""Tests of queues, of EventBridge rules and schedules, and of the policies that let services send to queues."""

import json
from typing import Any

import pytest

from components.blocks.events import EventRule, create_failed_events_queue, rule_sender
from components.blocks.function import AsyncInvocation, Function
from components.blocks.queue import Queue
from components.blocks.schedule import Schedule
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from tests.components.deployment_harness import allow_statement
from tests.fake_engine import Engine, scope

PATTERN = {"source": ["aws.s3"]}
RULES = "arn:aws:events:us-east-1:123456789012:rule/polyphony-test-ingestion-"


@pytest.mark.parametrize(
    ("has_target", "queue_name", "rule"), [(True, "work", "uploads"), (False, "failed-events", "*")]
)
def test_a_rule_sends_to_its_target_or_to_the_queue_whose_alarm_notifies_operators(
    engine: Engine, has_target: bool, queue_name: str, rule: str
) -> None:
    def program() -> None:
        senders = [rule_sender(scope(), "uploads")]
        queue = Queue(scope(), "work", display_name="Work", consumer_timeout=30, senders=senders)
        target = queue if has_target else None
        failed_events = create_failed_events_queue(scope())
        EventRule(
            scope(), "uploads", display_name="Uploads", pattern=PATTERN, failed_events=failed_events, target=target
        )

    recorded = engine.run(program)
    target, policy = recorded.one("cloudwatch.EventTarget"), recorded.one("sqs.QueuePolicy", f"{queue_name}-policy")
    assert target.inputs["arn"] == f"arn:aws:sqs:us-east-1:123456789012:polyphony-test-ingestion-{queue_name}"
    assert policy in list(recorded.ancestors(target)), "otherwise the queue refuses the first events"
    assert target.inputs["retryPolicy"] == {"maximumRetryAttempts": 8, "maximumEventAgeInSeconds": 3600}
    work = recorded.one("sqs.Queue", "ingestion-work-queue").inputs
    assert work["visibilityTimeoutSeconds"] == 6 * 30
    assert json.loads(work["redrivePolicy"])["maxReceiveCount"] == 5
    assert allow_statement(policy)["Condition"]["ArnEquals"] == {"aws:SourceArn": f"{RULES}{rule}"}


def schedule() -> None:
    failed_events = create_failed_events_queue(scope())
    settings, asynchronous = FunctionSettings(), AsyncInvocation(failed_events)
    target = Function(scope(), "sweeper", settings=settings, environment=HandlerEnvironment, asynchronous=asynchronous)
    arguments: dict[str, Any] = {"display_name": "Sweep", "expression": "rate(5 minutes)", "event": {"kind": "x"}}
    Schedule(scope(), "sweep", target=target, failed_events=failed_events, **arguments)


def test_a_schedule_is_created_after_everything_that_its_first_call_needs(engine: Engine) -> None:
    recorded = engine.run(schedule)
    earlier = {resource.name for resource in recorded.ancestors(recorded.one("scheduler.Schedule"))}
    assert {"ingestion-failed-events-policy", "ingestion-sweep-grants", "ingestion-sweeper-live"} <= earlier
    target = recorded.one("scheduler.Schedule").inputs["target"]
    assert (target["arn"].rpartition(":")[2], json.loads(target["input"])) == ("live", {"kind": "x"})
    assert target["retryPolicy"] == {"maximumEventAgeInSeconds": 3600}
