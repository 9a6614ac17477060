"""The meetings' flow: a recording is uploaded in chunks, put together, transcribed, summarised, and read by its user alone.

Put together by real ffmpeg in the very job; the words are tones, which the local Transcribe hears in two voices; the
model is scripted, and answers by what was said.
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from clients.meetings import MeetingUnknown, NewMeeting
from local.flows import Checks, Tell
from local.flows.meetings_client import Meetings, recorded

ANN, BOB = 150, 300
"""Their voices."""
CHUNKS = (
    [(ANN, "hello world this is a test"), (BOB, "good day and thank you")],
    [(ANN, "please send the report monday"), (BOB, "agree")],
)
SAID = [
    ("spk_0", "Hello world this is a test."),
    ("spk_1", "Good day and thank you."),
    ("spk_0", "Please send the report monday."),
    ("spk_1", "Agree."),
]
SUMMARY = (
    "spk_0, spk_1 spoke 4 times. It began with: Hello world this is a test. "
    "At most was said here: Please send the report monday."
)
TITLE = "Weekly"


def play(meetings: Meetings, tell: Tell) -> list[str]:
    """Record a meeting of two voices, and read what came of it; return what was not as it should be."""
    checks = Checks()
    ann = meetings.user("ann")
    before = set(meetings.executions())
    meeting = NewMeeting(title=TITLE, started_at=datetime.now(UTC), participants=("Ann", "Bob"), tags=("team",))
    with tempfile.TemporaryDirectory() as folder:
        chunks = [recorded(Path(folder, f"{at:02d}.mp4"), said) for at, said in enumerate(CHUNKS)]
        uploaded = ann.upload(meeting, chunks)
        tell(f"a token exchanged for an hour's credentials, {uploaded.sent} chunks uploaded with them")
        record = ann.wait_until_ready(meeting.meeting_id, content=uploaded.content, timeout_seconds=60)
        checks.equal("the meeting's status", record.status.value, "ready")
        seconds = (record.duration_ms or 0) / 1000
        tell(f"put together by real ffmpeg, {seconds:.1f} s; transcribed, and summarised: {record.status}")
        again = ann.upload(meeting, chunks)
    checks.equal("chunks that are sent again", again.sent, 0)
    tell(f"uploaded once more: {again.sent} chunks sent, {again.kept} were there")
    transcript, summary = ann.transcript(meeting.meeting_id), ann.summary(meeting.meeting_id)
    checks.equal("what was said", [(one.speaker, one.text) for one in transcript.said], SAID)
    checks.equal("the summary", summary.summary, SUMMARY)
    items = [(one.text, one.quote.text) for one in summary.action_items]
    checks.equal("what is to be done", items, [("Send the report monday", "Please send the report monday")])
    for one in summary.action_items:
        tell(f"to do: {one.text} (“{one.quote.text}”, {one.quote.start_ms / 1000:.1f} s)")
    found = [
        one.title for one in ann.list_by_date(participant="bob", tag="team") if one.meeting_id == meeting.meeting_id
    ]
    checks.equal("the meeting in the list of its participant", found, [TITLE])
    foreign = _of_somebody_else(meetings, meeting.meeting_id)
    checks.equal("whether somebody else finds it", foreign, expected=False)
    tell(f"for somebody else there {'is one' if foreign else 'is none'}")
    checks.equal("meetings that a sweep could not look at", meetings.call(meetings.sweep, "sweep")["failed"], 0)
    storage = meetings.call(meetings.storage, "storage")
    checks.equal("whether the user's storage is counted", storage.get("users", 0) >= 1, expected=True)
    checks.equal("executions", len(set(meetings.executions()) - before), 1)
    return checks.problems


def _of_somebody_else(meetings: Meetings, meeting_id: str) -> bool:
    """Whether somebody else finds a meeting of this id."""
    try:
        meetings.user("bob").get(meeting_id)
    except MeetingUnknown:
        return False
    return True
