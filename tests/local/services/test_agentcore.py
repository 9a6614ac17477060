"""The local agent and our client: it answers out of what the lecture says, and fails as a question's words tell it."""

import http.client
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.common.patience import Timing
from handlers.voice_qa.agent import (
    AgentCode,
    AgentFailed,
    AudioPiece,
    CitationPiece,
    Piece,
    Question,
    SpokenQuery,
    TextPiece,
    TranscriptPiece,
    Turn,
    WrittenQuery,
)
from handlers.voice_qa.agent_answer import Limits
from handlers.voice_qa.agent_http import HttpAgent
from local.services.agentcore import _Rate
from local.services.agentcore_answers import NOTHING, Passage, best, passages, spoken, words_of
from local.services.agentcore_faults import Fault, fault_of
from local.services.agentcore_hearing import Ears, Unheard
from local.services.tones import Pause, Word
from tests.local.services.agentcore_serving import (
    ENCODINGS,
    LECTURE,
    Shelf,
    answering,
    question,
    recorded,
    shelf,
)
from tests.local.services.threads import PATIENCE

pytestmark = pytest.mark.media
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with answering() as found:
        yield found


@pytest.fixture(scope="module")
def files() -> Iterator[Shelf]:
    with shelf() as found:
        yield found


@pytest.fixture(scope="module")
def lecture(files: Shelf) -> str:
    return files.put("lectures/one", recorded(LECTURE))


def agent(endpoint: str, waits: list[float] | None = None, limits: Limits | None = None) -> HttpAgent:
    wait = (lambda _: None) if waits is None else waits.append
    return HttpAgent(endpoint, limits or Limits(first_byte_seconds=PATIENCE), Timing(wait=wait))


def asked(endpoint: str, about: Question, waits: list[float] | None = None) -> list[Piece]:
    with agent(endpoint, waits).answer(about) as found:
        return list(found)


def said(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, TextPiece))


def cited(pieces: list[Piece]) -> list[CitationPiece]:
    return [piece for piece in pieces if isinstance(piece, CitationPiece)]


def heard(audio: bytes, files: Shelf) -> list[str]:
    url = files.put("heard", audio)
    return [one.text for one in Ears().hear(url, "ogg") if isinstance(one, Word)]


def test_the_best_passage_is_the_answer(endpoint: str, lecture: str) -> None:
    pieces = asked(endpoint, question(lecture, WrittenQuery("When do captions come?")))
    assert pieces[0] == TranscriptPiece("When do captions come?")
    assert said(pieces) == "At 0:03 you hear: captions come back again."
    [citation] = cited(pieces)
    assert citation.quote == "captions come back again"
    assert citation.start_ms == pytest.approx(3880, abs=60)
    assert citation.end_ms == pytest.approx(4920, abs=60)
    assert len([piece for piece in pieces if isinstance(piece, TextPiece)]) == 8


def test_a_question_may_be_spoken(endpoint: str, lecture: str, files: Shelf) -> None:
    url = files.put("queries/one", recorded(("speak", "of", "captions"), "webm"))
    pieces = asked(endpoint, question(lecture, SpokenQuery(url, "webm")))
    assert pieces[0] == TranscriptPiece("speak of captions")
    assert [one.quote for one in cited(pieces)] == ["we speak of the stream", "captions come back again"]


def test_another_question_has_another_answer(endpoint: str, lecture: str) -> None:
    assert said(asked(endpoint, question(lecture, WrittenQuery("hello world")))).endswith("hello world this is a test.")


def test_another_lecture_gives_another_answer(endpoint: str, lecture: str, files: Shelf) -> None:
    other = files.put("lectures/two", recorded(("good", "day", ".", "thank", "you", "captions")))
    wanted = WrittenQuery("captions")
    assert said(asked(endpoint, question(other, wanted))) == "At 0:00 you hear: thank you captions."
    assert said(asked(endpoint, question(lecture, wanted))) != said(asked(endpoint, question(other, wanted)))
    files.put("lectures/two", recorded(("captions", "please")))
    assert said(asked(endpoint, question(other, wanted))) == "At 0:00 you hear: captions please."


def test_the_answer_can_be_heard_piece_by_piece_and_as_a_whole(endpoint: str, lecture: str, files: Shelf) -> None:
    pieces = asked(endpoint, question(lecture, WrittenQuery("When do captions come?")))
    sounds = [piece.audio for piece in pieces if isinstance(piece, AudioPiece)]
    words = ["you", "captions", "come", "back", "again"]
    assert [heard(sound, files) for sound in sounds] == [words[:4], words[4:]]
    assert heard(b"".join(sounds), files) == words
    kinds = [type(piece) for piece in pieces]
    assert kinds.index(AudioPiece) < max(at for at, kind in enumerate(kinds) if kind is TextPiece)


def test_what_the_lecture_does_not_say_is_not_cited(endpoint: str, lecture: str) -> None:
    for text in ("please", "Why photosynthesis?", "", "?"):
        pieces = asked(endpoint, question(lecture, WrittenQuery(text)))
        assert said(pieces) == NOTHING
        assert cited(pieces) == []


