"""Tests of the local voice Q&A agent, which answers questions about a lecture, with the handlers' client.

Speech consists of tones for the words of a small vocabulary. Some words of a question, for example `throttled`, make
the agent fail.
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
from local.emulation.speech.tone_words import SpokenWord, speech
from local.emulation.voice_qa_agent.agent_service import AnswerFault, serve
from local.emulation.voice_qa_agent.word_overlap_answers import (
    NO_MATCH_ANSWER,
    LecturePassage,
    find_best_passages,
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
"""ffmpeg options by audio format."""
LECTURE_WORDS = (
    *("hello", "world", "this", "is", "a", "test", "."),
    *("we", "speak", "of", "the", "stream", "."),
    *("captions", "come", "back", "again", "."),
    *("this", "is", "the", "stream", "again"),
)


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


def encode_recording(words: tuple[str, ...], audio_format: str = "ogg") -> bytes:
    """Return an audio file in which these words are spoken."""
    return run_ffmpeg(*pcm_input(RATE), *ENCODINGS[audio_format], "pipe:1", data=speech(words, RATE))


def question(
    lecture_url: str,
    query: WrittenQuery | SpokenQuery,
    *,
    lecture_format: str = "ogg",
    query_id: str = "query",
    earlier_turns: tuple[Turn, ...] = (),
) -> AgentQuestion:
    """Return a question about a lecture that lasts one minute."""
    lecture = Lecture("lecture", lecture_url, lecture_format, 60_000)
    return AgentQuestion(query_id, opaque_session_id("session"), lecture, query, earlier_turns)


CAPTIONS_ANSWER = "At 0:03 you hear: captions come back again."
"""Answer to a question about captions."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Yield the URL of an agent that sends the lines of an answer without pauses between them."""
    with serve(line_seconds=0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    folder = tmp_path_factory.mktemp("files")
    with serve_handler(partial(_SilentHandler, directory=str(folder))) as port:
        yield FileServer(folder, port)


@pytest.fixture(scope="module")
def lecture(files: FileServer) -> str:
    """Return the URL of a lecture."""
    return files.put("lecture-one", encode_recording(LECTURE_WORDS))


def create_client(endpoint: str, pauses: list[float] | None = None) -> HttpAgent:
    """Return the handlers' client, which adds the seconds between its attempts to a list and does not wait."""
    wait = (lambda _: None) if pauses is None else pauses.append
    return HttpAgent(endpoint, AnswerLimits(first_byte_seconds=TIMEOUT_SECONDS), RetryTiming(wait=wait))


def ask(endpoint: str, agent_question: AgentQuestion, pauses: list[float] | None = None) -> list[AgentPiece]:
    with create_client(endpoint, pauses).answer(agent_question) as pieces:
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
    return "".join(piece.text for piece in pieces if isinstance(piece, AgentTextPiece))


def citations(pieces: list[AgentPiece]) -> list[AgentCitationPiece]:
    return [piece for piece in pieces if isinstance(piece, AgentCitationPiece)]


def test_the_answer_quotes_and_cites_the_best_passage(endpoint: str, lecture: str) -> None:
    pieces = ask(endpoint, question(lecture, WrittenQuery("When do captions come?")))
    assert pieces[0] == AgentTranscriptPiece("When do captions come?")
    assert answer_text(pieces) == CAPTIONS_ANSWER
    [citation] = citations(pieces)
    assert citation.quote == "captions come back again"
    assert citation.start_ms == pytest.approx(3880, abs=60), "11 words of 280 ms and 2 full stops of 400 ms precede it"
    assert citation.end_ms == pytest.approx(4920, abs=60), (
        "its 4 words take 1120 ms with the gap of 80 ms after the last"
    )
    assert len([piece for piece in pieces if isinstance(piece, AgentTextPiece)]) == 8, "each word is a piece"


def test_the_answer_can_be_played_piece_by_piece_and_as_a_whole(endpoint: str, lecture: str, tmp_path: Path) -> None:
    pieces = ask(endpoint, question(lecture, WrittenQuery("When do captions come?")))

    def recognise(audio: bytes) -> list[str]:
        path = tmp_path / "answer"
        path.write_bytes(audio)
        return [item.text for item in recognise_file(path, ["ogg"]) if isinstance(item, SpokenWord)]

    audio = [piece.audio for piece in pieces if isinstance(piece, AgentAudioPiece)]
    words = ["you", "captions", "come", "back", "again"]  # the other words of the answer are not in the vocabulary
    assert [recognise(piece) for piece in audio] == [words[:4], words[4:]], "a piece of audio has at most four words"
    assert recognise(b"".join(audio)) == words
    kinds = [type(piece) for piece in pieces]
    assert AgentTextPiece in kinds[kinds.index(AgentAudioPiece) :], "audio is sent before the text is complete"


def test_a_question_without_a_matching_passage_gets_no_citation(endpoint: str, lecture: str) -> None:
    for text in ("please", "Why photosynthesis?", ""):
        pieces = ask(endpoint, question(lecture, WrittenQuery(text)))
        assert answer_text(pieces) == NO_MATCH_ANSWER
        assert citations(pieces) == []


def test_a_question_without_a_match_is_answered_like_the_previous_question(endpoint: str, lecture: str) -> None:
    turns = (Turn("hello", "…"), Turn("captions", "…"))
    pieces = ask(endpoint, question(lecture, WrittenQuery("more"), earlier_turns=turns))
    assert answer_text(pieces) == CAPTIONS_ANSWER


@pytest.mark.parametrize("audio_format", sorted(ENCODINGS))
def test_lectures_of_every_audio_format_are_recognised(endpoint: str, files: FileServer, audio_format: str) -> None:
    url = files.put(f"lecture-{audio_format}", encode_recording(LECTURE_WORDS, audio_format))
    pieces = ask(endpoint, question(url, WrittenQuery("captions"), lecture_format=audio_format))
    assert answer_text(pieces) == CAPTIONS_ANSWER


@pytest.mark.parametrize(
    ("is_ogg", "lecture_format"),
    [(True, "mp3"), (True, "wma"), (False, "ogg")],
    ids=["another format", "unsupported format", "no audio"],
)
def test_a_lecture_that_cannot_be_decoded_is_rejected(
    endpoint: str, files: FileServer, is_ogg: bool, lecture_format: str
) -> None:
    url = files.put("lecture-bad", encode_recording(LECTURE_WORDS) if is_ogg else b"no audio")
    _, failure = ask_until_failure(endpoint, question(url, WrittenQuery("captions"), lecture_format=lecture_format))
    assert (failure.code, failure.retryable) == (AgentCode.QUESTION_REJECTED, False)


def test_an_expired_url_or_one_of_another_host_is_rejected(endpoint: str, lecture: str, files: FileServer) -> None:
    for url in (files.url("expired"), "http://192.0.2.1/x", "file:///etc/hostname"):
        for agent_question in (question(url, WrittenQuery("captions")), question(lecture, SpokenQuery(url, "ogg"))):
            _, failure = ask_until_failure(endpoint, agent_question)
            assert failure.code is AgentCode.QUESTION_REJECTED


def test_the_word_throttled_throttles_the_first_request_of_each_query(endpoint: str, lecture: str) -> None:
    pauses: list[float] = []
    for query_id, pause_count in (("first", 1), ("first", 1), ("second", 2)):
        agent_question = question(lecture, WrittenQuery("throttled captions"), query_id=query_id)
        assert answer_text(ask(endpoint, agent_question, pauses)) == CAPTIONS_ANSWER
        assert len(pauses) == pause_count
    assert pauses[0] >= 1, "the service asks for a second in Retry-After"


@pytest.mark.parametrize(
    ("fault", "code"), [(AnswerFault.DROPPED, AgentCode.BROKEN_OFF), (AnswerFault.MALFORMED, AgentCode.MALFORMED)]
)
def test_a_fault_word_breaks_the_answer_in_the_middle(
    endpoint: str, lecture: str, files: FileServer, fault: AnswerFault, code: AgentCode
) -> None:
    url = files.put("query-fault", encode_recording(("captions", fault.value)))
    for query in (WrittenQuery(f"captions {fault}"), SpokenQuery(url, "ogg")):
        text, failure = ask_until_failure(endpoint, question(lecture, query))
        assert failure.code is code
        assert 0 < len(text) < len(CAPTIONS_ANSWER)
        assert CAPTIONS_ANSWER.startswith(text)


def test_the_agent_answers_concurrent_requests_after_a_client_has_disconnected(endpoint: str, lecture: str) -> None:
    expected = {"captions": CAPTIONS_ANSWER, "hello": "At 0:00 you hear: hello world this is a test."}
    answers: list[tuple[str, str]] = []
    with create_client(endpoint).answer(question(lecture, WrittenQuery("captions"))) as unread_answer:
        assert isinstance(next(iter(unread_answer)), AgentTranscriptPiece)

    def ask_in_thread(word: str) -> None:
        answers.append((word, answer_text(ask(endpoint, question(lecture, WrittenQuery(word))))))

    threads = [threading.Thread(target=ask_in_thread, args=(word,)) for word in [*expected] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
    assert sorted(answers) == sorted([*expected.items()] * 4)


def test_rare_words_count_more_and_equal_passages_are_in_the_order_of_the_lecture() -> None:
    lecture = [
        LecturePassage(words, number * 1000, number * 1000 + 500)
        for number, words in enumerate([("the", "is"), ("the", "is", "a"), ("the", "stream"), ("the", "is", "a")])
    ]
    assert find_best_passages(lecture, ["the", "stream", "is"])[0].words == ("the", "stream")
    assert [item.start_ms for item in find_best_passages(lecture, ["a"])] == [1000, 3000]
    assert len(find_best_passages(lecture, ["the"])) == 3
    assert find_best_passages(lecture, ["good"]) == find_best_passages([], ["the"]) == []


def test_the_answer_states_the_minute_and_second_of_the_passage() -> None:
    assert make_reply([LecturePassage(("good",), 61_000, 62_000)], ["good"], []).text == "At 1:01 you hear: good."
