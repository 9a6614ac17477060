"""What becomes of recordings that are not whole, of services that fail, and of machines that are taken away."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clients.meetings import NotMade
from components.meetings.media_states import NO_MACHINE
from handlers.meetings.media_result import ChunkProblem
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus
from handlers.meetings.s3_keys import MeetingId
from local.emulation.batch.batch_faults import QueueFault, set_faults
from local.emulation.batch.job_containers import RECLAIMED
from local.flows.meetings_client import Meetings
from tests.end_to_end.conftest import Platform
from tests.end_to_end.meeting_recorder import Recorder, new_meeting, worked

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("platform")]
SPOT, ON_DEMAND = "polyphony-local-meetings-media-spot", "polyphony-local-meetings-media-on-demand"
AT_ONCE = 4
READY, FAILED = MeetingStatus.READY, MeetingStatus.FAILED


@pytest.fixture(scope="module")
def ann(meetings: Meetings, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Who records here."""
    return Recorder(meetings, "ann", tmp_path_factory.mktemp("recordings"))


RECORDED: dict[str, Callable[[Recorder], list[Path]]] = {
    "no sound": Recorder.silent,
    "no words": Recorder.wordless,
    "no media": Recorder.nonsense,
    # Transcribe refuses to start it once, and the model to answer twice.
    "throttled": lambda ann: ann.said("throttled again", "send the report"),
    "broken": lambda ann: ann.said("we speak in broken tones"),
    "malformed": lambda ann: ann.said("a malformed report"),
    "repeating": lambda ann: ann.said("a repeating report"),
}


@pytest.fixture(scope="module")
def ended(ann: Recorder) -> dict[str, MeetingRecord]:
    """What each recording came to. They know nothing of each other, so they are worked on at once."""

    def end(record: Callable[[Recorder], list[Path]]) -> MeetingRecord:
        return ann.became(ann.upload(record(ann)))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun: dict[str, Future[MeetingRecord]] = {name: pool.submit(end, one) for name, one in RECORDED.items()}
    return {name: one.result() for name, one in begun.items()}


@pytest.mark.parametrize(
    ("recording", "status", "reason"),
    [
        ("no sound", READY, MeetingReason.NO_AUDIO),
        ("no words", READY, MeetingReason.NOTHING_SAID),
        ("no media", FAILED, MeetingReason.UNREADABLE),
        ("throttled", READY, None),
        ("broken", FAILED, MeetingReason.TRANSCRIPTION_FAILED),
        ("malformed", FAILED, MeetingReason.SUMMARY_FAILED),
        ("repeating", FAILED, MeetingReason.SUMMARY_FAILED),
    ],
)
def test_whatever_goes_wrong_a_meeting_ends_and_says_why(
    ended: dict[str, MeetingRecord], recording: str, status: MeetingStatus, reason: MeetingReason | None
) -> None:
    assert (ended[recording].status, ended[recording].reason) == (status, reason)


def test_a_recording_without_sound_has_a_video_and_no_transcript(
    ann: Recorder, ended: dict[str, MeetingRecord]
) -> None:
    record = ended["no sound"]
    assert record.video_key is not None
    assert (record.transcript_key, record.summary_key) == (None, None)
    for made in (ann.client.transcript, ann.client.summary):
        with pytest.raises(NotMade, match="NO_AUDIO"):
            made(record.meeting_id)


def test_a_recording_in_which_nobody_speaks_has_an_empty_transcript_and_no_summary(
    ann: Recorder, ended: dict[str, MeetingRecord]
) -> None:
    record = ended["no words"]
    assert ann.client.transcript(record.meeting_id).said == ()
    with pytest.raises(NotMade, match="NOTHING_SAID"):
        ann.client.summary(record.meeting_id)


def test_a_chunk_that_is_no_media_is_named(ended: dict[str, MeetingRecord]) -> None:
    assert [(one.name, one.problem) for one in ended["no media"].wrong] == [("00000.mp4", ChunkProblem.UNREADABLE)]


