"""Tests of the local voice Q&A agent, which answers questions about a lecture, with the handlers' client and real speech."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from handlers.voice_qa.environment import AgentCode
from handlers.voice_qa.query_worker.agent import Agent, AgentLimits, AgentRetry
from handlers.voice_qa.query_worker.agent_protocol import (
    AgentAudio,
    AgentCitation,
    AgentFailed,
    AgentPiece,
    AgentQuestion,
    AgentText,
    AgentTranscript,
    ContextTurn,
    QuestionLecture,
    SpokenQuery,
    WrittenQuery,
    opaque_session_id,
)
from local.audio_formats import RATE, SAMPLE_BYTES, decode_file
from local.emulation.faults import Fault, Faults
from local.emulation.speech.recognition import recognise
from local.emulation.voice_qa_agent.agent_service import serve
from local.emulation.voice_qa_agent.lecture_answers import (
    NO_MATCH_ANSWER,
    LecturePassage,
    find_best_passages,
    find_content_words,
    make_reply,
)
from local.ffmpeg import pcm_input, run_ffmpeg
from local.flows.speech_clips import clip_texts, join_clips
from local.flows.word_errors import MAX_WORD_ERROR_RATE, word_error_rate
from local.http_server import serve_handler
from tests.local.emulation.server_threads import TIMEOUT_SECONDS

pytestmark = pytest.mark.media
ENCODINGS = {
    "mp3": ("-f", "mp3"),
    "mp4": ("-f", "mp4", "-movflags", "frag_keyframe+empty_moov"),
    "m4a": ("-f", "ipod", "-movflags", "frag_keyframe+empty_moov"),
    "wav": ("-f", "wav"),
    "flac": ("-f", "flac"),
    "ogg": ("-c:a", "libopus", "-b:a", "24k", "-f", "ogg"),
    "webm": ("-c:a", "libopus", "-b:a", "24k", "-f", "webm"),
}
"""ffmpeg options by audio format."""
LECTURE = ("photosynthesis", "sunlight", "oxygen")
FAULTS = Faults()


class _SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@dataclass(frozen=True)
class FileServer:
    """HTTP server of a folder, in place of S3 with presigned URLs."""

    folder: Path
    port: int

    def put(self, name: str, content: bytes) -> str:
        """Store a file, and return its URL."""
        (self.folder / name).write_bytes(content)
        return self.url(name)

    def url(self, name: str) -> str:
        """Return the URL of a file, which need not exist."""
        return f"http://127.0.0.1:{self.port}/{name}?X-Amz-Signature=canary"


def encode_recording(*clips: str, audio_format: str = "ogg") -> bytes:
    """Return an audio file in which these clips are spoken."""
    return run_ffmpeg(*pcm_input(RATE), *ENCODINGS[audio_format], "pipe:1", data=join_clips(*clips))


def question(
    lecture_url: str,
    query: WrittenQuery | SpokenQuery,
    *,
    lecture_format: str = "ogg",
    query_id: str = "query",
    earlier_turns: tuple[ContextTurn, ...] = (),
) -> AgentQuestion:
    """Return a question about a lecture that lasts one minute."""
    return AgentQuestion(
        query_id=query_id,
        session_id=opaque_session_id("session"),
        lecture=QuestionLecture(lecture_id="lecture", url=lecture_url, format=lecture_format, duration_ms=60_000),
        query=query,
        conversation=earlier_turns,
    )


def turn(text: str) -> ContextTurn:
    return ContextTurn(question=text, answer="…")


OXYGEN_QUESTION = "What do plants release?"
OXYGEN_ANSWER = "At 0:07 you hear: The plants also release oxygen into the air."


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Yield the URL of an agent that sends the lines of an answer without pauses between them."""
    with serve(FAULTS, line_seconds=0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    folder = tmp_path_factory.mktemp("files")
    with serve_handler(partial(_SilentHandler, directory=str(folder))) as port:
        yield FileServer(folder, port)


@pytest.fixture(scope="module")
def lecture(files: FileServer) -> str:
    """Return the URL of a lecture."""
    return files.put("lecture-one", encode_recording(*LECTURE))


def create_client(endpoint: str) -> Agent:
    return Agent.at_endpoint(endpoint, AgentLimits(silence_seconds=TIMEOUT_SECONDS))


def ask(endpoint: str, agent_question: AgentQuestion) -> list[AgentPiece]:
    with create_client(endpoint).answer(agent_question) as pieces:
        return list(pieces)


def ask_until_failure(endpoint: str, agent_question: AgentQuestion) -> tuple[str, AgentFailed]:
    """Return the text of the answer before it fails, and the failure."""
    received: list[AgentPiece] = []
    try:
        with create_client(endpoint).answer(agent_question) as pieces:
            received.extend(pieces)
    except AgentFailed as failure:
        return answer_text(received), failure
    pytest.fail("the answer did not fail")


def answer_text(pieces: list[AgentPiece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, AgentText))


def citations(pieces: list[AgentPiece]) -> list[AgentCitation]:
    return [piece for piece in pieces if isinstance(piece, AgentCitation)]


def test_the_answer_quotes_and_cites_the_best_passage(endpoint: str, lecture: str) -> None:
    pieces = ask(endpoint, question(lecture, WrittenQuery(text=OXYGEN_QUESTION)))
    assert pieces[0] == AgentTranscript(text=OXYGEN_QUESTION)
    assert answer_text(pieces) == OXYGEN_ANSWER
    citation = citations(pieces)[0]
    assert citation.quote == clip_texts("oxygen")[0]
    first_two_clips = len(join_clips(*LECTURE[:2])) * 1000 / SAMPLE_BYTES / RATE
    whole = len(join_clips(*LECTURE)) * 1000 / SAMPLE_BYTES / RATE
    assert citation.start_ms == pytest.approx(first_two_clips, abs=200)
    assert citation.end_ms == pytest.approx(whole - 800, abs=200), "a pause of 0.8 s follows each clip"
    assert len([piece for piece in pieces if isinstance(piece, AgentText)]) == 12, "each word is a piece"


def test_the_spoken_answer_is_the_quoted_part_of_the_lecture(endpoint: str, lecture: str, tmp_path: Path) -> None:
    pieces = ask(endpoint, question(lecture, WrittenQuery(text=OXYGEN_QUESTION)))
    audio = [piece.audio for piece in pieces if isinstance(piece, AgentAudio)]
    (tmp_path / "answer").write_bytes(b"".join(audio))
    samples = decode_file(tmp_path / "answer", ["ogg"])
    text = " ".join(line.text for line in recognise(samples))
    assert len(audio) > 1
    assert word_error_rate(clip_texts("oxygen")[0], text) <= MAX_WORD_ERROR_RATE, text
    kinds = [type(piece) for piece in pieces]
    assert AgentText in kinds[kinds.index(AgentAudio) :], "audio is sent before the text is complete"


def test_a_spoken_question_is_recognised(endpoint: str, lecture: str, files: FileServer) -> None:
    url = files.put("query", encode_recording("sugar"))
    pieces = ask(endpoint, question(lecture, SpokenQuery(url=url, format="ogg")))
    assert pieces[0] == AgentTranscript(text="What do plants turn into sugar?")
    assert citations(pieces)[0].quote == clip_texts("sunlight")[0]


@pytest.mark.parametrize("text", ["Why is the sky blue?", "What is photosynthesis made of?", ""])
def test_a_question_that_the_lecture_does_not_answer_gets_an_answer_that_says_so(
    endpoint: str, lecture: str, text: str
) -> None:
    turns = (turn(OXYGEN_QUESTION),) if text else ()
    pieces = ask(endpoint, question(lecture, WrittenQuery(text=text), earlier_turns=turns))
    assert answer_text(pieces) == NO_MATCH_ANSWER
    assert citations(pieces) == []
    assert not [piece for piece in pieces if isinstance(piece, AgentAudio)]


def test_a_question_without_a_subject_is_about_the_previous_question(endpoint: str, lecture: str) -> None:
    turns = (turn("sugar"), turn(OXYGEN_QUESTION))
    pieces = ask(endpoint, question(lecture, WrittenQuery(text="Can you tell me more?"), earlier_turns=turns))
    assert answer_text(pieces) == OXYGEN_ANSWER


@pytest.mark.parametrize("audio_format", sorted(ENCODINGS))
def test_lectures_of_every_audio_format_are_recognised(endpoint: str, files: FileServer, audio_format: str) -> None:
    url = files.put(f"lecture-{audio_format}", encode_recording(*LECTURE, audio_format=audio_format))
    pieces = ask(endpoint, question(url, WrittenQuery(text=OXYGEN_QUESTION), lecture_format=audio_format))
    assert answer_text(pieces) == OXYGEN_ANSWER


@pytest.mark.parametrize(
    ("is_ogg", "lecture_format"),
    [(True, "mp3"), (True, "wma"), (False, "ogg")],
    ids=["another format", "unsupported format", "no audio"],
)
def test_a_lecture_that_cannot_be_decoded_is_rejected(
    endpoint: str, files: FileServer, is_ogg: bool, lecture_format: str
) -> None:
    url = files.put("lecture-bad", encode_recording(*LECTURE) if is_ogg else b"no audio")
    _, failure = ask_until_failure(
        endpoint, question(url, WrittenQuery(text=OXYGEN_QUESTION), lecture_format=lecture_format)
    )
    assert (failure.code, failure.retryable) == (AgentCode.REJECTED, False)


def test_an_expired_url_or_one_of_another_host_is_rejected(endpoint: str, lecture: str, files: FileServer) -> None:
    for url in (files.url("expired"), "http://192.0.2.1/x", "file:///etc/hostname"):
        for agent_question in (
            question(url, WrittenQuery(text=OXYGEN_QUESTION)),
            question(lecture, SpokenQuery(url=url, format="ogg")),
        ):
            _, failure = ask_until_failure(endpoint, agent_question)
            assert failure.code is AgentCode.REJECTED


def test_the_fault_throttled_refuses_one_request(endpoint: str, lecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(AgentRetry, "sleep", lambda retry, answer: pauses.append(retry.get_retry_after(answer) or 0))
    FAULTS.set(Fault.ANSWER_THROTTLED)
    for _ in range(2):
        assert answer_text(ask(endpoint, question(lecture, WrittenQuery(text=OXYGEN_QUESTION)))) == OXYGEN_ANSWER
        assert len(pauses) == 1
    assert pauses[0] >= 1, "the service asks for a second in Retry-After"


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault.ANSWER_DROPPED, AgentCode.UNAVAILABLE), (Fault.ANSWER_MALFORMED, AgentCode.MALFORMED)],
)
def test_a_fault_breaks_the_answer_in_the_middle(endpoint: str, lecture: str, fault: Fault, code: AgentCode) -> None:
    FAULTS.set(fault)
    text, failure = ask_until_failure(endpoint, question(lecture, WrittenQuery(text=OXYGEN_QUESTION)))
    assert failure.code is code
    assert 0 < len(text) < len(OXYGEN_ANSWER)
    assert OXYGEN_ANSWER.startswith(text)


