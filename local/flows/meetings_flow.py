"""Flow of meetings: a recording is uploaded in chunks (files), joined, transcribed and summarised.

At the end, another user must not be able to read the meeting.
"""

import tempfile
from pathlib import Path

from handlers.meetings.bedrock_summarize.models import Summary, Transcript
from local.flows import OTHER_USER, USER, Checks, Stack, StepReporter
from local.flows.http_requests import send
from local.flows.meetings_client import MeetingsBackend, write_recording
from local.flows.meetings_user import MeetingsUser, NewMeeting
from local.flows.speech_clips import clip_texts

CHUNKS = (("welcome", "budget", "spending"), ("report", "supplier", "goodbye"))
"""Clips of the chunks."""
TITLE = "Weekly"


def play(stack: Stack, report_step: StepReporter) -> list[str]:
    """Run the flow, and return the problems."""
    meetings, checks = MeetingsBackend(stack), Checks()
    ann, bob = meetings.open_access(USER), meetings.open_access(OTHER_USER)
    meeting = NewMeeting(TITLE, participants=("Ann", "Bob"), tags=("team",))
    with tempfile.TemporaryDirectory() as folder:
        chunks = [write_recording(Path(folder, f"{number:02d}.mp4"), *clips) for number, clips in enumerate(CHUNKS)]
        ann.upload(meeting, chunks)
        report_step(f"a token exchanged for credentials of one hour; {len(chunks)} chunks uploaded with them")
        record = ann.wait_for_status(meeting.meeting_id, seconds=stack.patience_seconds)
        checks.equal("status of the meeting", record.status.value, "ready")
        seconds = (record.duration_ms or 0) / 1000
        report_step(f"joined with ffmpeg to {seconds:.1f} s, transcribed and summarised: {record.status}")
        ann.upload(meeting, chunks)
    uploads = ann.list_uploads(meeting.meeting_id)
    checks.equal("uploads that the user can list", uploads, ["00000.mp4", "00001.mp4", "complete.json"])
    found = ann.find(meeting.meeting_id)
    # The record counts the attempts to process the recording. Another execution would be the second one.
    checks.equal("status after another upload", found and (found.status.value, found.attempt), ("ready", 1))
    report_step("uploaded again: the same recording is not processed again")
    transcript, summary = ann.read_transcript(record), ann.read_summary(record)
    _check_texts(transcript, summary, checks)
    report_step(f"transcript: {' '.join(sentence.text for sentence in transcript.said)}")
    report_step(f"summary: {summary.summary}")
    for item in summary.action_items:
        report_step(f"action item: {item.text} (“{item.quote.text}”, {item.quote.start_ms / 1000:.1f} s)")
    _download_recording(ann, str(record.video_key), checks, report_step)
    listed = [
        (listed_meeting.title, listed_meeting.participants, listed_meeting.tags)
        for listed_meeting in ann.list_newest_first()
        if listed_meeting.meeting_id == meeting.meeting_id
    ]
    checks.equal("meeting in the list of its user", listed, [(TITLE, ("Ann", "Bob"), ("team",))])
    visible = bob.find(meeting.meeting_id) is not None
    checks.equal("visible to another user", visible, expected=False)
    report_step(f"another user {'can' if visible else 'cannot'} read the meeting")
    return checks.problems


def _check_texts(transcript: Transcript, summary: Summary, checks: Checks) -> None:
    said = " ".join(sentence.text for sentence in transcript.said)
    checks.recognised("transcript", [said], [" ".join(clip_texts(*(name for chunk in CHUNKS for name in chunk)))])
    checks.present("summary", summary.summary)
    checks.present("action items", *(item.text for item in summary.action_items))


def _download_recording(ann: MeetingsUser, key: str, checks: Checks, report_step: StepReporter) -> None:
    """Download the beginning of the video with a URL that is signed with the user's own credentials."""
    url = ann.s3.generate_presigned_url("get_object", Params={"Bucket": ann.bucket, "Key": key})
    played = send("GET", url, headers={"Range": "bytes=0-99"})
    checks.equal("status and type of the video", (played.status, played.data[4:8]), (206, b"ftyp"))
    report_step("the user can play the video with a URL that the user's own credentials have signed")
