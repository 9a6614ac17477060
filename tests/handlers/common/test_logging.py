"""Tests of log lines: format, level and allowed fields."""

import json
from datetime import datetime, timedelta

import pytest

from handlers.common.logging import ALLOWED_LOG_FIELDS, EventLog, hash_for_log


def test_a_log_line_contains_its_event_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("INFO").info("batch_taken_in", records=2, failed=0)
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["level"], line["records"], line["failed"]) == ("batch_taken_in", "INFO", 2, 0)


def test_an_unknown_field_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("INFO").info("batch_taken_in", records=1, token="canary")  # type: ignore[call-arg]
    assert "canary" not in capsys.readouterr().out


@pytest.mark.parametrize(("level", "lines"), [("DEBUG", 3), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)])
def test_only_lines_of_at_least_the_level_are_written(
    level: str, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    log = EventLog(level)
    for write in (log.info, log.warning, log.error):
        write("x")
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_a_log_hash_is_short_and_the_same_for_equal_values() -> None:
    assert hash_for_log("incoming/a") == hash_for_log("incoming/a") != hash_for_log("incoming/b")
    assert len(hash_for_log("x" * 5000)) == 16


def test_no_allowed_field_has_the_name_of_content_that_must_not_be_logged() -> None:
    forbidden = {"body", "event", "key", "token", "transcript", "authorization", "email", "audio", "text"}
    assert forbidden.isdisjoint(ALLOWED_LOG_FIELDS)


def test_lines_can_be_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("INFO", structured=False).info("batch_taken_in", records=2, failed=0)
    assert capsys.readouterr().out == "INFO batch_taken_in failed=0 records=2\n"


def test_a_timestamp_has_the_format_that_lambda_reads(capsys: pytest.CaptureFixture[str]) -> None:
    """Lambda treats a line with another timestamp as INFO, and drops it if the log level is higher."""
    EventLog("INFO").info("batch_taken_in", records=1)
    timestamp = json.loads(capsys.readouterr().out)["timestamp"]
    assert datetime.fromisoformat(timestamp).utcoffset() == timedelta(0)
    assert "T" in timestamp
