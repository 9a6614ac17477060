"""Tests of the scheduled functions: their schedules, limits and dead-letter queue."""

import json
from typing import Any

import pytest

from tests.components.deployment_harness import REGION_AND_ACCOUNT, variables
from tests.components.meetings.recorded_deployment import (
    BUCKET,
    PREFIX,
    TABLE,
    deployed,
    previewed,
    previewed_with_changes,
)
from tests.fake_engine import Recorded


def schedule(recorded: Recorded, what: str) -> dict[str, Any]:
    return recorded.one("scheduler.Schedule", f"meetings-{what}-schedule").inputs


def test_each_schedule_calls_its_function_and_failed_calls_go_to_a_dead_letter_queue() -> None:
    assert schedule(deployed(), "sweep")["scheduleExpression"] == "rate(15 minutes)"
    assert schedule(deployed(), "storage")["scheduleExpression"] == "cron(0 2 * * ? *)"
    for name in ("sweep", "storage"):
        target = schedule(deployed(), name)["target"]
        assert target["arn"] == f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:{PREFIX}-{name}:live"
        assert json.loads(target["input"]) == {"kind": name}
        assert target["deadLetterConfig"]["arn"].endswith(f"{PREFIX}-{name}-schedule-dlq")
        config = deployed().one("lambda.FunctionEventInvokeConfig", f"meetings-{name}").inputs
        assert config["destinationConfig"]["onFailure"]["destination"].endswith(f"{PREFIX}-care-failures")


@pytest.mark.parametrize(
    ("days", "minutes", "timeout", "seconds"),
    [(1, 1_440, 1, 1), (14, 20_160, 870, 840), (3_649, 20_160, 900, 840)],
)
def test_the_sweep_waits_for_chunks_while_uploads_are_kept_and_ends_before_its_timeout(
    days: int, minutes: int, timeout: int, seconds: int
) -> None:
    """The waiting time is at most two weeks."""
    found = previewed(kept={"rawDays": days}, sweep={"timeoutSeconds": timeout})
    read = variables(found, "meetings-sweep-function")
    assert (read["INCOMPLETE_MINUTES"], read["SWEEP_SECONDS"]) == (str(minutes), str(seconds))
    assert (read["PROCESSING_MINUTES"], read["GIVE_UP_MINUTES"]) == ("60", "2880")
    assert (read["TABLE_NAME"], read["BUCKET_NAME"]) == (TABLE, BUCKET)


def test_the_number_of_user_metrics_is_a_setting() -> None:
    read = variables(previewed_with_changes(), "meetings-storage-function")
    assert (read["MAX_USERS"], read["COUNT_SECONDS"], read["STACK"]) == ("13", "70", "polyphony-test")
