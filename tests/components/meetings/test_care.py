"""Who looks after meetings comes again and again, knows the limits, and loses no call that failed."""

import json
from typing import Any

import pytest

from tests.components.meetings.deployment import BUCKET, PREFIX, TABLE, complete, meetings
from tests.components.subsystem import ACCOUNT, variables
from tests.engine import Recorded


def schedule(recorded: Recorded, what: str) -> dict[str, Any]:
    found: dict[str, Any] = recorded.one("scheduler.Schedule", f"meetings-{what}-schedule").inputs
    return found


def test_the_sweep_comes_as_often_as_the_settings_say_and_the_count_once_a_day() -> None:
    found = meetings(care={"sweepMinutes": 7, "storageHourUtc": 4})
    assert schedule(found, "sweep")["scheduleExpression"] == "rate(7 minutes)"
    assert schedule(found, "storage")["scheduleExpression"] == "cron(0 4 * * ? *)"
    for what in ("sweep", "storage"):
        target = schedule(complete(), what)["target"]
        assert target["arn"] == f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-{what}:live"
        assert json.loads(target["input"]) == {"kind": what}
        assert target["deadLetterConfig"]["arn"].endswith(f"{PREFIX}-{what}-schedule-dlq")


@pytest.mark.parametrize("what", ["sweep", "storage"])
def test_a_call_that_failed_lands_somewhere(what: str) -> None:
    one = complete().one("lambda.FunctionEventInvokeConfig", f"meetings-{what}").inputs
    assert one["qualifier"] == "live"
    assert one["destinationConfig"]["onFailure"]["destination"].endswith(f"{PREFIX}-care-failures")


def test_the_sweep_knows_the_limits() -> None:
    found = variables(meetings(care={"processingMinutes": 31, "giveUpMinutes": 99}), "meetings-sweep-function")
    assert (found["TABLE_NAME"], found["BUCKET_NAME"]) == (TABLE, BUCKET)
    assert (found["PROCESSING_MINUTES"], found["GIVE_UP_MINUTES"]) == ("31", "99")


@pytest.mark.parametrize(("days", "minutes"), [(1, 1_440), (7, 10_080), (14, 20_160), (3_649, 20_160)])
def test_chunks_are_waited_for_while_those_that_came_are_kept_and_two_weeks_at_most(days: int, minutes: int) -> None:
    found = meetings(kept={"rawDays": days, "workDays": days + 1})
    assert variables(found, "meetings-sweep-function")["INCOMPLETE_MINUTES"] == str(minutes)


@pytest.mark.parametrize(("timeout", "seconds"), [(1, 1), (120, 90), (870, 840), (900, 840)])
def test_a_sweep_ends_before_its_function_does(timeout: int, seconds: int) -> None:
    found = meetings(sweep={"timeoutSeconds": timeout})
    assert variables(found, "meetings-sweep-function")["SWEEP_SECONDS"] == str(seconds)


def test_whoever_counts_knows_for_how_many_users_there_is_a_metric() -> None:
    read = variables(meetings(care={"storageUsers": 3}, storage={"timeoutSeconds": 100}), "meetings-storage-function")
    assert (read["MAX_USERS"], read["COUNT_SECONDS"], read["STACK"]) == ("3", "70", "polyphony-test")
