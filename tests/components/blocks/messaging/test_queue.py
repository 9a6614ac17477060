"""Queues park what fails, and say so."""

import json

from components.blocks.messaging.queue import Queue, QueueArgs, Sender
from tests.fake_engine import Engine, Recorded, scope

BUCKET = "arn:aws:s3:::landing"
LANDING = Sender("s3.amazonaws.com", BUCKET)
ARN = "arn:aws:sqs:us-east-1:123456789012:polyphony-test-ingestion-intake"


def queue(engine: Engine, sender: Sender = LANDING) -> Recorded:
    return engine.run(
        lambda: Queue("intake", QueueArgs(scope(), "IntakeQueue", consumer_timeout_seconds=60, senders=[sender]))
    )


def test_a_message_stays_hidden_for_six_timeouts_of_its_consumer(engine: Engine) -> None:
    assert queue(engine).one("sqs.Queue", "intake-queue").inputs["visibilityTimeoutSeconds"] == 360


def test_failed_messages_are_parked_for_fourteen_days(engine: Engine) -> None:
    recorded = queue(engine)
    redrive = json.loads(recorded.one("sqs.Queue", "intake-queue").inputs["redrivePolicy"])
    assert redrive == {"deadLetterTargetArn": f"{ARN}-dlq", "maxReceiveCount": 5}
    assert recorded.one("sqs.Queue", "dlq").inputs["messageRetentionSeconds"] == 14 * 86_400


def test_only_its_own_queue_may_move_messages_there(engine: Engine) -> None:
    allow = json.loads(queue(engine).one("sqs.Queue", "dlq").inputs["redriveAllowPolicy"])
    assert allow == {"redrivePermission": "byQueue", "sourceQueueArns": [ARN]}


def test_a_service_may_send_for_one_resource_of_this_account_only(engine: Engine) -> None:
    policy = json.loads(queue(engine).one("sqs.QueuePolicy", "intake-policy").inputs["policy"])
    (allow,) = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allow["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnEquals": {"aws:SourceArn": BUCKET},
    }


def test_a_rule_is_known_by_its_arn_which_has_the_account(engine: Engine) -> None:
    """EventBridge is not documented to send the account besides: a condition on it could keep every event out."""
    rule = "arn:aws:events:us-east-1:123456789012:rule/polyphony-test-uploaded"
    recorded = queue(engine, Sender("events.amazonaws.com", rule))
    policy = json.loads(recorded.one("sqs.QueuePolicy", "intake-policy").inputs["policy"])
    (allow,) = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}


def test_both_queues_are_encrypted_and_refuse_plain_http(engine: Engine) -> None:
    recorded = queue(engine)
    assert all(one.inputs["sqsManagedSseEnabled"] is True for one in recorded.all("sqs.Queue"))
    for policy in recorded.all("sqs.QueuePolicy"):
        (deny,) = [one for one in json.loads(policy.inputs["policy"])["Statement"] if one["Effect"] == "Deny"]
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