def test_the_agent_answers_concurrent_requests_after_a_client_has_disconnected(endpoint: str, lecture: str) -> None:
    expected = {"oxygen": OXYGEN_ANSWER, "food": f"At 0:00 you hear: {clip_texts('photosynthesis')[0]}"}
    answers: list[tuple[str, str]] = []
    with create_client(endpoint).answer(question(lecture, WrittenQuery(text=OXYGEN_QUESTION))) as unread_answer:
        assert isinstance(next(unread_answer), AgentTranscript)

    def ask_in_thread(word: str) -> None:
        answers.append((word, answer_text(ask(endpoint, question(lecture, WrittenQuery(text=word))))))

    threads = [threading.Thread(target=ask_in_thread, args=(word,)) for word in [*expected] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
    assert sorted(answers) == sorted([*expected.items()] * 4)


def test_rare_words_count_more_and_equal_passages_are_in_the_order_of_the_lecture() -> None:
    lecture = [
        LecturePassage(text, number * 1000, number * 1000 + 500)
        for number, text in enumerate(["Plants eat.", "Plants eat fish.", "Plants sing.", "Plants eat fish."])
    ]
    assert find_best_passages(lecture, ["plant", "sing", "eat"])[0].text == "Plants sing."
    assert [item.start_ms for item in find_best_passages(lecture, ["fish"])] == [1000, 3000]
    assert len(find_best_passages(lecture, ["plant"])) == 3
    assert find_best_passages(lecture, ["good"]) == find_best_passages([], ["plant"]) == []


def test_a_passage_with_less_than_half_of_the_subject_is_no_answer() -> None:
    lecture = [LecturePassage("The green color comes from chlorophyll.", 0, 1)]
    assert make_reply(lecture, "What color is the moon on Monday?").passages == ()
    assert make_reply(lecture, "Where does the green color come from?").passages == tuple(lecture)


def test_question_words_are_no_content_and_the_plural_counts_as_the_singular() -> None:
    assert find_content_words("Why do the plants need it?") == {"plant", "need"}


def test_the_answer_states_the_minute_and_second_of_the_passage() -> None:
    assert make_reply([LecturePassage("Good.", 61_000, 62_000)], "good").text == "At 1:01 you hear: Good."
