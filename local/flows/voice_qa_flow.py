"""Flow of voice Q&A: a guest uploads a lecture, asks three spoken questions, and gets an answer again on a new
connection.
"""

import math
import uuid

from local.audio_formats import RATE, SAMPLE_BYTES
from local.flows import Checks, FlowSkipped, Stack, StepReporter
from local.flows.speech_clips import clip_texts, join_clips
from local.flows.voice_qa_client import GuestConnection, ReceivedAnswer, VoiceQaBackend

LECTURE = ("photosynthesis", "sunlight", "leaves", "oxygen", "roots")
"""Clips of the lecture."""
QUESTIONS = ("sugar", "release")
"""Clips of questions that the lecture answers: what plants turn into sugar, and what they release."""
UNANSWERED_QUESTION = "sky"
"""Clip of a question that the lecture does not answer. The agent says so, in an answer that needs no audio or quote."""
MIN_AUDIO_BYTES = 1_000
"""A spoken answer has more bytes than this."""


def play(stack: Stack, report_step: StepReporter) -> list[str]:
    """Run the flow, and return the problems."""
    backend, checks = VoiceQaBackend(stack), Checks()
    if backend.frontend["lectureUploads"] == "off":
        raise FlowSkipped("guests may not upload lectures (voiceQa.lectures.uploads)")
    spoken = (*QUESTIONS, UNANSWERED_QUESTION)
    with GuestConnection(backend) as connection:
        lecture_id = connection.upload_lecture(*_repeat_lecture(backend.frontend["lectureMinSeconds"]))
        report = connection.await_lecture(lecture_id)
        checks.equal("reported state of the lecture", report["state"], "ready")
        report_step(f"a lecture of {report['durationMs'] / 1000:.0f} s uploaded by a guest, which is {report['state']}")
        keys = [connection.upload_question(clip) for clip in spoken]
        first_id = uuid.uuid4().hex
        accepted, first = connection.ask_question(lecture_id, first_id, audioKey=keys[0])
        session = accepted.get("sessionId")
        report_step(f"“{first.transcript()}” answered in {len(first.pieces)} pieces: {first.text()}")
        _, second = connection.ask_question(lecture_id, audioKey=keys[1], sessionId=session)
        report_step(f"“{second.transcript()}” in the same conversation: {second.text()}")
        _, third = connection.ask_question(lecture_id, audioKey=keys[2], sessionId=session)
        report_step(f"“{third.transcript()}” is not in the lecture: {third.text()}")
    answers = (first, second, third)
    checks.recognised("questions", [answer.transcript() for answer in answers], clip_texts(*spoken))
    for answer in answers:
        _check_form(answer, checks)
    has_audio = [len(answer.audio()) > MIN_AUDIO_BYTES for answer in (first, second)]
    checks.equal("answers have audio", has_audio, [True, True])
    quotes = [citation["quote"] for answer in (first, second) for citation in answer.citations()]
    checks.present("quotes of the lecture", *quotes)
    with GuestConnection(backend, connection.guest) as new_connection:
        _, stored = new_connection.ask_question(lecture_id, first_id, audioKey=keys[0])
    checks.equal("stored pieces", stored.pieces, first.pieces)
    report_step(f"asked again on another connection, which got the {len(stored.pieces)} stored pieces")
    return checks.problems


def _repeat_lecture(min_seconds: float) -> list[str]:
    """Return the clips of the lecture, which is repeated until it lasts as long as a lecture must."""
    seconds = len(join_clips(*LECTURE)) / SAMPLE_BYTES / RATE
    margin_seconds = 1  # the encoded audio may be slightly shorter
    return [*LECTURE] * math.ceil((min_seconds + margin_seconds) / seconds)


def _check_form(answer: ReceivedAnswer, checks: Checks) -> None:
    end = answer.end or {}
    checks.equal("end of an answer", (end.get("type"), end.get("code")), ("answered", None))
    checks.present("text of an answer", answer.text())
    checks.equal("numbers of the pieces", answer.numbers, list(range(len(answer.pieces))))
