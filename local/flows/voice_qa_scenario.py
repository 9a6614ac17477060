"""Voice Q&A's flow: a guest uploads a lecture, asks two questions by voice, goes on after a broken connection.

One piece of code for the demo and for the end-to-end test: it drives and measures, whoever runs it compares. Lecture
and questions alone decide what is answered: the local agent listens to both.
"""

from dataclasses import dataclass
from typing import Any

from local.flows import Tell
from local.flows.voice_qa import Lectures, Listener

LECTURE = (
    "hello world . this is a live test . we speak in tones and captions . good day please . "
    "thank you again . this is the stream . come back in the world . please speak of captions . good day"
)
QUESTION = "tones captions"
OTHER = "come back"


@dataclass(frozen=True)
class Outcome:
    """What a guest heard."""

    status: str
    answers: list[str]
    quotes: list[list[str]]
    numbers: list[list[int]]
    spoken: list[int]
    """Bytes of each spoken answer."""
    resumed: list[int]
    """Numbers of the pieces that came after the connection had broken."""
    turns: int
    missing: int
    """Lectures that the sweep found unvalidated."""


EXPECTED: dict[str, Any] = {
    "status": "ready",
    "quotes": [
        ["we speak in tones and captions", "please speak of captions"],
        ["come back in the world"],
    ],
    "turns": 2,
    "missing": 0,
}
"""What the words above become."""


def play(lectures: Lectures, tell: Tell) -> Outcome:
    """Uploads, asks twice in one conversation, and listens to the first answer again from its third piece on."""
    with Listener(lectures) as listener:
        lecture_id = listener.upload_lecture(LECTURE)
        record = lectures.validated(lecture_id)
        tell(f"a lecture of {int(record['duration_ms']) / 1000:.0f} s uploaded by a guest and found {record['status']}")
        accepted, first = listener.question(lecture_id, "first-question", audioKey=listener.upload_question(QUESTION))
        tell(f"asked by voice, answered in {len(first.pieces)} pieces: {first.text()}")
        session = accepted["sessionId"]
        key = listener.upload_question(OTHER)
        _, second = listener.question(lecture_id, "second-question", audioKey=key, sessionId=session)
        tell(f"asked again in the same conversation: {second.text()}")
    with Listener(lectures, listener.guest) as again:
        _, replayed = again.question(
            lecture_id, "first-question", audioKey=listener.keys[0], sessionId=session, resumeFrom=2
        )
    tell(f"over another connection, from piece 2 on: {len(replayed.pieces)} pieces, as they were kept")
    missing = lectures.sweep()["missing"]
    tell(f"the sweep, which the schedule calls: {missing} lectures that nobody had looked at")
    heard = [first, second]
    return Outcome(
        status=record["status"],
        answers=[one.text() for one in heard],
        quotes=[[cited["quote"] for cited in one.citations()] for one in heard],
        numbers=[one.numbers for one in heard],
        spoken=[len(one.audio()) for one in heard],
        resumed=replayed.numbers,
        turns=lectures.turns(listener.guest.identity_id, session, lecture_id),
        missing=missing,
    )
