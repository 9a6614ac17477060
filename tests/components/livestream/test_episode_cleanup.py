"""Who looks after episodes hears of deletions and is called again and again."""

import json

from tests.components.livestream.recorded_deployment import BUCKET, PREFIX, TABLE, changed, complete, livestream
from tests.components.subsystem_tests import ACCOUNT, variables


def test_deletions_are_heard_by_a_queue_that_parks_what_cannot_be_tidied_up() -> None:
    rule = complete().one("cloudwatch.EventRule", "episode-deleted").inputs
    assert json.loads(rule["eventPattern"]) == {
        "source": ["polyphony-test.livestream"],
        "detail-type": ["Episode Deleted"],
    }
    target = complete().one("cloudwatch.EventTarget", "episode-deleted").inputs
    assert target["arn"] == f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-deletions"
    queue = complete().one("sqs.Queue", "livestream-deletions-queue").inputs
    assert json.loads(queue["redrivePolicy"])["deadLetterTargetArn"].endswith(f"{PREFIX}-deletions-dlq")
    mapping = complete().one("lambda.EventSourceMapping", "livestream-deletions").inputs
    assert mapping["functionName"] == f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-care:live"


def test_the_sweep_comes_every_quarter_of_an_hour() -> None:
    schedule = complete().one("scheduler.Schedule", "care-sweep").inputs
    assert schedule["scheduleExpression"] == "rate(15 minutes)"
    assert json.loads(schedule["target"]["input"]) == {"kind": "sweep"}
    assert schedule["target"]["deadLetterConfig"]["arn"].endswith("care-sweep-dlq")


def test_a_sweep_is_as_long_as_its_function_lets_it_and_no_longer_than_it_may_be() -> None:
    assert variables(changed(), "care")["SWEEP_SECONDS"] == "80"
    assert variables(livestream(care={"timeoutSeconds": 900}), "care")["SWEEP_SECONDS"] == "840"


def test_the_function_knows_the_limits() -> None:
    found = variables(changed(), "care")
    assert (found["TABLE_NAME"], found["BUCKET_NAME"]) == (TABLE, BUCKET)
    assert (found["REQUESTED_MINUTES"], found["UPLOADED_MINUTES"]) == ("720", "120")
    assert (found["CHUNKING_MINUTES"], found["ANALYZING_MINUTES"]) == ("31", "360")
    assert found["SUMMARY_NAMESPACE"] == "/summaries/{actorId}/{sessionId}/"
