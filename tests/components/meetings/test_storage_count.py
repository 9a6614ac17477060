"""Tests of the scheduled functions: their schedules, limits and dead-letter queue.

The sweep ends or restarts meetings that make no progress. The function `storage` counts the stored bytes of each user.
"""

import json
from typing import Any

import pytest

from tests.components.deployment_harness import arn, variables
from tests.components.meetings.recorded_deployment import BUCKET, PREFIX, TABLE, changed_preview, deployed, previewed
from tests.fake_engine import Recorded


def schedule(recorded: Recorded, function: str) -> dict[str, Any]:
    return recorded.one("scheduler.Schedule", f"meetings-{function}-schedule").inputs


def test_each_schedule_calls_its_function_and_failed_calls_go_to_a_dead_letter_queue() -> None:
    assert schedule(deployed(), "sweep")["scheduleExpression"] == "rate(15 minutes)"
    assert schedule(deployed(), "storage")["scheduleExpression"] == "cron(0 2 * * ? *)"
    for name in ("sweep", "storage"):
        target = schedule(deployed(), name)["target"]
        assert target["arn"] == arn("lambda", f"function:{PREFIX}-{name}:live")
        assert json.loads(target["input"]) == {"kind": name}
        assert target["deadLetterConfig"]["arn"].endswith(f"{PREFIX}-{name}-schedule-dlq")
        config = deployed().one("lambda.FunctionEventInvokeConfig", f"meetings-{name}").inputs
        assert config["destinationConfig"]["onFailure"]["destination"].endswith(f"{PREFIX}-care-failures")


@pytest.mark.parametrize(
    ("upload_days", "incomplete_minutes", "timeout_seconds", "sweep_seconds"),
    [(1, 1_440, 1, 1), (14, 20_160, 870, 840), (3_649, 20_160, 900, 840)],
)
def test_the_sweep_waits_for_chunks_while_uploads_are_kept_and_ends_before_its_timeout(
    upload_days: int, incomplete_minutes: int, timeout_seconds: int, sweep_seconds: int
) -> None:
    """The sweep waits for at most 14 days. It works until 30 seconds before its timeout, at most for 840 seconds."""
    recorded = previewed(kept={"rawDays": upload_days}, sweep={"timeoutSeconds": timeout_seconds})
    environment = variables(recorded, "meetings-sweep-function")
    assert environment["INCOMPLETE_MINUTES"] == str(incomplete_minutes)
    assert environment["SWEEP_SECONDS"] == str(sweep_seconds)
    assert (environment["PROCESSING_MINUTES"], environment["GIVE_UP_MINUTES"]) == ("60", "2880")
    assert (environment["TABLE_NAME"], environment["BUCKET_NAME"]) == (TABLE, BUCKET)


def test_the_number_of_users_with_a_metric_and_the_timeout_of_the_count_are_settings() -> None:
    environment = variables(changed_preview(), "meetings-storage-function")
    assert (environment["MAX_USERS"], environment["COUNT_SECONDS"]) == ("13", "70")
    assert environment["STACK"] == "polyphony-test"
