"""Tests of the local agent with the handlers' client: answers from the lecture, and failures that the question
requests.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from handlers.common.aws.retry import RetryTiming
from handlers.voice_qa.query_worker.agent.agent_call import AnswerLimits
from handlers.voice_qa.query_worker.agent.agent_types import (
    AgentAudioPiece,
    AgentCitationPiece,
    AgentCode,
    AgentFailed,
    AgentPiece,
    AgentQuestion,
    AgentTextPiece,
    AgentTranscriptPiece,
    Lecture,
    SpokenQuery,
    Turn,
    WrittenQuery,
    opaque_session_id,
)
from handlers.voice_qa.query_worker.agent.http_agent_client import HttpAgent
from local.emulation.speech.audio_encoding_and_recognition import recognise_file
from local.emulation.speech.tone_words import Pause, SpokenWord, speech
from local.emulation.voice_qa_agent.agent_service import AnswerFault, serve
from local.emulation.voice_qa_agent.word_overlap_answers import (
    NO_MATCH_ANSWER,
    LecturePassage,
    find_best_passages,
    find_passages,
    make_reply,
)
from local.ffmpeg import pcm_input, run_ffmpeg
from local.http_server import serve_handler
from tests.local.emulation.server_threads import TIMEOUT_SECONDS

pytestmark = pytest.mark.media
RATE = 16000
ENCODINGS = {
    "mp3": ("-f", "mp3"),
    "mp4": ("-f", "mp4", "-movflags", "frag_keyframe+empty_moov"),
    "m4a": ("-f", "ipod", "-movflags", "frag_keyframe+empty_moov"),
    "wav": ("-f", "wav"),
    "flac": ("-f", "flac"),
    "ogg": ("-c:a", "libopus", "-b:a", "24k", "-f", "ogg"),
    "webm": ("-c:a", "libopus", "-b:a", "24k", "-f", "webm"),
}
LECTURE = (
    *("hello", "world", "this", "is", "a", "test", "."),
    *("we", "speak", "of", "the", "stream", "."),
    *("captions", "come", "back", "again", "."),
    *("this", "is", "the", "stream", "again"),
)


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@dataclass(frozen=True)
class Shelf:
    """HTTP server of files, in place of presigned S3 URLs."""

    folder: Path
    port: int

    def put(self, name: str, content: bytes) -> str:
        """Store a file, and return its URL."""
        (self.folder / name).write_bytes(content)
        return self.url(name)

    def url(self, name: str) -> str:
        """Return the URL of a file, which need not exist."""
        return f"http://127.0.0.1:{self.port}/{name}?X-Amz-Signature=canary"


def recorded(words: tuple[str, ...], audio_format: str = "ogg") -> bytes:
    """Return words as an audio file of a format."""
    return run_ffmpeg(*pcm_input(RATE), *ENCODINGS[audio_format], "pipe:1", data=speech(words, RATE))


def question(
    lecture_url: str,
    query: WrittenQuery | SpokenQuery,
    *,
    lecture_format: str = "ogg",
    query_id: str = "query",
    before: tuple[Turn, ...] = (),
) -> AgentQuestion:
    """Return a question about a lecture that lasts one minute."""
    lecture = Lecture("lecture", lecture_url, lecture_format, 60_000)
    return AgentQuestion(query_id, opaque_session_id("session"), lecture, query, before)


CAPTIONS = "At 0:03 you hear: captions come back again."


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve(line_seconds=0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder = tmp_path_factory.mktemp("files")
    with serve_handler(partial(_Silent, directory=str(folder))) as port:
        yield Shelf(folder, port)


@pytest.fixture(scope="module")
def lecture(files: Shelf) -> str:
    return files.put("lecture-one", recorded(LECTURE))


def agent(endpoint: str, waits: list[float] | None = None) -> HttpAgent:
    wait = (lambda _: None) if waits is None else waits.append
    return HttpAgent(endpoint, AnswerLimits(first_byte_seconds=TIMEOUT_SECONDS), RetryTiming(wait=wait))


def asked(endpoint: str, about: AgentQuestion, waits: list[float] | None = None) -> list[AgentPiece]:
    with agent(endpoint, waits).answer(about) as pieces:
        return list(pieces)


def failure(endpoint: str, about: AgentQuestion) -> tuple[str, AgentFailed]:
    result: list[AgentPiece] = []
    try:
        with agent(endpoint).answer(about) as pieces:
            result.extend(pieces)
    except AgentFailed as failed:
        return answer_text(result), failed
    pytest.fail("the answer did not fail")


def answer_text(pieces: list[AgentPiece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, AgentTextPiece))


def citations(pieces: list[AgentPiece]) -> list[AgentCitationPiece]:
    return [piece for piece in pieces if isinstance(piece, AgentCitationPiece)]


def test_the_best_passage_is_the_answer(endpoint: str, lecture: str) -> None:
    pieces = asked(endpoint, question(lecture, WrittenQuery("When do captions come?")))
    assert pieces[0] == AgentTranscriptPiece("When do captions come?")
    assert answer_text(pieces) == CAPTIONS
    [citation] = citations(pieces)
    assert citation.quote == "captions come back again"
    assert citation.start_ms == pytest.approx(3880, abs=60)
    assert citation.end_ms == pytest.approx(4920, abs=60)
    assert len([piece for piece in pieces if isinstance(piece, AgentTextPiece)]) == 8


def test_the_answer_can_be_played_piece_by_piece_and_as_a_whole(endpoint: str, lecture: str, tmp_path: Path) -> None:
    pieces = asked(endpoint, question(lecture, WrittenQuery("When do captions come?")))

    def heard(audio: bytes) -> list[str]:
        path = tmp_path / "answer"
        path.write_bytes(audio)
        return [item.text for item in recognise_file(path, ["ogg"]) if isinstance(item, SpokenWord)]

    sounds = [piece.audio for piece in pieces if isinstance(piece, AgentAudioPiece)]
    words = ["you", "captions", "come", "back", "again"]
    assert [heard(sound) for sound in sounds] == [words[:4], words[4:]]
    assert heard(b"".join(sounds)) == words
    kinds = [type(piece) for piece in pieces]
    assert kinds.index(AgentAudioPiece) < max(at for at, kind in enumerate(kinds) if kind is AgentTextPiece)


def test_a_question_without_a_matching_passage_gets_no_citation(endpoint: str, lecture: str) -> None:
    for text in ("please", "Why photosynthesis?", ""):
        pieces = asked(endpoint, question(lecture, WrittenQuery(text)))
        assert answer_text(pieces) == NO_MATCH_ANSWER
        assert citations(pieces) == []


def test_a_question_without_a_match_uses_the_previous_question(endpoint: str, lecture: str) -> None:
    before = (Turn("hello", "…"), Turn("captions", "…"))
    assert answer_text(asked(endpoint, question(lecture, WrittenQuery("more"), before=before))) == CAPTIONS


@pytest.mark.parametrize("audio_format", sorted(ENCODINGS))
def test_every_format_is_recognised(endpoint: str, files: Shelf, audio_format: str) -> None:
    url = files.put(f"lecture-{audio_format}", recorded(LECTURE, audio_format))
    about = question(url, WrittenQuery("captions"), lecture_format=audio_format)
    assert answer_text(asked(endpoint, about)) == CAPTIONS


@pytest.mark.parametrize(("lecture_format", "content"), [("mp3", None), ("ogg", b"no audio"), ("wma", None)])
def test_a_lecture_that_cannot_be_decoded_is_rejected(
    endpoint: str, files: Shelf, lecture_format: str, content: bytes | None
) -> None:
    url = files.put("lecture-bad", recorded(LECTURE) if content is None else content)
    _, failed = failure(endpoint, question(url, WrittenQuery("captions"), lecture_format=lecture_format))
    assert (failed.code, failed.retryable) == (AgentCode.QUESTION_REJECTED, False)


def test_a_url_that_has_expired_or_is_on_another_host_is_rejected(endpoint: str, lecture: str, files: Shelf) -> None:
    for url in (files.url("expired"), "http://192.0.2.1/x", "file:///etc/hostname"):
        assert failure(endpoint, question(url, WrittenQuery("captions")))[1].code is AgentCode.QUESTION_REJECTED
        assert failure(endpoint, question(lecture, SpokenQuery(url, "ogg")))[1].code is AgentCode.QUESTION_REJECTED


def test_a_query_is_throttled_once(endpoint: str, lecture: str) -> None:
    waits: list[float] = []
    for query_id, times in (("first", 1), ("first", 1), ("second", 2)):
        about = question(lecture, WrittenQuery("throttled captions"), query_id=query_id)
        assert answer_text(asked(endpoint, about, waits)) == CAPTIONS
        assert len(waits) == times
    assert waits[0] >= 1


@pytest.mark.parametrize(
    ("fault", "code"), [(AnswerFault.DROPPED, AgentCode.BROKEN_OFF), (AnswerFault.MALFORMED, AgentCode.MALFORMED)]
)
def test_a_fault_happens_in_the_middle_of_the_answer(
    endpoint: str, lecture: str, files: Shelf, fault: AnswerFault, code: AgentCode
) -> None:
    url = files.put("query-fault", recorded(("captions", fault.value)))
    for query in (WrittenQuery(f"captions {fault}"), SpokenQuery(url, "ogg")):
        text, failed = failure(endpoint, question(lecture, query))
        assert failed.code is code
        assert 0 < len(text) < len(CAPTIONS)
        assert CAPTIONS.startswith(text)


def test_the_agent_answers_concurrent_requests_after_a_client_has_disconnected(endpoint: str, lecture: str) -> None:
    wanted = {"captions": CAPTIONS, "hello": "At 0:00 you hear: hello world this is a test."}
    result: list[tuple[str, str]] = []
    with agent(endpoint).answer(question(lecture, WrittenQuery("captions"))) as left:
        assert isinstance(next(iter(left)), AgentTranscriptPiece)

    def ask(word: str) -> None:
        result.append((word, answer_text(asked(endpoint, question(lecture, WrittenQuery(word))))))

    threads = [threading.Thread(target=ask, args=(word,)) for word in [*wanted] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
    assert sorted(result) == sorted([*wanted.items()] * 4)


def test_passages_are_separated_by_pauses() -> None:
    items: list[SpokenWord | Pause] = [
        Pause(0),
        SpokenWord("a", 1, 2),
        SpokenWord("b", 2, 3),
        Pause(4),
        Pause(5),
        SpokenWord("c", 6, 7),
    ]
    assert find_passages(items) == [LecturePassage(("a", "b"), 1000, 3000), LecturePassage(("c",), 6000, 7000)]
    assert find_passages([]) == []


def test_rare_words_weigh_more_and_the_earlier_passage_wins() -> None:
    lecture = [
        LecturePassage(words, at * 1000, at * 1000 + 500)
        for at, words in enumerate([("the", "is"), ("the", "is", "a"), ("the", "stream"), ("the", "is", "a")])
    ]
    assert find_best_passages(lecture, ["the", "stream", "is"])[0].words == ("the", "stream")
    assert [item.start_ms for item in find_best_passages(lecture, ["a"])] == [1000, 3000]
    assert len(find_best_passages(lecture, ["the"])) == 3
    assert find_best_passages(lecture, ["good"]) == find_best_passages([], ["the"]) == []
    assert make_reply([LecturePassage(("good",), 61_000, 62_000)], ["good"], []).text == "At 1:01 you hear: good."
