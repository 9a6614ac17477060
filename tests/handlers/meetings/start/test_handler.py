"""Tests of the function `start`: a recording starts one execution, as soon as it is complete, whatever clients upload."""

import json

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.common.ids import ulid
from handlers.meetings.recording_files import MAX_COMPLETE_FILE_BYTES
from handlers.meetings.s3_keys import MeetingId
from tests.handlers.common.fakes import client_error
from tests.handlers.meetings.meeting_harness import (
    ANN,
    BOB,
    CANARY,
    MEETING,
    START,
    MeetingHarness,
    complete_json,
    deliver_messages,
    object_created_event,
)


def test_a_complete_recording_starts_an_execution(harness: MeetingHarness) -> None:
    recording = harness.upload_recording(b"a", b"bc", tags=["x"], language="de-DE")
    record = harness.record()
    assert harness.state() == ("processing", "media")
    assert (record.content, record.language, record.tags) == (recording.content, "de-DE", ("x",))
    assert record.schema_version == 1
    assert (record.started_at, record.updated_at) == ("2026-01-31T10:00:00.000Z", "2026-01-31T12:00:00.000Z")
    [execution] = harness.executions
    assert execution.name.startswith(f"{MEETING.meeting_id}-")
    assert execution.name.endswith("-1")
    meeting = {"user": ANN, "meetingId": MEETING.meeting_id, "content": recording.content}
    assert json.loads(execution.execution_input) == {"schemaVersion": 1, **meeting, "attempt": 1}