def test_a_question_that_leads_nowhere_goes_on_with_the_one_before(endpoint: str, lecture: str) -> None:
    before = (Turn("hello", "…"), Turn("captions", "…"))
    pieces = asked(endpoint, question(lecture, WrittenQuery("more"), before=before))
    assert said(pieces) == "At 0:03 you hear: captions come back again."


@pytest.mark.parametrize("audio_format", sorted(ENCODINGS))
def test_every_format_is_heard(endpoint: str, files: Shelf, audio_format: str) -> None:
    url = files.put(f"lectures/{audio_format}", recorded(LECTURE, audio_format))
    about = question(url, WrittenQuery("captions"), lecture_format=audio_format)
    assert said(asked(endpoint, about)) == "At 0:03 you hear: captions come back again."


def failure(endpoint: str, about: Question, limits: Limits | None = None) -> tuple[str, AgentFailed]:
    found: list[Piece] = []
    try:
        with agent(endpoint, limits=limits).answer(about) as pieces:
            found.extend(pieces)
    except AgentFailed as failed:
        return said(found), failed
    pytest.fail("the answer did not fail")


@pytest.mark.parametrize(
    ("lecture_format", "content"), [("mp3", None), ("ogg", b"no audio"), ("wma", None), ("wav", None), ("ogg", b"")]
)
def test_a_lecture_that_cannot_be_heard_is_rejected(
    endpoint: str, files: Shelf, lecture_format: str, content: bytes | None
) -> None:
    url = files.put("lectures/bad", recorded(LECTURE) if content is None else content)
    _, failed = failure(endpoint, question(url, WrittenQuery("captions"), lecture_format=lecture_format))
    assert (failed.code, failed.retryable) == (AgentCode.REJECTED, False)


def test_an_address_that_has_expired_is_rejected(endpoint: str, lecture: str, files: Shelf) -> None:
    # Even where what comes with the refusal could be heard.
    gone = files.put("lectures/gone", recorded(LECTURE))
    files.forbidden.add("/lectures/gone")
    assert failure(endpoint, question(gone, WrittenQuery("captions")))[1].code is AgentCode.REJECTED
    assert failure(endpoint, question(lecture, SpokenQuery(gone, "ogg")))[1].code is AgentCode.REJECTED


@pytest.mark.parametrize("url", ["http://192.0.2.1/x", "https://127.0.0.1/x", "file:///etc/hostname", "x", ""])
def test_nothing_but_this_machine_is_asked_for_audio(url: str) -> None:
    with pytest.raises(Unheard):
        Ears().hear(url, "ogg")


def test_a_redirect_is_not_followed(lecture: str, files: Shelf) -> None:
    files.fetched.clear()
    with pytest.raises(Unheard):
        Ears().hear(lecture.replace("/one", "/moved"), "ogg")
    assert files.fetched == ["/lectures/moved"]


def test_one_is_throttled_once_a_query(endpoint: str, lecture: str) -> None:
    wanted = WrittenQuery("throttled captions")
    waits: list[float] = []
    pieces = asked(endpoint, question(lecture, wanted, query_id="first"), waits)
    assert said(pieces) == "At 0:03 you hear: captions come back again."
    assert len(waits) == 1
    assert waits[0] >= 1
    asked(endpoint, question(lecture, wanted, query_id="first"), waits)
    assert len(waits) == 1
    asked(endpoint, question(lecture, wanted, query_id="second"), waits)
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.DROPPED, AgentCode.BROKEN_OFF), (Fault.MALFORMED, AgentCode.MALFORMED)]
)
def test_a_fault_comes_in_the_middle(endpoint: str, lecture: str, files: Shelf, fault: Fault, code: AgentCode) -> None:
    url = files.put("queries/fault", recorded(("captions", fault.value)))
    for query in (WrittenQuery(f"captions {fault}"), SpokenQuery(url, "ogg")):
        text, failed = failure(endpoint, question(lecture, query))
        assert failed.code is code
        assert "At 0:03 you hear: captions come back again.".startswith(text)


def test_the_broken_agent_is_never_there(endpoint: str, lecture: str) -> None:
    text, failed = failure(endpoint, question(lecture, WrittenQuery("broken")))
    assert (text, failed.code) == ("", AgentCode.UNAVAILABLE)


def test_an_endless_answer_is_ended_by_its_listener(endpoint: str, lecture: str) -> None:
    limits = Limits(first_byte_seconds=PATIENCE, answer_seconds=0.5)
    text, failed = failure(endpoint, question(lecture, WrittenQuery("endless captions")), limits)
    assert failed.code is AgentCode.TOO_SLOW
    assert "At 0:03 you hear: captions come back again.".startswith(text)


