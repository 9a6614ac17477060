"""Tests of upload events: they start the processing of a recording once, as soon as all its chunks have arrived."""

from typing import Any

import pytest

from handlers.common.executions import WorkflowExecutions
from handlers.common.ids import ulid
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_reader import UploadReader
from tests.handlers.meetings.meeting_harness import ANN, MEETING, START, MeetingHarness, run_after_first_call


def test_a_complete_recording_starts_an_execution(harness: MeetingHarness) -> None:
    recording = harness.upload_recording(b"a", b"bc", tags=["x"], language="de-DE")
    record = harness.record()
    assert harness.state() == ("processing", "media")
    assert (record.content, record.size, record.language, record.tags) == (recording.content, 3, "de-DE", ("x",))
    assert (record.started_at, record.created_at) == ("2026-01-31T10:00:00.000Z", "2026-01-31T12:00:00.000Z")
    [(name, execution_input)] = harness.step_functions.inputs.items()
    assert name.startswith(f"{MEETING.meeting_id}-")
    assert name.endswith("-1")
    assert execution_input == {
        "schemaVersion": 1,
        "user": ANN,
        "meetingId": MEETING.meeting_id,
        "content": recording.content,
        "attempt": 1,
    }


def test_a_repeated_event_changes_nothing_and_starts_no_execution(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a")
    before = harness.all_items()
    for status in ("RUNNING", "RUNNING", "SUCCEEDED"):
        harness.step_functions.end_last(status)
        assert harness.deliver_event("complete.json") == []
    assert harness.all_items() == before
    assert len(harness.step_functions.statuses) == 1


def test_all_missing_chunks_and_wrong_sizes_are_listed(harness: MeetingHarness) -> None:
    harness.upload_chunks(b"a", b"other")
    harness.upload_complete_json(b"a", b"bc", b"d")
    assert harness.state() == ("incomplete",)
    assert harness.wrong_files() == {"1.webm": "size", "2.webm": "missing"}
    assert harness.record().wrong_count == 2
    assert not harness.step_functions.statuses


def test_processing_starts_when_the_last_chunk_arrives(harness: MeetingHarness) -> None:
    harness.upload_chunks(b"a")
    harness.upload_complete_json(b"a", b"b", b"c")
    harness.upload_chunks(b"a", b"b")
    harness.deliver_event("1.webm")
    assert harness.wrong_files() == {"2.webm": "missing"}
    harness.advance(minutes=5)
    harness.upload_chunks(b"a", b"b", b"c")
    harness.deliver_event("2.webm")
    assert harness.state() == ("processing", "media")
    assert harness.wrong_files() == {}
    assert harness.record().whole_at == "2026-01-31T12:05:00.000Z", "the last chunk arrived at this time"
    assert len(harness.step_functions.statuses) == 1


def test_chunks_that_arrive_before_complete_json_cause_one_table_read_per_batch(harness: MeetingHarness) -> None:
    harness.upload_chunks(b"a", b"b", b"c")
    with harness.record_calls() as calls:
        assert harness.deliver_events(*(MEETING.upload_key(f"{number}.webm") for number in range(3))) == []
    assert calls == ["GetItem"]
    assert harness.all_items() == []


@pytest.mark.parametrize("is_incomplete", [True, False])
def test_a_chunk_that_is_not_missing_causes_no_listing_of_the_bucket(
    harness: MeetingHarness, *, is_incomplete: bool
) -> None:
    harness.upload_chunks(b"a")
    harness.upload_complete_json(b"a", *([b"b"] if is_incomplete else []))
    with harness.record_calls() as calls:
        assert harness.deliver_event("0.webm") == []
    assert calls == ["GetItem"]


def test_several_chunks_of_a_meeting_in_one_batch_cause_one_listing_of_the_bucket(harness: MeetingHarness) -> None:
    harness.upload_chunks(b"a")
    harness.upload_complete_json(b"a", b"b", b"c")
    harness.upload_chunks(b"a", b"b", b"c")
    with harness.record_calls() as calls:
        assert harness.deliver_events(*(MEETING.upload_key(f"{number}.webm") for number in (1, 2, 1))) == []
    assert calls.count("ListObjectsV2") == 1
    assert harness.state() == ("processing", "media")


def test_processing_starts_if_the_last_chunk_arrives_while_it_is_recorded_as_missing(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only event of the chunk is handled before the record lists the chunk as missing."""
    harness.upload_chunks(b"a")
    harness.upload_complete_json_without_event(b"a", b"b")

    def upload_missing_chunk() -> None:
        harness.upload_chunks(b"a", b"b")
        assert harness.deliver_event("1.webm") == []

    run_after_first_call(monkeypatch, UploadReader, "find_chunks", upload_missing_chunk)
    assert harness.deliver_event("complete.json") == []
    assert harness.state() == ("processing", "media")


def test_other_chunks_start_a_new_attempt_even_if_they_were_processed_before(harness: MeetingHarness) -> None:
    recordings = []
    for chunk, title in ((b"a", "First"), (b"b", "Second"), (b"a", "Third")):
        recordings.append(harness.upload_recording(chunk, title=title))
        harness.advance(minutes=1)
    first, second, third = (recording.content for recording in recordings)
    assert first == third != second
    record = harness.record()
    assert (record.content, record.title, record.attempt) == (first, "Third", 3)
    assert record.created_at == "2026-01-31T12:00:00.000Z"
    assert harness.step_functions.contents == [first, second, first]
    assert harness.step_functions.attempts == [1, 2, 3]


def test_an_older_complete_json_does_not_replace_a_newer_one_that_is_processed_after_the_older_was_read(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.upload_recording_without_event(b"a")
    run_after_first_call(monkeypatch, UploadReader, "read_complete_file", lambda: harness.upload_recording(b"b"))
    assert harness.deliver_event("complete.json") == []
    assert harness.step_functions.contents == [harness.record().content]


def test_a_new_description_of_the_same_chunks_changes_only_the_description(harness: MeetingHarness) -> None:
    harness.upload_recording(b"a")
    harness.advance(minutes=1)
    with harness.record_calls() as calls:
        harness.upload_recording(b"a", title="Better", tags=["new"], language="fr-FR")
    record = harness.record()
    assert (record.title, record.tags) == ("Better", ("new",))
    assert record.language == "en-US", "the transcription has started in this language"
    assert (record.since, record.updated_at) == ("2026-01-31T12:00:00.000Z", "2026-01-31T12:01:00.000Z"), (
        "`since` is the time of the last change of attempt, status or stage"
    )
    assert len(harness.step_functions.statuses) == 1
    assert "ListObjectsV2" not in calls


def test_a_new_complete_json_restarts_a_failed_meeting_but_a_repeated_event_does_not(
    harness: MeetingHarness,
) -> None:
    recording = harness.upload_recording(b"a")
    harness.run_step("fail", recording, reason="MEDIA_FAILED")
    harness.deliver_event("complete.json")
    assert harness.state() == ("failed", "MEDIA_FAILED")
    harness.advance(minutes=1)
    harness.upload_recording(b"a")
    assert harness.state() == ("processing", "media")
    assert harness.step_functions.attempts == [1, 2]


def test_a_new_complete_json_restarts_a_meeting_whose_execution_was_aborted(harness: MeetingHarness) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    harness.run_step("media", recording)
    harness.advance(minutes=1)
    harness.upload_recording(b"a")
    assert harness.state() == ("processing", "transcription"), "the execution runs"
    harness.step_functions.end_last("ABORTED")
    harness.deliver_event("complete.json")
    assert harness.state() == ("processing", "transcription"), "the event is repeated"
    harness.advance(minutes=1)
    harness.upload_recording(b"a")
    assert harness.state() == ("processing", "media")
    assert harness.step_functions.attempts == [1, 2]


def test_a_meeting_that_becomes_ready_while_its_execution_is_checked_stays_ready(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = harness.upload_recording(b"a")
    harness.write_media_result(recording)
    original_status = WorkflowExecutions.status

    def finish_before_status(self: WorkflowExecutions, arn: str) -> Any:
        harness.run_step("finish", recording)
        harness.step_functions.end_last("SUCCEEDED")
        return original_status(self, arn)

    monkeypatch.setattr(WorkflowExecutions, "status", finish_before_status)
    harness.advance(minutes=1)
    harness.upload_recording(b"a", title="Better")
    assert (harness.state(), harness.record().title) == (("ready",), "Better")
    assert harness.step_functions.attempts == [1]


@pytest.mark.parametrize("start_result", ["rejected", "request lost", "response lost"])
def test_an_unconfirmed_start_is_repeated(harness: MeetingHarness, start_result: str) -> None:
    harness.upload_recording_without_event(b"a")
    harness.step_functions.next_starts.append(start_result)
    assert harness.deliver_event("complete.json") == [MEETING.upload_key("complete.json")]
    assert harness.deliver_event("complete.json") == []
    assert len(harness.step_functions.statuses) == 1
    assert harness.state() == ("processing", "media")


def test_wrong_chunks_that_the_record_does_not_list_are_counted_and_recognised_when_they_arrive(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.meetings.meeting_state_transitions.MAX_LISTED_CHUNKS", 3)
    chunks = [b"%d" % number for number in range(5)]
    harness.upload_complete_json(*chunks)
    record = harness.record()
    assert (len(record.wrong), record.wrong_count) == (3, 5)
    harness.put_object(MEETING.upload_key("4.webm"), chunks[-1])
    harness.deliver_event("4.webm")
    assert harness.record().wrong_count == 4


def test_other_objects_below_the_meetings_prefix_are_listed_up_to_a_limit(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.meetings.upload_reader.PAGE_SIZE", 2)
    monkeypatch.setattr("handlers.meetings.upload_reader.MAX_PAGES", 2)
    # The chunk `0.webm` comes before these objects in the listing.
    for number in range(9):
        harness.put_object(MEETING.upload_key(f"junk-{number}"), b"x")
    harness.upload_recording(b"a")
    with harness.record_calls() as calls:
        harness.put_object(MEETING.upload_key("a-1"), b"x")
        harness.upload_recording(b"b")
    assert calls.count("ListObjectsV2") == 2
    assert harness.state() == ("processing", "media")


def test_chunks_beyond_the_listing_limit_count_as_missing(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.meetings.upload_reader.PAGE_SIZE", 2)
    monkeypatch.setattr("handlers.meetings.upload_reader.MAX_PAGES", 1)
    harness.upload_recording(b"a", b"b", b"c")
    assert harness.wrong_files() == {"2.webm": "missing"}


def test_a_failing_message_does_not_affect_the_others(harness: MeetingHarness) -> None:
    other_meeting = MeetingId(ANN, ulid(START, 2))
    for meeting in (MEETING, other_meeting):
        harness.upload_recording_without_event(b"a", meeting=meeting)
    harness.step_functions.next_starts.append("request lost")
    first_key, second_key = (meeting.upload_key("complete.json") for meeting in (MEETING, other_meeting))
    assert harness.deliver_events(first_key, second_key) == [first_key]
    assert harness.state(other_meeting) == ("processing", "media")
