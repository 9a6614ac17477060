"""Tests of invalid and hostile uploads, such as a malformed `complete.json`. No log quotes them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.meetings.s3_keys import parse_upload_key
from handlers.meetings.upload_completion_file import MAX_COMPLETE_FILE_BYTES
from tests.handlers.meetings.meeting_harness import (
    ANN,
    BOB,
    CANARY,
    MEETING,
    MeetingHarness,
    complete_json,
    object_created_event,
)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\xff\xfe", "unreadable"),
        (b'{"schemaVersion":1,"title":"canary","startedAt":"2026-01-31T10:00:00.000Z","chunks":[]}', "unreadable"),
        (b" " * (MAX_COMPLETE_FILE_BYTES + 1), "size"),
    ],
)
def test_a_malformed_complete_json_fails_its_meeting_and_is_not_retried(
    harness: MeetingHarness, body: bytes, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.put_object(MEETING.upload_key("complete.json"), body)
    for _ in range(2):
        assert harness.deliver_event("complete.json") == []
    assert (harness.state(), harness.wrong_files()) == (("failed", "MALFORMED"), {"complete.json": problem})
    record = harness.record()
    assert (record.content, record.title, record.version) == ("", "", 1), "the second event writes nothing"
    output = capsys.readouterr().out
    assert "complete_refused" in output
    assert CANARY not in output
    harness.upload_recording(b"a")
    assert harness.state() == ("processing", "media")


CHUNK = {"name": "0.webm", "bytes": 1, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("changed", "rules_by_field"),
    [
        (
            {"startedAt": "2026-02-30T10:00:00.000Z"},
            {"startedAt": "must be an existing date and time, such as 2026-01-31T"},
        ),
        ({"title": "canary" * 100, "tags": ["canary", 1]}, {"title": "at most 200", "tags.1": "valid string"}),
        ({"chunks": [{"name": "canary/0.webm"}]}, {"chunks.0.name": "should match pattern"}),
        (
            {"chunks": [{**CHUNK, "name": "canary"}] * 2},
            {"": "each chunk must have a different name, and none may be named complete.json"},
        ),
        (
            {"language": "en-UK"},
            {"language": "must be a language code that Amazon Transcribe supports, such as en-US or de-DE"},
        ),
    ],
)
def test_a_meeting_lists_its_wrong_fields_without_their_values(
    harness: MeetingHarness, changed: dict[str, Any], rules_by_field: dict[str, str]
) -> None:
    body = {**complete_json(b"a").model_dump(mode="json", by_alias=True), **changed}
    harness.put_object(MEETING.upload_key("complete.json"), json.dumps(body).encode())
    harness.deliver_event("complete.json")
    [wrong_file] = harness.record().wrong
    listed_rules = {problem.field: problem.rule for problem in wrong_file.fields or ()}
    assert all(rule in listed_rules.get(field, "") for field, rule in rules_by_field.items()), listed_rules
    assert CANARY not in str(wrong_file)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("InvalidRequest", id="encrypted with the client's own key"),
        pytest.param("InvalidObjectState", id="archived"),
    ],
)
def test_an_unreadable_complete_json_fails_its_meeting_and_is_not_retried(
    harness: MeetingHarness, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.upload_recording_without_event(b"a")
    with harness.fail_complete_json_reads(code):
        for _ in range(2):
            assert harness.deliver_event("complete.json") == []
    assert (harness.state(), harness.wrong_files()) == (("failed", "MALFORMED"), {"complete.json": "unreadable"})
    assert harness.record().version == 1, "the second event writes nothing"
    output = capsys.readouterr().out
    assert CANARY not in output
    harness.advance(minutes=1)
    harness.upload_recording(b"a")
    assert harness.state() == ("processing", "media")


def test_an_incomplete_meeting_fails_if_its_new_complete_json_is_unreadable(harness: MeetingHarness) -> None:
    harness.upload_complete_json(b"a")
    harness.upload_complete_json_without_event(b"a", title="New")
    harness.advance(hours=1)
    with harness.fail_complete_json_reads("InvalidRequest"):
        assert harness.deliver_event("complete.json") == []
    assert harness.state() == ("failed", "MALFORMED")


def test_a_complete_json_that_replaces_an_unreadable_one_during_the_read_is_used(harness: MeetingHarness) -> None:
    harness.upload_recording_without_event(b"a")
    # The read of the first file fails. The read of the file that has replaced it succeeds.
    with harness.fail_complete_json_reads("InvalidRequest", times=1):
        assert harness.deliver_event("complete.json") == []
    assert harness.state() == ("processing", "media")


def test_a_complete_json_that_is_deleted_after_a_failed_read_creates_no_record(harness: MeetingHarness) -> None:
    """The read fails, and the bucket contains no `complete.json` any more."""
    harness.put_object(MEETING.upload_key("complete.json.other"), b"")  # must not be taken for complete.json
    with harness.fail_complete_json_reads("InvalidRequest"):
        assert harness.deliver_event("complete.json") == []
    assert harness.all_items() == []


def test_an_access_denied_error_is_retried_and_does_not_fail_the_meeting(harness: MeetingHarness) -> None:
    harness.upload_complete_json_without_event(b"a")
    with harness.fail_complete_json_reads("AccessDenied"):
        assert harness.deliver_event("complete.json") == [MEETING.upload_key("complete.json")]
    assert harness.all_items() == []


@pytest.mark.parametrize("is_ready", [True, False])
def test_a_malformed_file_does_not_change_a_meeting_that_is_in_progress_or_ready(
    harness: MeetingHarness, *, is_ready: bool
) -> None:
    recording = harness.upload_recording(b"a")
    if is_ready:
        harness.finish_without_audio(recording)
    before = harness.record()
    harness.put_object(MEETING.upload_key("complete.json"), b"nonsense")
    assert harness.deliver_event("complete.json") == []
    assert harness.record() == before


def test_a_malformed_file_fails_an_incomplete_meeting_and_keeps_its_title(harness: MeetingHarness) -> None:
    harness.upload_complete_json(b"a")
    harness.put_object(MEETING.upload_key("complete.json"), b"nonsense")
    harness.deliver_event("complete.json")
    assert harness.state() == ("failed", "MALFORMED")
    assert harness.record().title == f"{CANARY} title"
    harness.advance(minutes=1)
    harness.upload_recording(b"a")
    assert harness.state() == ("processing", "media")


def test_an_event_for_a_deleted_complete_json_changes_nothing(harness: MeetingHarness) -> None:
    assert harness.deliver_event("complete.json") == []
    assert harness.all_items() == []


INVALID_KEYS = [
    "",
    "raw/",
    f"raw/{ANN}",
    f"raw/{ANN}/{MEETING.meeting_id}/",
    f"raw/{ANN}/{MEETING.meeting_id}/../../{BOB}/{MEETING.meeting_id}/complete.json",
    f"raw/../{ANN}/{MEETING.meeting_id}/complete.json",
    f"raw/{ANN}/{MEETING.meeting_id}/x/complete.json",
    f"raw/{ANN}/{MEETING.meeting_id}/.complete.json",
    f"raw/{ANN}/{MEETING.meeting_id}/complete.json\0",
    f"raw/{ANN}/{MEETING.meeting_id}/complete.json\n",
    f"raw/{ANN}/{MEETING.meeting_id}/{'x' * (1024 - 64)}",
    f"raw/{ANN.lower()}/{MEETING.meeting_id}/complete.json",
    f"raw/#other/{MEETING.meeting_id}/complete.json",
    f"raw/{ANN}/{MEETING.meeting_id[:-1]}U/complete.json",
    f"video/{ANN}/{MEETING.meeting_id}/complete.json",
    f"x/raw/{ANN}/{MEETING.meeting_id}/complete.json",
]


def test_invalid_keys_are_ignored_and_counted(harness: MeetingHarness, capsys: pytest.CaptureFixture[str]) -> None:
    with harness.record_calls() as calls:
        assert harness.deliver_events(*INVALID_KEYS) == []
    assert calls == []
    output = capsys.readouterr().out
    assert output.count("recording_key_refused") == len(INVALID_KEYS)
    assert f'"ignored":{len(INVALID_KEYS)}' in output.replace(": ", ":")
    assert ANN not in output


@given(st.text(max_size=60).map(lambda name: f"raw/{ANN}/{name}") | st.text(max_size=60))
def test_arbitrary_text_is_not_a_valid_key(key: str) -> None:
    assert parse_upload_key(key) is None


def test_unknown_events_are_retried_until_they_reach_the_dead_letter_queue(harness: MeetingHarness) -> None:
    bodies = ["", "[]", object_created_event(MEETING.upload_key("complete.json"), bucket="another")]
    messages = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    assert harness.deliver_messages(messages) == ["0", "1", "2"]


def test_logs_contain_no_client_data(harness: MeetingHarness, capsys: pytest.CaptureFixture[str]) -> None:
    harness.upload_complete_json(b"a", b"b", tags=[CANARY])
    harness.upload_recording(b"a", b"b")
    harness.put_object(MEETING.upload_key("canary.webm"), b"a")
    harness.deliver_events(MEETING.upload_key("canary.webm"), "canary")
    output = capsys.readouterr().out
    assert "meeting_moved" in output
    for secret in (CANARY, ANN, MEETING.meeting_id, harness.record().content):
        assert secret not in output
