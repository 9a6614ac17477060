"""Flow of meetings: a recording is uploaded in chunks (files), joined, transcribed and summarised.

ffmpeg joins the chunks. The local Transcribe recognises the speech of two voices. The local Bedrock summarises the
transcript by fixed rules. At the end, another user must not be able to read the meeting.
"""

import tempfile
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from clients.meetings import MeetingUnknown, NewMeeting, Summary, Transcript
from local.flows import Checks, StepReporter
from local.flows.http_requests import send
from local.flows.meetings_client import MeetingsBackend, write_recording
from local.flows.speech_clips import CLIPS, clip_texts

CHUNKS = (("welcome", "budget", "spending"), ("report", "supplier", "goodbye"))
"""Clips of the chunks. The backend names the speakers `spk_0` and `spk_1`."""
ACTION_ITEMS = ("report", "supplier")
"""Clips with a request or a promise."""
TITLE = "Weekly"


def play(meetings: MeetingsBackend, report_step: StepReporter) -> list[str]:
    """Run the flow, and return the problems."""
    checks = Checks()
    ann = meetings.client_of_user("ann")
    earlier_executions = set(meetings.execution_names())
    meeting = NewMeeting(title=TITLE, started_at=datetime.now(UTC), participants=("Ann", "Bob"), tags=("team",))
    with tempfile.TemporaryDirectory() as folder:
        chunks = [write_recording(Path(folder, f"{number:02d}.mp4"), *clips) for number, clips in enumerate(CHUNKS)]
        uploaded = ann.upload(meeting, chunks)
        report_step(f"a token exchanged for credentials of one hour; {uploaded.sent} chunks uploaded with them")
        record = ann.wait_until_ready(meeting.meeting_id, content=uploaded.content, timeout_seconds=60)
        checks.equal("status of the meeting", record.status.value, "ready")
        seconds = (record.duration_ms or 0) / 1000
        report_step(f"joined with ffmpeg to {seconds:.1f} s, transcribed and summarised: {record.status}")
        second_upload = ann.upload(meeting, chunks)
    checks.equal("chunks sent by the second upload", second_upload.sent, 0)
    report_step(f"uploaded again: {second_upload.sent} chunks sent, {second_upload.kept} already stored")
    transcript, summary = ann.transcript(meeting.meeting_id), ann.summary(meeting.meeting_id)
    _check_texts(transcript, summary, checks)
    report_step(f"transcript: {' '.join(sentence.text for sentence in transcript.said)}")
    report_step(f"summary: {summary.summary}")
    for item in summary.action_items:
        report_step(f"action item: {item.text} (“{item.quote.text}”, {item.quote.start_ms / 1000:.1f} s)")
    _download_recording(meetings, meeting.meeting_id, checks, report_step)
    listed = ann.list_by_date(participant="bob", tag="team")
    titles = [listed_meeting.title for listed_meeting in listed if listed_meeting.meeting_id == meeting.meeting_id]
    checks.equal("meeting in the list of its participant", titles, [TITLE])
    visible = _is_visible_to_another_user(meetings, meeting.meeting_id)
    checks.equal("visible to another user", visible, expected=False)
    report_step(f"another user {'can' if visible else 'cannot'} read the meeting")
    checks.equal(
        "meetings that the sweep could not check",
        meetings.invoke_scheduled(meetings.sweep_function, "sweep")["failed"],
        0,
    )
    checks.equal("storage of the user is counted", meetings.count_storage().get("users", 0) >= 1, expected=True)
    checks.equal("number of executions", len(set(meetings.execution_names()) - earlier_executions), 1)
    return checks.problems


def _check_texts(transcript: Transcript, summary: Summary, checks: Checks) -> None:
    spoken = [CLIPS[name] for chunk in CHUNKS for name in chunk]
    labels = {spoken[0].speaker: "spk_0", spoken[2].speaker: "spk_1"}
    # The backend may divide the speech of one speaker in another way than the clips.
    turns = [
        (speaker, [item.text for item in said]) for speaker, said in groupby(transcript.said, lambda item: item.speaker)
    ]
    expected = [
        (labels[speaker], [clip.text for clip in clips])
        for speaker, clips in groupby(spoken, lambda clip: clip.speaker)
    ]
    checks.equal("speakers", [speaker for speaker, _ in turns], [speaker for speaker, _ in expected])
    checks.recognised("transcript", [" ".join(texts) for _, texts in turns], [" ".join(texts) for _, texts in expected])
    checks.recognised("action items", [item.quote.text for item in summary.action_items], clip_texts(*ACTION_ITEMS))
    checks.equal("summary quotes the first sentence", transcript.said[0].text in summary.summary, expected=True)


def _is_visible_to_another_user(meetings: MeetingsBackend, meeting_id: str) -> bool:
    try:
        meetings.client_of_user("bob").get(meeting_id)
    except MeetingUnknown:
        return False
    return True


def _download_recording(meetings: MeetingsBackend, meeting_id: str, checks: Checks, report_step: StepReporter) -> None:
    """Download the recording with the URL that the API returns. Check that another user gets no URL."""
    playback = meetings.request_playback("ann", meeting_id).body
    [file] = playback["files"]
    played = send("GET", file["url"], headers={"Range": "bytes=0-99"})
    checks.equal("playback: status and type of the file", (played.status, played.data[4:8]), (206, b"ftyp"))
    refusal = meetings.request_playback("bob", meeting_id)
    checks.equal("playback by another user", (refusal.status, refusal.body["code"]), (404, "MEETING_UNKNOWN"))
    seconds = playback["expiresSeconds"]
    report_step(f"the video can be played for {seconds} s with a presigned URL; another user gets {refusal.status}")
