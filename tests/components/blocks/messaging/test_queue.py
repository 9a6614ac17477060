"""Tests of queues, their dead-letter queues and queue policies."""

import json

from components.blocks.messaging.queue import Queue, QueueArgs, Sender
from tests.components.deployment_harness import allow_statement
from tests.fake_engine import Engine, Recorded, scope

BUCKET = "arn:aws:s3:::landing"
LANDING = Sender("s3.amazonaws.com", BUCKET)
ARN = "arn:aws:sqs:us-east-1:123456789012:polyphony-test-ingestion-intake"


def register_queue(engine: Engine, sender: Sender = LANDING) -> Recorded:
    return engine.run(
        lambda: Queue("intake", QueueArgs(scope(), "IntakeQueue", consumer_timeout_seconds=60, senders=[sender]))
    )


def test_failed_messages_are_kept_for_fourteen_days(engine: Engine) -> None:
    recorded = register_queue(engine)
    intake, dead_letters = recorded.one("sqs.Queue", "intake-queue").inputs, recorded.one("sqs.Queue", "dlq").inputs
    assert json.loads(intake["redrivePolicy"]) == {"deadLetterTargetArn": f"{ARN}-dlq", "maxReceiveCount": 5}
    assert intake["visibilityTimeoutSeconds"] == 6 * 60, "six timeouts of the consumer"
    assert dead_letters["messageRetentionSeconds"] == 14 * 86_400
    assert json.loads(dead_letters["redriveAllowPolicy"]) == {"redrivePermission": "byQueue", "sourceQueueArns": [ARN]}


def test_messages_also_stay_hidden_while_lambda_waits_for_a_full_batch(engine: Engine) -> None:
    args = QueueArgs(scope(), "IntakeQueue", consumer_timeout_seconds=60, batching_window_seconds=45)
    queue = engine.run(lambda: Queue("intake", args)).one("sqs.Queue", "intake-queue")
    assert queue.inputs["visibilityTimeoutSeconds"] == 6 * 60 + 45


def test_a_service_may_send_only_on_behalf_of_one_resource_of_this_account(engine: Engine) -> None:
    allow = allow_statement(register_queue(engine).one("sqs.QueuePolicy", "intake-policy"))
    assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allow["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnEquals": {"aws:SourceArn": BUCKET},
    }


def test_the_policy_compares_only_the_arn_of_an_event_rule(engine: Engine) -> None:
    """EventBridge is not documented to send `aws:SourceAccount`, so a condition on it might deny every event."""
    rule = "arn:aws:events:us-east-1:123456789012:rule/polyphony-test-uploaded"
    policy = register_queue(engine, Sender("events.amazonaws.com", rule)).one("sqs.QueuePolicy", "intake-policy")
    assert allow_statement(policy)["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}


def test_both_queues_are_encrypted_and_refuse_plain_http(engine: Engine) -> None:
    recorded = register_queue(engine)
    assert all(resource.inputs["sqsManagedSseEnabled"] is True for resource in recorded.all("sqs.Queue"))
    for policy in recorded.all("sqs.QueuePolicy"):
        (deny,) = [
            statement for statement in json.loads(policy.inputs["policy"])["Statement"] if statement["Effect"] == "Deny"
        ]
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
