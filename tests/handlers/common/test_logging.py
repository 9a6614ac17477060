"""Tests of log lines: the values that they may have, and their statements about a failure and its place in the code."""

import json
import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.logging import (
    EventLog,
    hash_for_log,
    id_for_log,
    name_for_log,
)
from local import ROOT
from tests.handlers.common.fakes import stubbed

LINE_FIELDS = {"level", "location", "message", "timestamp", "service"}
"""Fields of every line."""
ULID = "01K8PFVZQ0A1B2C3D4E5F6G7H8"


class Color(StrEnum):
    RED = "red"


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the only line that was written."""
    [line] = capsys.readouterr().out.splitlines()
    fields: dict[str, Any] = json.loads(line)
    return fields


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=12), values=st.lists(st.text(min_size=12)) | st.binary(min_size=12))
def test_free_text_is_never_logged(capsys: pytest.CaptureFixture[str], text: str, values: object) -> None:
    EventLog("INFO").info("event", count=1, text=text, values=values)  # type: ignore[arg-type]
    assert set(written(capsys)) == {*LINE_FIELDS, "count"}
    EventLog("INFO").info(f"The event {text}")
    assert written(capsys)["message"] == "unnamed_event"


def test_numbers_booleans_enums_hashes_ids_and_names_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    fields: dict[str, Any] = {"count": 2, "share": 0.5, "ended": True, "color": Color.RED}
    names = {"route": name_for_log("$connect"), "cause": name_for_log("Batch.TooMany"), "other": name_for_log("a b")}
    ids = {"key_hash": hash_for_log("a"), "owner": id_for_log("a"), "manifest_id": id_for_log(ULID)}
    EventLog("INFO").info("event", **fields, **names, **ids, missing=None)
    line = written(capsys)
    # Lambda treats a line with a timestamp of another form as INFO, and drops it if the log level is higher.
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)
    assert "T" in line["timestamp"]
    expected = {"route": "$connect", "cause": "Batch.TooMany", "other": "unnamed"}
    expected |= {"key_hash": "ca978112ca1bbdca", "owner": "ca978112ca1bbdca", "manifest_id": ULID}
    assert {name: line[name] for name in line.keys() - LINE_FIELDS} == fields | expected


def test_only_the_logger_makes_texts_for_lines() -> None:
    """The type of a value shows that it has no free text, so no other module may create it from a text."""
    makers = [path for path in (ROOT / "handlers").rglob("*.py") if re.search(r"\bLogText\(", path.read_text())]
    assert makers == [ROOT / "handlers/common/logging.py"]


@pytest.mark.parametrize(("level", "lines"), [("INFO", 3), ("WARNING", 2), ("ERROR", 1)])
def test_only_lines_of_at_least_the_level_are_written(
    level: str, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for structured in (True, False):
        log = EventLog(level, structured=structured)
        for write in (log.info, log.warning, log.error):
            write("x", records=2, failed=0, text="canary")  # type: ignore[arg-type]
        written_lines = capsys.readouterr().out.splitlines()
        assert len(written_lines) == lines
    assert re.fullmatch(r"ERROR x failed=0 location=\S+test_logging\.py:\d+ records=2", written_lines[-1])


def test_a_line_has_the_request_id_only_while_the_request_is_handled(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog("INFO")
    for request_id in ("JKJaXmPLvHcESHA=", "canary text\n"):
        with log.request(request_id):
            log.info("inside")
        log.info("outside")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("request_id") for line in lines] == ["JKJaXmPLvHcESHA=", None, None, None]


def test_a_failed_call_of_aws_is_named_with_its_service_code_and_request_id(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with stubbed("s3") as (client, stubber):
        stubber.add_client_error("get_object", "AccessDenied", "canary", 403, response_meta={"RequestId": "AWS-1"})
        with pytest.raises(ClientError) as caught:
            client.get_object(Bucket="canary", Key="canary")
    EventLog("INFO").failure("failed", caught.value, level="WARNING", count=1)
    line = written(capsys)
    assert (line["level"], line["count"]) == ("WARNING", 1)
    fields = (line["aws_operation"], line["aws_code"], line["aws_request_id"])
    assert fields == ("s3.GetObject", "AccessDenied", "AWS-1")
    assert "canary" not in json.dumps(line)
