"""Voice Q&A's flow: a guest uploads a lecture, asks two questions by voice, goes on after a broken connection.

Lecture and questions alone decide what is answered: the local agent listens to both.
"""

from local.flows import Checks, Tell
from local.flows.voice_qa_client import Lectures, Listener

LECTURE = (
    "hello world . this is a live test . we speak in tones and captions . good day please . "
    "thank you again . this is the stream . come back in the world . please speak of captions . good day"
)
QUESTIONS = {
    "tones captions": ["we speak in tones and captions", "please speak of captions"],
    "come back": ["come back in the world"],
}
"""Each with what its answer quotes."""
SOUND_BYTES = 1_000


def play(lectures: Lectures, tell: Tell) -> list[str]:
    """Upload, ask twice in one conversation, and listen to the first answer again from its third piece on.

    Return what was not as it should be.
    """
    checks = Checks()
    with Listener(lectures) as listener:
        lecture_id = listener.upload_lecture(LECTURE)
        record = lectures.validated(lecture_id)
        checks.equal("the lecture", record["status"], "ready")
        tell(f"a lecture of {int(record['duration_ms']) / 1000:.0f} s uploaded by a guest and found {record['status']}")
        keys = [listener.upload_question(words) for words in QUESTIONS]
        accepted, first = listener.question(lecture_id, "first-question", audioKey=keys[0])
        tell(f"asked by voice, answered in {len(first.pieces)} pieces: {first.text()}")
        session = accepted["sessionId"]
        _, second = listener.question(lecture_id, "second-question", audioKey=keys[1], sessionId=session)
        tell(f"asked again in the same conversation: {second.text()}")
    for heard, quotes in zip((first, second), QUESTIONS.values(), strict=True):
        checks.equal("what is quoted", [cited["quote"] for cited in heard.citations()], quotes)
        checks.equal("the pieces' numbers", heard.numbers, list(range(len(heard.pieces))))
        checks.equal("whether an answer says where it is from", "you hear" in heard.text(), expected=True)
        checks.equal("whether an answer is spoken", len(heard.audio()) > SOUND_BYTES, expected=True)
    with Listener(lectures, listener.guest) as again:
        _, replayed = again.question(lecture_id, "first-question", audioKey=keys[0], sessionId=session, resumeFrom=2)
    checks.equal("pieces after the connection broke", replayed.numbers, list(range(2, len(first.pieces))))
    tell(f"over another connection, from piece 2 on: {len(replayed.pieces)} pieces, as they were kept")
    missing = lectures.sweep()["missing"]
    checks.equal("lectures that nobody had looked at", missing, 0)
    tell(f"the sweep, which the schedule calls: {missing} lectures that nobody had looked at")
    checks.equal("turns", lectures.turns(listener.guest.identity_id, session, lecture_id), 2)
    return checks.problems
