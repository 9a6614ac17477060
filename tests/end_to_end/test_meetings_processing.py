"""End-to-end tests of meetings with unusable recordings, failing services, missing chunks or interrupted media jobs."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.meetings.workflow import END_REASON
from handlers.meetings.complete_file import ChunkProblem
from handlers.meetings.record import MeetingReason, MeetingRecord, MeetingStatus
from local.emulation.batch.fault_injection import QueueFault, set_faults
from local.emulation.batch.job_processes import RECLAIMED
from local.emulation.faults import Fault
from local.flows.meetings_user import NewMeeting
from local.flows.speech_clips import clip_texts
from tests.end_to_end.backends import DeployedMeetings
from tests.end_to_end.conftest import Platform
from tests.end_to_end.meeting_recorder import ON_DEMAND, SPOT, Recorder, read_job_history

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("platform")]
MAX_CONCURRENT_MEETINGS = 4
READY, FAILED = MeetingStatus.READY, MeetingStatus.FAILED

RECORDINGS: dict[str, Callable[[Recorder], list[Path]]] = {
    "no audio track": Recorder.record_video_only,
    "no speech": Recorder.record_silence,
    "no media file": Recorder.write_invalid_chunk,
}
"""Functions that make a recording, by the problem of the recording."""
ALWAYS = 99
SERVICE_FAULTS = {
    "services throttle": {Fault.JOB_THROTTLED: 1, Fault.MODEL_THROTTLED: 2},
    "transcription fails": {Fault.JOB_BROKEN: ALWAYS},
    "invalid summary": {Fault.JOB_MALFORMED: ALWAYS},
    "repeated summary": {Fault.MODEL_REPEATING: ALWAYS},
}
"""Number of times that each fault happens while a meeting is processed, by the problem of a service."""
CLIPS = ("budget", "report")


@pytest.fixture(scope="module")
def finished_meetings(platform: Platform, ann: Recorder) -> dict[str, MeetingRecord]:
    """Upload every recording; return the finished meetings. Only meetings with faulty recordings are processed
    concurrently, because a service's fault affects every meeting.
    """

    def process(record: Callable[[Recorder], list[Path]]) -> MeetingRecord:
        return ann.wait_for_status(ann.upload(record(ann)))

    with ThreadPoolExecutor(MAX_CONCURRENT_MEETINGS) as pool:
        futures: dict[str, Future[MeetingRecord]] = {
            name: pool.submit(process, record) for name, record in RECORDINGS.items()
        }
    meetings = {name: future.result() for name, future in futures.items()}
    faults = platform.deployment.faults
    for name, times in SERVICE_FAULTS.items():
        for fault, count in times.items():
            faults.set(fault, count)
        try:
            meetings[name] = process(lambda recorder: recorder.record_speech(*CLIPS))
        finally:
            faults.clear()
    return meetings


@pytest.mark.parametrize(
    ("recording", "status", "reason"),
    [
        ("no audio track", READY, MeetingReason.NO_AUDIO),
        ("no speech", READY, MeetingReason.NOTHING_SAID),
        ("no media file", FAILED, MeetingReason.UNREADABLE),
        ("services throttle", READY, None),
        ("transcription fails", FAILED, MeetingReason.TRANSCRIPTION_FAILED),
        ("invalid summary", FAILED, MeetingReason.SUMMARY_FAILED),
        ("repeated summary", FAILED, MeetingReason.SUMMARY_FAILED),
    ],
)
def test_a_meeting_ends_with_the_status_and_reason_of_its_problem(
    finished_meetings: dict[str, MeetingRecord], recording: str, status: MeetingStatus, reason: MeetingReason | None
) -> None:
    assert (finished_meetings[recording].status, finished_meetings[recording].reason) == (status, reason)


def test_a_recording_without_audio_has_a_video_and_no_transcript(finished_meetings: dict[str, MeetingRecord]) -> None:
    record = finished_meetings["no audio track"]
    assert record.video_key is not None
    assert (record.transcript_key, record.summary_key) == (None, None)


def test_a_recording_without_speech_has_an_empty_transcript_and_no_summary(
    ann: Recorder, finished_meetings: dict[str, MeetingRecord]
) -> None:
    record = finished_meetings["no speech"]
    assert ann.client.read_transcript(record).said == ()
    assert record.summary_key is None


def test_requests_to_busy_services_are_retried(ann: Recorder, finished_meetings: dict[str, MeetingRecord]) -> None:
    summary = ann.client.read_summary(finished_meetings["services throttle"])
    assert clip_texts(*CLIPS)[0] in summary.summary


def test_the_transcript_stays_readable_if_the_summary_fails(
    ann: Recorder, finished_meetings: dict[str, MeetingRecord]
) -> None:
    record = finished_meetings["repeated summary"]
    said = ann.client.read_transcript(record).said
    assert " ".join(segment.text for segment in said) == " ".join(clip_texts(*CLIPS))
    assert record.summary_key is None


def test_a_meeting_lists_chunks_that_are_missing_or_have_wrong_bytes_until_they_are_uploaded(ann: Recorder) -> None:
    meeting, chunks = NewMeeting(), ann.record_speech("launch", "budget", "goodbye")
    contents = [chunk.read_bytes() for chunk in chunks]
    corrupt = contents[1][:-1] + bytes([contents[1][-1] ^ 1])
    ann.upload_partially(meeting, chunks, uploaded_contents=[contents[0], corrupt, None])
    assert ann.wait_for_wrong_chunks(meeting.meeting_id, ChunkProblem.MISSING) == ["00002.mp4"]
    ann.client.put(meeting.meeting_id, "00002.mp4", contents[2])
    ann.client.complete(meeting, chunks)
    assert ann.wait_for_wrong_chunks(meeting.meeting_id, ChunkProblem.HASH) == ["00001.mp4"]
    ann.client.put(meeting.meeting_id, "00001.mp4", contents[1])
    ann.client.complete(meeting, chunks)
    ready = ann.wait_for_status(meeting.meeting_id)
    content = meeting.describe_upload(chunks).content
    assert (ready.status, ready.reason, ready.content, ready.wrong) == (READY, None, content, ())
    said = ann.client.read_transcript(ready).said
    assert " ".join(segment.text for segment in said) == " ".join(clip_texts("launch", "budget", "goodbye"))


@pytest.fixture(scope="module")
def interrupted_meetings(platform: Platform, ann: Recorder) -> dict[str, MeetingRecord]:
    """Process recordings with faults of the Spot queue, one after the other, because a fault affects the whole queue."""
    # Fargate Spot reclaims the capacity of an attempt: once when it has probed the chunks, and otherwise at its start.
    faults = {
        "interrupted once": QueueFault(reclaimed_attempts=1, reclaim_at='"media_probed"'),
        "interrupted always": QueueFault(reclaimed_attempts=99),
        "no capacity": QueueFault(no_capacity=True),
    }
    # A chunk without video forces encoding, so that the attempt that is interrupted has not ended at the signal.
    chunks = [*ann.record_speech("welcome"), ann.record_audio("goodbye")]
    meeting_ids = {}
    try:
        for name, fault in faults.items():
            set_faults(platform.emulator.folder, {SPOT: fault})
            meeting_ids[name] = ann.upload(chunks * 4 if name == "interrupted always" else chunks)
            ann.wait_for_media_job(meeting_ids[name])
    finally:
        set_faults(platform.emulator.folder, {})
    return {name: ann.wait_for_status(meeting_id) for name, meeting_id in meeting_ids.items()}


def test_an_interrupted_job_starts_again(
    meetings: DeployedMeetings, interrupted_meetings: dict[str, MeetingRecord]
) -> None:
    record = interrupted_meetings["interrupted once"]
    history = read_job_history(meetings, record)
    assert (record.status, history.queues, history.attempts) == (READY, (SPOT,), (2,))
    assert [history.lines.count(event) for event in ("media_probed", "media_done")] == [2, 1]


@pytest.mark.parametrize(("fault", "attempts"), [("interrupted always", (3, 1)), ("no capacity", (0, 1))])
def test_a_job_without_spot_capacity_runs_on_demand(
    meetings: DeployedMeetings, interrupted_meetings: dict[str, MeetingRecord], fault: str, attempts: Any
) -> None:
    """`attempts` are the numbers of attempts of the job on Spot and of the job on demand."""
    history = read_job_history(meetings, interrupted_meetings[fault])
    assert (interrupted_meetings[fault].status, history.queues, history.attempts) == (
        READY,
        (SPOT, ON_DEMAND),
        attempts,
    )
    assert history.reasons[0] == (END_REASON if fault == "no capacity" else RECLAIMED)
