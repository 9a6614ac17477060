"""The meetings' flow: a recording is uploaded in chunks, put together, transcribed, summarised, and read by its user alone.

Put together by real ffmpeg in the very job; the words are tones, which the local Transcribe hears in two voices; the
model is scripted, and answers by what was said.
"""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clients.meetings import MeetingUnknown, NewMeeting
from local.flows import Tell
from local.flows.meetings import Meetings, recorded

ANN, BOB = 150, 300
"""Their voices."""
CHUNKS = (
    [(ANN, "hello world this is a test"), (BOB, "good day and thank you")],
    [(ANN, "please send the report monday"), (BOB, "agree")],
)
TITLE = "Weekly"


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    status: str
    said: list[tuple[str, str]]
    """Who said what."""
    action_items: list[tuple[str, str]]
    """What is to be done, and the words that say so."""
    summary: str
    found: list[str]
    """Titles by participant and date, the newest first."""
    foreign: bool
    """Whether there is such a meeting for somebody else."""
    sent_again: int
    """Chunks of the same recording, uploaded again."""
    executions: int
    """Of the workflow, though it was uploaded twice."""
    unattended: int
    """Meetings that a sweep could not look at."""
    measured: bool
    """Whether the daily look at storage counted the user."""


EXPECTED = Outcome(
    status="ready",
    said=[
        ("spk_0", "Hello world this is a test."),
        ("spk_1", "Good day and thank you."),
        ("spk_0", "Please send the report monday."),
        ("spk_1", "Agree."),
    ],
    action_items=[("Send the report monday", "Please send the report monday")],
    summary="spk_0, spk_1 spoke 4 times. It began with: Hello world this is a test. "
    "At most was said here: Please send the report monday.",
    found=[TITLE],
    foreign=False,
    sent_again=0,
    executions=1,
    unattended=0,
    measured=True,
)


def play(meetings: Meetings, tell: Tell) -> Outcome:
    """Records a meeting of two voices, and reads what came of it."""
    ann = meetings.user("ann")
    before = set(meetings.executions())
    meeting = NewMeeting(title=TITLE, started_at=datetime.now(UTC), participants=("Ann", "Bob"), tags=("team",))
    with tempfile.TemporaryDirectory() as folder:
        chunks = [recorded(Path(folder, f"{at:02d}.mp4"), said) for at, said in enumerate(CHUNKS)]
        uploaded = ann.upload(meeting, chunks)
        tell(f"a token exchanged for an hour's credentials, {uploaded.sent} chunks uploaded with them")
        record = ann.wait_until_ready(meeting.meeting_id, content=uploaded.content, timeout_seconds=60)
        seconds = (record.duration_ms or 0) / 1000
        tell(f"put together by real ffmpeg, {seconds:.1f} s; transcribed, and summarised: {record.status}")
        again = ann.upload(meeting, chunks)
    tell(f"uploaded once more: {again.sent} chunks sent, {again.kept} were there")
    transcript, summary = ann.transcript(meeting.meeting_id), ann.summary(meeting.meeting_id)
    for one in summary.action_items:
        tell(f"to do: {one.text} (“{one.quote.text}”, {one.quote.start_ms / 1000:.1f} s)")
    found = [
        one.title for one in ann.list_by_date(participant="bob", tag="team") if one.meeting_id == meeting.meeting_id
    ]
    foreign = _of_somebody_else(meetings, meeting.meeting_id)
    tell(f"for somebody else there {'is one' if foreign else 'is none'}")
    swept, storage = meetings.call(meetings.sweep, "sweep"), meetings.call(meetings.storage, "storage")
    return Outcome(
        status=record.status.value,
        said=[(one.speaker, one.text) for one in transcript.said],
        action_items=[(one.text, one.quote.text) for one in summary.action_items],
        summary=summary.summary,
        found=found,
        foreign=foreign,
        sent_again=again.sent,
        executions=len(set(meetings.executions()) - before),
        unattended=swept["failed"],
        measured=storage.get("users", 0) >= 1,
    )


def _of_somebody_else(meetings: Meetings, meeting_id: str) -> bool:
    """Whether somebody else finds a meeting of this id."""
    try:
        meetings.user("bob").get(meeting_id)
    except MeetingUnknown:
        return False
    return True