def test_a_repeated_event_changes_nothing_and_starts_no_execution(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a")
    before = harness.all_items()
    for status in ("RUNNING", "RUNNING", "SUCCEEDED"):
        harness.executions[0].status = status
        assert harness.deliver_event() == []
    assert harness.all_items() == before
    assert len(harness.executions) == 1


def test_processing_starts_when_complete_json_comes_after_the_missing_chunks(harness: MeetingHarness) -> None:
    harness.upload_chunks(b"a", b"other")
    harness.upload_complete_json(b"a", b"bc", b"d")
    assert harness.state() == ("failed", "INCOMPLETE")
    assert harness.wrong_files() == {"canary-1.webm": "size", "canary-2.webm": "missing"}
    harness.upload_chunks(b"a", b"bc", b"d")
    harness.deliver_event()
    assert (harness.state(), harness.attempts) == (("failed", "INCOMPLETE"), []), "the event is repeated"
    harness.advance(minutes=5)
    harness.upload_complete_json(b"a", b"bc", b"d")
    assert (harness.state(), harness.wrong_files()) == (("processing", "media"), {})
    assert harness.record().uploaded_at == "2026-01-31T12:05:00.000Z"
    assert harness.attempts == [2]


def test_a_new_complete_json_restarts_a_meeting_whose_execution_was_aborted(harness: MeetingHarness) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    harness.run_step("media", recording)
    harness.upload_recording(b"a")
    assert harness.state() == ("processing", "transcription"), "the execution runs"
    harness.executions[-1].status = "ABORTED"
    harness.deliver_event()
    assert harness.state() == ("processing", "transcription"), "the event is repeated"
    harness.upload_recording(b"a")
    assert harness.state() == ("processing", "media")
    assert harness.attempts == [1, 2]


def test_a_new_complete_json_restarts_a_meeting_that_has_failed(harness: MeetingHarness) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    harness.run_step("media", recording)
    harness.run_step("fail", recording, reason="TRANSCRIPTION_FAILED")
    harness.executions[-1].status = "FAILED"
    assert harness.state() == ("failed", "TRANSCRIPTION_FAILED")
    harness.upload_recording(b"a")
    assert (harness.state(), harness.attempts) == (("processing", "media"), [1, 2])


@pytest.mark.parametrize(
    ("service", "operation", "error", "event"),
    [
        ("s3", "GetObject", client_error("AccessDenied"), "before-call"),
        ("dynamodb", "PutItem", RuntimeError(CANARY), "before-call"),
        ("stepfunctions", "StartExecution", client_error("ExecutionLimitExceeded"), "before-call"),
        ("stepfunctions", "StartExecution", ReadTimeoutError(endpoint_url=CANARY), "before-call"),
        ("stepfunctions", "StartExecution", ReadTimeoutError(endpoint_url=CANARY), "after-call"),
    ],
)
def test_an_event_is_repeated_if_a_call_failed_or_the_start_is_not_confirmed(
    harness: MeetingHarness, service: str, operation: str, error: Exception, event: str
) -> None:
    harness.upload_recording(b"a", has_event=False)
    with harness.fail_calls(service, operation, error, event):
        assert harness.deliver_event() == [MEETING.upload_key("complete.json")]
    assert bool(harness.all_items()) is (service == "stepfunctions"), "the record is written before the start"
    assert harness.deliver_event() == []
    assert (harness.state(), harness.attempts) == (("processing", "media"), [1])


def test_chunks_beyond_the_listing_limit_count_as_missing(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.meetings.start.handler.MAX_LISTED_PAGES", 1)
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    harness.upload_recording(b"a", b"b", b"c")
    assert harness.wrong_files() == {"canary-2.webm": "missing"}


# Malformed and unreadable files


def test_a_malformed_complete_json_fails_its_meeting_and_is_not_retried(
    harness: MeetingHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    without_chunks = b'{"schemaVersion":1,"title":"canary","startedAt":"2026-01-31T10:00:00.000Z","chunks":[]}'
    bodies = {
        without_chunks: "unreadable",
        b" " * MAX_COMPLETE_FILE_BYTES: "unreadable",
        b" " * (MAX_COMPLETE_FILE_BYTES + 1): "size",
    }
    for number, (body, problem) in enumerate(bodies.items(), 1):
        meeting = MeetingId(ANN, ulid(START, number))
        harness.put_object(meeting.upload_key("complete.json"), body)
        assert harness.deliver_event(meeting) == []
        before = harness.all_items()
        assert harness.deliver_event(meeting) == []
        assert harness.all_items() == before
        assert harness.state(meeting) == ("failed", "MALFORMED")
        assert harness.wrong_files(meeting) == {"complete.json": problem}
        record = harness.record(meeting)
        assert (record.content, record.title, record.language) == ("", "", "")
        assert (record.started_at, record.uploaded_at) == (record.updated_at, None)
        harness.upload_recording(b"a", meeting=meeting)
        assert harness.state(meeting) == ("processing", "media")
    output = capsys.readouterr().out
    assert "complete_refused" in output
    assert CANARY not in output


def test_a_meeting_lists_its_wrong_fields_without_their_values(harness: MeetingHarness) -> None:
    changed = {"title": "canary" * 100, "tags": ["canary", 1], "language": "en-CANARY"}
    body = {**complete_json(b"a").model_dump(mode="json", by_alias=True), **changed}
    harness.put_object(MEETING.upload_key("complete.json"), json.dumps(body).encode())
    harness.deliver_event()
    [wrong_file] = harness.record().wrong
    assert {problem.field for problem in wrong_file.fields or ()} == {"title", "tags.1", "language"}
    assert CANARY not in str(wrong_file).lower()


def test_an_unreadable_complete_json_fails_its_meeting_and_is_not_retried(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a", has_event=False)
    with harness.fail_calls("s3", "GetObject", client_error("InvalidObjectState")):
        assert harness.deliver_event() == []
    assert (harness.state(), harness.wrong_files()) == (("failed", "MALFORMED"), {"complete.json": "unreadable"})
    harness.upload_recording(b"a")
    assert harness.state() == ("processing", "media")


def test_an_event_for_a_deleted_complete_json_changes_nothing(harness: MeetingHarness) -> None:
    assert harness.deliver_event() == []
    assert harness.all_items() == []


# Hostile keys and events

INVALID_KEYS = [
    "raw/",
    f"raw/{ANN}/{MEETING.meeting_id}/canary-0.webm",
    f"raw/{ANN}/{MEETING.meeting_id}/../../{BOB}/{MEETING.meeting_id}/complete.json",
    f"raw/{ANN}/{MEETING.meeting_id}/x/complete.json",
    f"raw/{ANN}/{MEETING.meeting_id}/completexjson",
    f"raw/{ANN}/{MEETING.meeting_id}/complete.json\n",
    f"raw/{ANN.lower()}/{MEETING.meeting_id}/complete.json",
    f"raw/{ANN}/{MEETING.meeting_id[:-1]}U/complete.json",
    f"x/raw/{ANN}/{MEETING.meeting_id}/complete.json",
]


def test_invalid_keys_are_ignored_and_counted(harness: MeetingHarness, capsys: pytest.CaptureFixture[str]) -> None:
    assert deliver_messages({key: object_created_event(key) for key in INVALID_KEYS}) == []
    assert harness.all_items() == []
    output = capsys.readouterr().out
    assert output.count("recording_key_refused") == len(INVALID_KEYS)
    assert f'"ignored":{len(INVALID_KEYS)}' in output.replace(": ", ":")
    assert ANN not in output


def test_unknown_events_are_retried_until_they_reach_the_dead_letter_queue(harness: MeetingHarness) -> None:
    key = MEETING.upload_key("complete.json")
    bodies = ["", "[]", object_created_event(key, bucket="another"), object_created_event(key, sequencer="x")]
    assert deliver_messages({str(number): body for number, body in enumerate(bodies)}) == ["0", "1", "2", "3"]
