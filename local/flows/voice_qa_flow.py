"""Flow of voice Q&A: a guest uploads a lecture, asks two spoken questions, and gets an answer again on a new
connection.

Words are tones, which the local agent recognises. It answers with those passages of the lecture that contain words of
the question.
"""

from local.flows import Checks, StepReporter, eventually
from local.flows.voice_qa_client import GuestConnection, VoiceQaBackend

LECTURE = (
    "hello world . this is a live test . we speak in tones and captions . good day please . "
    "thank you again . this is the stream . come back in the world . please speak of captions . good day"
)
QUESTIONS = {
    "tones captions": ["we speak in tones and captions", "please speak of captions"],
    "come back": ["come back in the world"],
}
"""Questions with the quotes that their answers must contain."""
MIN_AUDIO_BYTES = 1_000


def play(backend: VoiceQaBackend, report_step: StepReporter) -> list[str]:
    """Run the flow, and return the problems. The first answer is sent again, beginning with its third piece."""
    checks = Checks()
    with GuestConnection(backend) as connection:
        lecture_id = connection.upload_lecture(LECTURE)
        report = connection.await_lecture(lecture_id)
        checks.equal("reported state of the lecture", report["state"], "ready")
        report_step(
            f"a lecture of {report['durationMs'] / 1000:.0f} s uploaded by a guest, "
            f"who got a message when it was {report['state']}"
        )
        guest_id = connection.request_guest_id()
        keys = [connection.upload_question(words) for words in QUESTIONS]
        accepted, first = connection.ask_question(lecture_id, "first-question", audioKey=keys[0])
        report_step(f"a spoken question answered in {len(first.pieces)} pieces: {first.text()}")
        session = accepted["sessionId"]
        _, second = connection.ask_question(lecture_id, "second-question", audioKey=keys[1], sessionId=session)
        report_step(f"a second question in the same conversation: {second.text()}")
    for answer, quotes in zip((first, second), QUESTIONS.values(), strict=True):
        checks.equal("quotes", [citation["quote"] for citation in answer.citations()], quotes)
        checks.equal("numbers of the pieces", answer.numbers, list(range(len(answer.pieces))))
        checks.equal("answer names its position", "you hear" in answer.text(), expected=True)
        checks.equal("answer has audio", len(answer.audio()) > MIN_AUDIO_BYTES, expected=True)
    with GuestConnection(backend, connection.guest) as new_connection:
        _, replayed = new_connection.ask_question(
            lecture_id, "first-question", audioKey=keys[0], sessionId=session, resumeFrom=2
        )
    checks.equal("numbers of the resumed pieces", replayed.numbers, list(range(2, len(first.pieces))))
    report_step(f"resumed on another connection from piece 2: {len(replayed.pieces)} stored pieces")
    backend.send_time_limit_check(guest_id, "first-question")
    eventually(lambda: True if backend.all_checks_performed() else None, "a check of a time limit")
    report_step("the check of a question's time limit found that the question had ended")
    checks.equal("turns of the conversation", backend.count_turns(connection.guest.identity_id, session, lecture_id), 2)
    return checks.problems
