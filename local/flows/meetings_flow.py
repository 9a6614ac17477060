"""Flow of meetings: a recording is uploaded in chunks (files), joined, transcribed and summarised.

ffmpeg joins the chunks. The words are tones of two voices, which the local Transcribe recognises. The local Bedrock
summarises the transcript by fixed rules. At the end, another user must not be able to read the meeting.
"""

import tempfile
from pathlib import Path

from local.flows import Checks, StepReporter
from local.flows.http_requests import send
from local.flows.meetings_client import MeetingsBackend, write_recording
from local.flows.meetings_user import NewMeeting

ANN, BOB = 150, 300
"""Pitches of the two voices, in hertz. The backend names the speakers `spk_0` and `spk_1`."""
CHUNKS = (
    [(ANN, "hello world this is a test"), (BOB, "good day and thank you")],
    [(ANN, "please send the report monday"), (BOB, "agree")],
)
TRANSCRIPT = [
    ("spk_0", "Hello world this is a test."),
    ("spk_1", "Good day and thank you."),
    ("spk_0", "Please send the report monday."),
    ("spk_1", "Agree."),
]
SUMMARY = (
    "spk_0, spk_1 spoke 4 times. It began with: Hello world this is a test. "
    "The longest line: Please send the report monday."
)
TITLE = "Weekly"


def play(meetings: MeetingsBackend, report_step: StepReporter) -> list[str]:
    """Run the flow, and return the problems."""
    checks = Checks()
    ann = meetings.open_access("ann")
    earlier_executions = set(meetings.execution_names())
    meeting = NewMeeting(TITLE, participants=("Ann", "Bob"), tags=("team",))
    with tempfile.TemporaryDirectory() as folder:
        chunks = [write_recording(Path(folder, f"{number:02d}.mp4"), words) for number, words in enumerate(CHUNKS)]
        ann.upload(meeting, chunks)
        report_step(f"a token exchanged for credentials of one hour; {len(chunks)} chunks uploaded with them")
        record = ann.wait_for_status(meeting.meeting_id)
        checks.equal("status of the meeting", record.status.value, "ready")
        seconds = (record.duration_ms or 0) / 1000
        report_step(f"joined with ffmpeg to {seconds:.1f} s, transcribed and summarised: {record.status}")
        ann.upload(meeting, chunks)
    uploads = ann.list_uploads(meeting.meeting_id)
    checks.equal("uploads that the user can list", uploads, ["00000.mp4", "00001.mp4", "complete.json"])
    report_step("uploaded again: the same recording is not processed again")
    transcript, summary = ann.read_transcript(record), ann.read_summary(record)
    checks.equal("transcript", [(sentence.speaker, sentence.text) for sentence in transcript.said], TRANSCRIPT)
    checks.equal("summary", summary.summary, SUMMARY)
    items = [(item.text, item.quote.text) for item in summary.action_items]
    checks.equal("action items", items, [("Send the report monday", "Please send the report monday")])
    for item in summary.action_items:
        report_step(f"action item: {item.text} (“{item.quote.text}”, {item.quote.start_ms / 1000:.1f} s)")
    _download_recording(meetings, str(record.video_key), checks, report_step)
    listed = [
        (listed_meeting.title, listed_meeting.participants, listed_meeting.tags)
        for listed_meeting in ann.list_newest_first()
        if listed_meeting.meeting_id == meeting.meeting_id
    ]
    checks.equal("meeting in the list of its user", listed, [(TITLE, ("Ann", "Bob"), ("team",))])
    visible = meetings.open_access("bob").find(meeting.meeting_id) is not None
    checks.equal("visible to another user", visible, expected=False)
    report_step(f"another user {'can' if visible else 'cannot'} read the meeting")
    checks.equal("storage of the user is counted", meetings.count_storage().get("users", 0) >= 1, expected=True)
    checks.equal("number of executions", len(set(meetings.execution_names()) - earlier_executions), 1)
    return checks.problems


def _download_recording(meetings: MeetingsBackend, key: str, checks: Checks, report_step: StepReporter) -> None:
    """Download the beginning of the video with a URL that is signed with the user's own credentials."""
    played = send("GET", meetings.presign_download("ann", key), headers={"Range": "bytes=0-99"})
    checks.equal("status and type of the video", (played.status, played.data[4:8]), (206, b"ftyp"))
    report_step("the user can play the video with a URL that the user's own credentials have signed")
