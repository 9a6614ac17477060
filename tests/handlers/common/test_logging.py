"""Log lines: JSON, a level from the environment, and only fields from the list."""

import json
from datetime import datetime, timedelta

import pytest

from handlers.common.logging import ALLOWED_LOG_FIELDS, EventLog, hash_for_log


def test_a_line_carries_its_event_and_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("INFO").info("batch_taken_in", records=2, failed=0)
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["level"], line["records"], line["failed"]) == ("batch_taken_in", "INFO", 2, 0)


def test_a_field_that_is_not_on_the_list_never_appears(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("INFO").info("batch_taken_in", records=1, token="canary")  # type: ignore[call-arg]
    assert "canary" not in capsys.readouterr().out


@pytest.mark.parametrize(("level", "lines"), [("DEBUG", 3), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)])
def test_the_level_decides_what_is_written(level: str, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog(level)
    for write in (log.info, log.warning, log.error):
        write("x")
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_a_fingerprint_is_short_and_stable() -> None:
    assert hash_for_log("incoming/a") == hash_for_log("incoming/a") != hash_for_log("incoming/b")
    assert len(hash_for_log("x" * 5000)) == 16


def test_no_allowed_field_is_named_after_what_must_not_be_logged() -> None:
    forbidden = {"body", "event", "key", "token", "transcript", "authorization", "email", "audio", "text"}
    assert forbidden.isdisjoint(ALLOWED_LOG_FIELDS)


def test_a_person_may_read_plain_text_instead(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("INFO", structured=False).info("batch_taken_in", records=2, failed=0)
    assert capsys.readouterr().out == "INFO batch_taken_in failed=0 records=2\n"


def test_a_line_says_when_it_was_written_as_lambda_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Lambda cannot tell the level of a line with any other time, takes it for INFO, and filters it out above that."""
    EventLog("INFO").info("batch_taken_in", records=1)
    moment = json.loads(capsys.readouterr().out)["timestamp"]
    assert datetime.fromisoformat(moment).utcoffset() == timedelta(0)
    assert "T" in moment
