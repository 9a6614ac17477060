"""End-to-end tests of meetings without audio, with busy services, missing chunks or interrupted media jobs."""

from collections.abc import Iterator

import pytest

from components.meetings.workflow import END_REASON
from handlers.meetings.record import MeetingStatus
from handlers.meetings.recording_files import ChunkProblem, MeetingReason
from local.emulation.faults import Fault, FaultClient
from local.flows.meetings_user import NewMeeting
from local.flows.speech_clips import clip_texts
from tests.end_to_end.backends import DeployedMeetings
from tests.end_to_end.meeting_recorder import ON_DEMAND, SPOT, Recorder, read_job_history
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("platform")]
READY = MeetingStatus.READY
CANARY = "canary"


def test_a_recording_without_audio_has_a_video_and_no_transcript(ann: Recorder) -> None:
    record = ann.wait_for_status(ann.upload(ann.record_video_only()))
    assert (record.status, record.reason) == (READY, MeetingReason.NO_AUDIO)
    assert record.video_key is not None
    assert (record.transcript_key, record.summary_key) == (None, None)


def test_a_meeting_lists_wrong_chunks_until_they_are_uploaded_and_no_log_has_its_data(
    platform: Platform, meetings: DeployedMeetings, ann: Recorder
) -> None:
    """Chunks are wrong if they are missing or have wrong bytes."""
    token = meetings.request_token("ann")
    for sent_token in (token, f"{token}x"):
        meetings.exchange_token({"token": sent_token, "sessionName": f"{CANARY}-session"})
    meeting = NewMeeting(f"{CANARY} of a title", participants=(CANARY,), tags=(CANARY,))
    chunks = [path.rename(path.with_suffix(f".{CANARY}")) for path in ann.record_speech("welcome", "goodbye", "launch")]
    contents = [chunk.read_bytes() for chunk in chunks]
    corrupt = contents[1][:-1] + bytes([contents[1][-1] ^ 1])
    ann.upload_partially(meeting, chunks, uploaded_contents=[contents[0], corrupt, None])
    assert ann.wait_for_wrong_chunks(meeting.meeting_id, ChunkProblem.MISSING) == [f"00002.{CANARY}"]
    ann.client.put(meeting.meeting_id, f"00002.{CANARY}", contents[2])
    ann.client.complete(meeting, chunks)
    assert ann.wait_for_wrong_chunks(meeting.meeting_id, ChunkProblem.HASH) == [f"00001.{CANARY}"]
    ann.client.put(meeting.meeting_id, f"00001.{CANARY}", contents[1])
    ann.client.complete(meeting, chunks)
    ready = ann.wait_for_status(meeting.meeting_id, READY)
    content = meeting.describe_upload(chunks).content
    assert (ready.status, ready.reason, ready.content, ready.wrong) == (READY, None, content, ())
    spoken_text = ann.client.read_transcript(ready).said[0].text.lower()
    groups = read_log_messages(platform)
    assert {"/aws/batch/polyphony-local-meetings-media", "/aws/lambda/polyphony-local-meetings-steps"} <= set(groups)
    secrets = (CANARY, spoken_text, meeting.meeting_id, ann.client.user, token.rpartition(".")[2])
    for lines in groups.values():
        assert not [line for line in lines for secret in secrets if secret in line.lower() or secret in line]


def read_log_messages(platform: Platform) -> dict[str, list[str]]:
    """Return the log messages of the functions and the job by log group."""
    logs = platform.client("logs")
    names = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    meetings_groups = [
        name for name in names if name.startswith(("/aws/lambda/polyphony-local-meetings-", "/aws/batch/"))
    ]
    return {
        name: [
            event["message"]
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name)
            for event in page["events"]
        ]
        for name in meetings_groups
    }


@pytest.fixture
def faults(platform: Platform) -> Iterator[FaultClient]:
    """Client that switches on faults. All faults end with the test."""
    yield platform.deployment.faults
    platform.deployment.faults.clear()


def test_an_interrupted_job_starts_again(meetings: DeployedMeetings, ann: Recorder, faults: FaultClient) -> None:
    """Fargate Spot reclaims the capacity of the first attempt when it has probed the chunks."""
    faults.set(Fault.SPOT_RECLAIMED)
    # A chunk without video forces encoding, so that the attempt that is interrupted has not ended at the signal.
    record = ann.wait_for_status(ann.upload([*ann.record_speech("welcome"), ann.record_audio("goodbye")]))
    history = read_job_history(meetings, record)
    assert (record.status, history.queues, history.attempts) == (READY, (SPOT,), (2,))
    assert [history.lines.count(event) for event in ("media_probed", "media_done")] == [2, 1]


def test_a_meeting_is_processed_although_services_are_busy_and_there_is_no_spot_capacity(
    meetings: DeployedMeetings, ann: Recorder, faults: FaultClient
) -> None:
    faults.set(Fault.SPOT_FULL)
    faults.set(Fault.JOB_THROTTLED)
    faults.set(Fault.MODEL_THROTTLED, 2)
    record = ann.wait_for_status(ann.upload(ann.record_speech("budget")))
    history = read_job_history(meetings, record)
    assert (record.status, history.queues, history.attempts) == (READY, (SPOT, ON_DEMAND), (0, 1))
    assert history.reasons[0] == END_REASON
    assert clip_texts("budget")[0] in ann.client.read_summary(record).summary