def test_a_session_asks_only_so_often(lecture: str) -> None:
    with answering(per_minute=2) as endpoint:
        for _ in range(2):
            asked(endpoint, question(lecture, WrittenQuery("captions")))
        _, failed = failure(endpoint, question(lecture, WrittenQuery("captions")), Limits())
        assert failed.code is AgentCode.THROTTLED
        assert failed.retry_after_ms is not None
        assert 50_000 < failed.retry_after_ms <= 60_000
        assert said(asked(endpoint, question(lecture, WrittenQuery("captions"), session="other")))


def test_who_has_waited_may_ask_again() -> None:
    at = [0.0]
    rate = _Rate(2, lambda: at[0])
    assert [rate.wait("one") for _ in range(3)] == [None, None, 60]
    at[0] = 59.5
    assert rate.wait("one") == 1
    at[0] = 60
    assert rate.wait("one") is None


def plain(endpoint: str, method: str, path: str, body: bytes = b"") -> int:
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request(method, path, body)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ping", 200),
        ("GET", "/ping?x", 200),
        ("POST", "/ping", 405),
        ("GET", "/answer", 405),
        ("GET", "/", 404),
        ("POST", "/other", 404),
    ],
)
def test_it_answers_where_it_should(endpoint: str, method: str, path: str, status: int) -> None:
    assert plain(endpoint, method, path) == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"1",
        b"\xff",
        b"[" * 100_000,
        json.dumps({"schemaVersion": 1}).encode(),
        json.dumps({"schemaVersion": 2, "lecture": {}, "query": {}}).encode(),
        json.dumps({"schemaVersion": 1, "lecture": [], "query": "text"}).encode(),
        json.dumps({"schemaVersion": 1, "lecture": {}, "query": {"url": "x"}}).encode(),
    ],
)
def test_what_is_no_question_is_refused(endpoint: str, body: bytes) -> None:
    assert plain(endpoint, "POST", "/answer", body) == 400


def test_too_long_a_question_is_refused(endpoint: str, lecture: str) -> None:
    text, failed = failure(endpoint, question(lecture, WrittenQuery("a" * 1024 * 1024)))
    assert (text, failed.code) == ("", AgentCode.REJECTED)


def test_it_answers_many_at_once(endpoint: str, lecture: str) -> None:
    wanted = {"captions": "captions come back again.", "hello": "hello world this is a test."}
    found: dict[int, str] = {}

    def ask(at: int, word: str) -> None:
        found[at] = said(asked(endpoint, question(lecture, WrittenQuery(word), session=f"session {at}")))

    words = list(wanted) * 4
    threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(words)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert all(found[at].endswith(wanted[word]) for at, word in enumerate(words))


def test_it_serves_on_after_a_caller_has_vanished(endpoint: str, lecture: str) -> None:
    with agent(endpoint).answer(question(lecture, WrittenQuery("endless captions"))) as found:
        assert isinstance(next(iter(found)), TranscriptPiece)
    assert said(asked(endpoint, question(lecture, WrittenQuery("captions"))))


@pytest.mark.skipif(not (ROOT / ".venv-emulator").exists(), reason="the emulator's environment is not there")
def test_it_needs_nothing_that_the_emulators_environment_lacks() -> None:
    python = ROOT / ".venv-emulator/bin/python"
    assert shutil.which(str(python))
    subprocess.run([python, "-c", "import local.services.agentcore"], cwd=ROOT, check=True, timeout=PATIENCE)  # noqa: S603 - our own


def test_passages_are_between_pauses() -> None:
    heard: list[Word | Pause] = [Pause(0), Word("a", 1, 2), Word("b", 2, 3), Pause(4), Pause(5), Word("c", 6, 7)]
    assert passages(heard) == [Passage(("a", "b"), 1000, 3000), Passage(("c",), 6000, 7000)]
    assert passages([]) == []


def test_a_rare_word_weighs_more_than_a_common_one_and_the_earlier_wins() -> None:
    lecture = [
        Passage(words, at * 1000, at * 1000 + 500)
        for at, words in enumerate([("the", "is"), ("the", "is", "a"), ("the", "stream"), ("the", "is", "a")])
    ]
    assert best(lecture, ["the", "stream", "is"])[0].words == ("the", "stream")
    assert [one.start_ms for one in best(lecture, ["a"])] == [1000, 3000]
    assert len(best(lecture, ["the"])) == 3
    assert best(lecture, ["good"]) == best([], ["the"]) == []


def test_a_fault_is_no_word_that_is_looked_for() -> None:
    assert best([Passage(("endless", "stream"), 0, 1)], ["endless"]) == []
    assert fault_of(["a", "endless", "broken"]) is Fault.ENDLESS
    assert fault_of(["hello"]) is None


def test_only_words_of_the_vocabulary_are_spoken() -> None:
    assert spoken("At 0:12 you hear: hello world, photosynthesis is a live test.") == [
        ("you", "hello", "world", "is"),
        ("a", "live", "test"),
    ]
    assert spoken("At noon.") == []
    assert words_of("What's THIS?") == ("what", "s", "this")