def test_services_that_are_busy_for_a_while_are_waited_for(ann: Recorder, ended: dict[str, MeetingRecord]) -> None:
    summary = ann.client.summary(ended["throttled"].meeting_id)
    assert summary.summary.endswith("It began with: Throttled again. Send the report.")


def test_without_a_summary_what_was_said_is_there(ann: Recorder, ended: dict[str, MeetingRecord]) -> None:
    record = ended["repeating"]
    assert [one.text for one in ann.client.transcript(record.meeting_id).said] == ["A repeating report."]
    with pytest.raises(NotMade, match="SUMMARY_FAILED"):
        ann.client.summary(record.meeting_id)


def test_a_chunk_is_listed_while_it_is_missing_and_while_its_bytes_are_wrong(ann: Recorder) -> None:
    meeting, chunks = new_meeting(), ann.said("good day", "thank you", "agree")
    right = [one.read_bytes() for one in chunks]
    corrupt = right[1][:-1] + bytes([right[1][-1] ^ 1])
    ann.announce(meeting, chunks, [right[0], corrupt, None])
    assert ann.lacks(meeting.meeting_id, ChunkProblem.MISSING) == ["00002.mp4"]
    ann.put(MeetingId(ann.opened.user, meeting.meeting_id).chunk("00002.mp4"), right[2])
    assert ann.lacks(meeting.meeting_id, ChunkProblem.HASH) == ["00001.mp4"]
    again = ann.client.upload(meeting, chunks)
    assert (again.sent, again.kept) == (1, 2)
    ready = ann.became(meeting.meeting_id)
    assert (ready.status, ready.content, ready.wrong) == (READY, again.content, ())
    said = ann.client.transcript(meeting.meeting_id).said
    assert " ".join(one.text for one in said) == "Good day. Thank you. Agree."


@pytest.fixture(scope="module")
def moved(platform: Platform, ann: Recorder) -> dict[str, MeetingRecord]:
    """Recordings whose machines were taken away, one after the other: what goes wrong does so with all of a queue."""
    faults = {
        "reclaimed once": QueueFault(reclaimed=1, at='"media_step"'),
        "reclaimed always": QueueFault(reclaimed=99),
        "no machine": QueueFault(no_capacity=True),
    }
    # One without pictures has them encoded anew: more things to do, one after the other, than a job has attempts. What is
    # always interrupted has many more, for an attempt goes on until it is told.
    chunks = [*ann.said("good day"), ann.heard("thank you")]
    begun = {}
    try:
        for name, fault in faults.items():
            set_faults(platform.emulator.folder, {SPOT: fault})
            begun[name] = ann.upload(chunks * 4 if name == "reclaimed always" else chunks)
            ann.put_together(begun[name])
    finally:
        set_faults(platform.emulator.folder, {})
    return {name: ann.became(one) for name, one in begun.items()}


def test_a_job_whose_machine_is_reclaimed_goes_on_where_it_was(
    meetings: Meetings, moved: dict[str, MeetingRecord]
) -> None:
    record = moved["reclaimed once"]
    went = worked(meetings, record)
    assert (record.status, went.queues, went.attempts) == (READY, (SPOT,), (2,))
    # Read once, and each thing made once: its sound, two pieces of its pictures, its video.
    assert [went.lines.count(one) for one in ("media_stopped", "media_probed", "media_step")] == [1, 1, 4]


@pytest.mark.parametrize(("what", "attempts"), [("reclaimed always", (3, 1)), ("no machine", (0, 1))])
def test_a_job_that_gets_no_machine_or_keeps_none_is_done_on_demand(
    meetings: Meetings, moved: dict[str, MeetingRecord], what: str, attempts: Any
) -> None:
    went = worked(meetings, moved[what])
    assert (moved[what].status, went.queues, went.attempts) == (READY, (SPOT, ON_DEMAND), attempts)
    assert went.reasons[0] == (NO_MACHINE if what == "no machine" else RECLAIMED)
