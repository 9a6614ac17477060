"""Tests of the local voice Q&A agent, which answers questions about a lecture, with the handlers' client and real speech."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from handlers.voice_qa.environment import AgentCode
from handlers.voice_qa.messages import AudioPiece, CitationPiece, Piece, TextPiece, TranscriptPiece
from handlers.voice_qa.query_worker.agent import (
    Agent,
    AgentFailed,
    AgentQuestion,
    ContextTurn,
    QuestionLecture,
    SpokenQuery,
    WrittenQuery,
)
from local.audio_formats import decode_file
from local.emulation.faults import Faults
from local.emulation.speech.recognition import SpokenLine, recognise
from local.emulation.voice_qa_agent import NO_MATCH_ANSWER, find_passages, make_answer, serve
from local.flows.speech_clips import clip_texts, encode_clips
from local.flows.word_errors import MAX_WORD_ERROR_RATE, word_error_rate
from local.http_server import serve_handler

pytestmark = pytest.mark.media
LECTURE = ("photosynthesis", "sunlight", "oxygen")


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


def question(
    lecture_url: str,
    query: WrittenQuery | SpokenQuery,
    *,
    lecture_format: str = "ogg",
    earlier_turns: tuple[ContextTurn, ...] = (),
) -> AgentQuestion:
    """Return a question about a lecture that lasts one minute."""
    return AgentQuestion(
        query_id="query-01",
        session_id="a1" * 32,
        lecture=QuestionLecture(lecture_id="lecture", url=lecture_url, format=lecture_format, duration_ms=60_000),
        query=query,
        conversation=earlier_turns,
        language="en-US",
    )


OXYGEN_QUESTION = "What do plants release?"
OXYGEN_ANSWER = "At 0:07 you hear: The plants also release oxygen into the air."


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Yield the URL of an agent that sends the lines of an answer without pauses between them."""
    with serve(Faults(), message_seconds=0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    folder = tmp_path_factory.mktemp("files")
    with serve_handler(partial(_SilentHandler, directory=str(folder))) as port:
        yield FileServer(folder, port)


@pytest.fixture(scope="module")
def lecture(files: FileServer) -> str:
    """Return the URL of a lecture."""
    return files.put("lecture-one", encode_clips("ogg-opus", *LECTURE))


def ask(endpoint: str, agent_question: AgentQuestion) -> list[Piece]:
    with Agent.at_endpoint(endpoint).answer(agent_question, 1) as pieces:
        return list(pieces)


def answer_text(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, TextPiece))


def test_the_answer_quotes_and_plays_the_best_passage(endpoint: str, lecture: str, tmp_path: Path) -> None:
    pieces = ask(endpoint, question(lecture, WrittenQuery(text=OXYGEN_QUESTION)))
    assert isinstance(pieces[0], TranscriptPiece)
    assert pieces[0].text == OXYGEN_QUESTION
    assert answer_text(pieces) == OXYGEN_ANSWER
    citation = next(piece for piece in pieces if isinstance(piece, CitationPiece))
    assert citation.quote == clip_texts("oxygen")[0]
    assert 6_000 < citation.start_ms < citation.end_ms < 12_000
    audio = [base64.b64decode(piece.audio) for piece in pieces if isinstance(piece, AudioPiece)]
    (tmp_path / "answer").write_bytes(b"".join(audio))
    text = " ".join(line.text for line in recognise(decode_file(tmp_path / "answer", ["ogg"])))
    assert word_error_rate(clip_texts("oxygen")[0], text) <= MAX_WORD_ERROR_RATE, text
    kinds = [type(piece) for piece in pieces]
    assert TextPiece in kinds[kinds.index(AudioPiece) :], "audio is sent before the text is complete"


def test_a_question_that_the_lecture_does_not_answer_gets_an_answer_that_says_so(endpoint: str, lecture: str) -> None:
    pieces = ask(endpoint, question(lecture, WrittenQuery(text="Why is the sky blue?")))
    assert answer_text(pieces) == NO_MATCH_ANSWER
    assert [type(piece) for piece in pieces if not isinstance(piece, TextPiece)] == [TranscriptPiece]


def test_a_question_without_a_subject_is_about_the_previous_question(endpoint: str, lecture: str) -> None:
    turns = tuple(ContextTurn(question=text, answer="…") for text in ("sugar", OXYGEN_QUESTION))
    pieces = ask(endpoint, question(lecture, WrittenQuery(text="Can you tell me more?"), earlier_turns=turns))
    assert answer_text(pieces) == OXYGEN_ANSWER


def test_audio_that_cannot_be_downloaded_or_decoded_is_rejected(endpoint: str, lecture: str, files: FileServer) -> None:
    expired_url, written = files.url("expired"), WrittenQuery(text=OXYGEN_QUESTION)
    for agent_question in (
        question(lecture, written, lecture_format="mp3"),
        question(expired_url, written),
        question(lecture, SpokenQuery(url=expired_url, format="ogg")),
    ):
        with pytest.raises(AgentFailed) as failure:
            ask(endpoint, agent_question)
        assert (failure.value.cause, failure.value.retryable) == (AgentCode.REJECTED, False)


def test_the_best_passage_has_the_rarest_words_of_the_question_and_at_least_half_of_them() -> None:
    texts = ["Plants eat.", "Plants eat fish.", "Plants sing.", "Plants eat fish."]
    lecture = [SpokenLine(number, text, 61 + number, 90) for number, text in enumerate(texts)]
    assert make_answer(find_passages(lecture, "Do the plants eat and sing?")) == "At 1:03 you hear: Plants sing."
    assert find_passages(lecture, "fish") == [lecture[1], lecture[3]]
    assert find_passages(lecture, "What fish is on the moon on Monday?") == []
