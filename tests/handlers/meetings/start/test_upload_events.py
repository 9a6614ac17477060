"""A recording that is whole is worked on once; one that is not says what it lacks, and goes on when that arrives."""

from typing import Any

import pytest

from handlers.common.time_and_ids.ulid import ulid
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.uploaded_recording import UploadedRecordings
from tests.handlers.meetings.meeting_setup import ANN, MEETING, START, Stage


def test_a_whole_recording_is_worked_on(stage: Stage) -> None:
    recording = stage.whole(b"a", b"bc", tags=["x"], language="de-DE")
    record = stage.record()
    assert stage.stands() == ("processing", "media")
    assert (record.content, record.size, record.language, record.tags) == (recording.content, 3, "de-DE", ("x",))
    assert (record.started_at, record.created_at) == ("2026-01-31T10:00:00.000Z", "2026-01-31T12:00:00.000Z")
    [(name, asked)] = stage.workflows.inputs.items()
    assert name.startswith(f"{MEETING.meeting_id}-")
    assert name.endswith("-1")
    assert asked == {
        "schemaVersion": 1,
        "user": ANN,
        "meetingId": MEETING.meeting_id,
        "content": recording.content,
        "attempt": 1,
    }


def test_the_same_event_again_changes_nothing_and_starts_nothing_more(stage: Stage) -> None:
    stage.whole(b"a")
    before = stage.stored()
    for status in ("RUNNING", "RUNNING", "SUCCEEDED"):
        stage.workflows.ends(status)
        assert stage.arrives("complete.json") == []
    assert stage.stored() == before
    assert len(stage.workflows.statuses) == 1


def test_chunks_that_are_missing_or_of_another_size_are_all_listed(stage: Stage) -> None:
    stage.uploads(b"a", b"other")
    stage.says(b"a", b"bc", b"d")
    assert stage.arrives("complete.json") == []
    assert stage.stands() == ("incomplete",)
    assert stage.wrong() == {"1.webm": "size", "2.webm": "missing"}
    assert stage.record().wrong_count == 2
    assert not stage.workflows.statuses


def test_it_goes_on_when_the_last_chunk_arrives(stage: Stage) -> None:
    stage.uploads(b"a")
    stage.says(b"a", b"b", b"c")
    stage.arrives("complete.json")
    stage.uploads(b"a", b"b")
    stage.arrives("1.webm")
    assert stage.wrong() == {"2.webm": "missing"}
    stage.passes(minutes=5)
    stage.uploads(b"a", b"b", b"c")
    stage.arrives("2.webm")
    assert stage.stands() == ("processing", "media")
    assert stage.wrong() == {}
    assert stage.record().whole_at == "2026-01-31T12:05:00.000Z"
    assert len(stage.workflows.statuses) == 1


def test_chunks_that_come_before_anybody_waits_cost_one_look_a_batch(stage: Stage) -> None:
    stage.uploads(b"a", b"b", b"c")
    with stage.counted() as calls:
        assert stage.hears(*(MEETING.upload_key(f"{number}.webm") for number in range(3))) == []
    assert calls == ["GetItem"]
    assert stage.stored() == []


@pytest.mark.parametrize("lacking", [True, False])
def test_a_chunk_that_nobody_lacks_is_not_looked_for(stage: Stage, *, lacking: bool) -> None:
    stage.uploads(b"a")
    stage.says(b"a", *([b"b"] if lacking else []))
    stage.arrives("complete.json")
    with stage.counted() as calls:
        assert stage.arrives("0.webm") == []
    assert calls == ["GetItem"]


def test_one_look_answers_for_all_of_a_meeting_in_a_batch(stage: Stage) -> None:
    stage.uploads(b"a")
    stage.says(b"a", b"b", b"c")
    stage.arrives("complete.json")
    stage.uploads(b"a", b"b", b"c")
    with stage.counted() as calls:
        assert stage.hears(*(MEETING.upload_key(f"{number}.webm") for number in (1, 2, 1))) == []
    assert calls.count("ListObjectsV2") == 1
    assert stage.stands() == ("processing", "media")


def test_a_chunk_that_comes_while_it_is_written_as_missing_is_not_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is announced before anybody is known to lack it, and never again."""
    stage.uploads(b"a")
    stage.says(b"a", b"b")
    seen = UploadedRecordings.find_chunks
    looks = 0

    def then_it_comes(self: UploadedRecordings, *asked: Any) -> Any:
        nonlocal looks
        found = seen(self, *asked)
        looks += 1
        if looks == 1:
            stage.uploads(b"a", b"b")
            assert stage.arrives("1.webm") == []
        return found

    monkeypatch.setattr(UploadedRecordings, "find_chunks", then_it_comes)
    assert stage.arrives("complete.json") == []
    assert stage.stands() == ("processing", "media")


def test_another_content_replaces_the_first_and_is_worked_on_anew(stage: Stage) -> None:
    first = stage.whole(b"a")
    stage.passes(minutes=1)
    second = stage.whole(b"b", title="Other")
    assert first.content != second.content
    record = stage.record()
    assert (record.content, record.title, record.attempt) == (second.content, "Other", 2)
    assert record.created_at == "2026-01-31T12:00:00.000Z"
    assert [execution_input["content"] for execution_input in stage.workflows.inputs.values()] == [
        first.content,
        second.content,
    ]


def test_who_reads_the_older_and_writes_later_is_beaten(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.uploads(b"a")
    stage.says(b"a")
    said = UploadedRecordings.read_complete_file
    reads = 0

    def then_it_is_replaced(self: UploadedRecordings, *asked: Any) -> Any:
        nonlocal reads
        reads += 1
        found, first = said(self, *asked), reads == 1
        if first:
            stage.whole(b"b")
        return found

    monkeypatch.setattr(UploadedRecordings, "read_complete_file", then_it_is_replaced)
    assert stage.arrives("complete.json") == []
    record = stage.record()
    assert [execution_input["content"] for execution_input in stage.workflows.inputs.values()] == [record.content]


def test_what_was_replaced_and_is_back_is_worked_on_under_a_new_name(stage: Stage) -> None:
    for chunk in (b"a", b"b", b"a"):
        stage.whole(chunk)
        stage.passes(minutes=1)
    assert [execution_input["attempt"] for execution_input in stage.workflows.inputs.values()] == [1, 2, 3]
    first, _, third = stage.workflows.inputs
    assert first[:-1] == third[:-1]


def test_other_words_for_the_same_content_change_the_words_alone(stage: Stage) -> None:
    stage.whole(b"a")
    stage.passes(minutes=1)
    with stage.counted() as calls:
        stage.whole(b"a", title="Better", tags=["new"], language="fr-FR")
    record = stage.record()
    assert (record.title, record.tags) == ("Better", ("new",))
    assert record.language == "en-US", "it is being transcribed in that"
    assert (record.since, record.updated_at) == ("2026-01-31T12:00:00.000Z", "2026-01-31T12:01:00.000Z")
    assert len(stage.workflows.statuses) == 1
    assert "ListObjectsV2" not in calls


def test_a_failed_meeting_is_tried_again_when_it_is_said_again_and_not_by_a_repeated_event(stage: Stage) -> None:
    recording = stage.whole(b"a")
    stage.does("fail", recording, reason="MEDIA_FAILED")
    stage.arrives("complete.json")
    assert stage.stands() == ("failed", "MEDIA_FAILED")
    stage.passes(minutes=1)
    stage.whole(b"a")
    assert stage.stands() == ("processing", "media")
    assert [execution_input["attempt"] for execution_input in stage.workflows.inputs.values()] == [1, 2]


@pytest.mark.parametrize("fate", ["refused", "lost", "lost after"])
def test_a_start_that_may_not_have_happened_is_made_again(stage: Stage, fate: str) -> None:
    stage.uploads(b"a")
    stage.says(b"a")
    stage.workflows.fates.append(fate)
    assert stage.arrives("complete.json") == [MEETING.upload_key("complete.json")]
    assert stage.arrives("complete.json") == []
    assert len(stage.workflows.statuses) == 1
    assert stage.stands() == ("processing", "media")


def test_more_chunks_than_an_item_lists_are_counted_and_any_of_them_is_looked_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.meetings.meeting_progress.MAX_LISTED_CHUNKS", 3)
    chunks = [b"%d" % number for number in range(5)]
    stage.says(*chunks)
    stage.arrives("complete.json")
    record = stage.record()
    assert (len(record.wrong), record.wrong_count) == (3, 5)
    stage.put(MEETING.upload_key("4.webm"), chunks[-1])
    stage.arrives("4.webm")
    assert stage.record().wrong_count == 4


def test_what_else_lies_there_is_listed_up_to_a_bound(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.meetings.uploaded_recording.PAGE_SIZE", 2)
    monkeypatch.setattr("handlers.meetings.uploaded_recording.MAX_PAGES", 2)
    for number in range(9):
        stage.put(MEETING.upload_key(f"junk-{number}"), b"x")
    stage.whole(b"a")
    with stage.counted() as calls:
        stage.put(MEETING.upload_key("a-1"), b"x")
        stage.whole(b"b")
    assert calls.count("ListObjectsV2") == 2
    assert stage.stands() == ("processing", "media")


def test_chunks_beyond_that_bound_count_as_missing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.meetings.uploaded_recording.PAGE_SIZE", 2)
    monkeypatch.setattr("handlers.meetings.uploaded_recording.MAX_PAGES", 1)
    stage.whole(b"a", b"b", b"c")
    assert stage.wrong() == {"2.webm": "missing"}


def test_one_messages_trouble_is_its_own(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    other = MeetingId(ANN, ulid(START, 2))
    for meeting in (MEETING, other):
        stage.uploads(b"a", meeting=meeting)
        stage.says(b"a", meeting=meeting)
    stage.workflows.fates.extend(["lost"])
    assert stage.hears(MEETING.upload_key("complete.json"), other.upload_key("complete.json")) == [
        MEETING.upload_key("complete.json")
    ]
    assert stage.stands(other) == ("processing", "media")
