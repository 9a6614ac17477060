"""Forwarding of pieces: numbering, division and posts in order to the listener."""

import base64
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.common.logging import EventLog
from handlers.voice_qa.query_worker import answer_forwarding
from handlers.voice_qa.query_worker.agent import agent_types
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentFailed, AnswerAudioFormat
from handlers.voice_qa.query_worker.answer_forwarding import MAX_AUDIO, MAX_CHARACTERS, MAX_LAST_POSTS, AnswerForwarder
from handlers.voice_qa.table_records import Listener
from handlers.voice_qa.websocket_messages import Answered
from tests.handlers.transcription.router_harness import Clock
from tests.handlers.voice_qa.query_worker.worker_harness import FailingClients

QUERY_ID = "query-number-1"
LAST = Answered(query_id=QUERY_ID, attempt=1, pieces=1)
FIRST = Listener(connection="c1", resume_from=0)
REFUSED = ClientError({"Error": {"Code": "LimitExceededException"}}, "PostToConnection")
LATE = ReadTimeoutError(endpoint_url="https://canary")


@dataclass
class ForwardedAnswer:
    """A forwarder, and a client `c1` that listens from some number on."""

    listener: Listener = FIRST
    clock: Clock = field(default_factory=Clock)
    clients: FailingClients = field(default_factory=FailingClients)
    looks: int = 0
    paused: list[float] = field(default_factory=list)
    look_fails: bool = False

    def __post_init__(self) -> None:
        self.forwarder = AnswerForwarder(
            QUERY_ID,
            1,
            self.listener,
            connections=self.clients,
            read_listener=self.look,
            clock_ms=self.clock,
            pause=self.paused.append,
            log=EventLog("ERROR"),
        )

    def look(self) -> Listener:
        self.looks += 1
        if self.look_fails:
            raise LATE
        return self.listener

    def send(self, *texts: str) -> None:
        for text in texts:
            self.forwarder.send(agent_types.AgentTextPiece(text))

    def numbers(self, connection: str = "c1") -> list[int]:
        return self.clients.piece_numbers(connection)


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=5),
    factor=st.integers(1, 5_000),
)
def test_divided_text_joins_to_the_same_text(texts: list[str], factor: int) -> None:
    line = ForwardedAnswer()
    line.send(*(text * factor for text in texts))
    sent = line.clients.inbox.get("c1", [])
    assert "".join(message["text"] for message in sent) == "".join(text * factor for text in texts)
    assert line.numbers() == list(range(len(sent)))
    assert all(_size(line, number) < 100_000 for number in range(len(sent)))


def _size(line: ForwardedAnswer, number: int) -> int:
    return len(line.forwarder.messages[number].model_dump_json(by_alias=True, exclude_none=True).encode())


@pytest.mark.parametrize("letter", ["\x00", '"', "€", "🐤"])
def test_the_longest_characters_in_json_still_fit(letter: str) -> None:
    line = ForwardedAnswer()
    line.send(letter * 40_000)
    line.forwarder.send(agent_types.AgentCitationPiece(0, 1, letter * 40_000))
    line.forwarder.send(agent_types.AgentTranscriptPiece(letter * 40_000))
    assert line.numbers() == [0, 1, 2, 3, 4]
    assert max(_size(line, number) for number in range(5)) < 100_000
    assert all(
        len(message[part]) == MAX_CHARACTERS
        for message, part in zip(line.clients.inbox["c1"][3:], ("quote", "text"), strict=True)
    )


@example(seed=b"x", length=MAX_AUDIO)
@example(seed=b"x", length=2 * MAX_AUDIO)
@given(seed=st.binary(min_size=1, max_size=50), length=st.integers(1, 3 * MAX_AUDIO))
def test_divided_audio_joins_to_the_same_bytes(seed: bytes, length: int) -> None:
    audio = (seed * length)[:length]
    line = ForwardedAnswer()
    line.forwarder.send(agent_types.AgentAudioPiece(audio, AnswerAudioFormat.MP3))
    sent = line.clients.sent_to("c1", "audio")
    assert b"".join(base64.b64decode(message["audio"]) for message in sent) == audio
    assert [message["more"] for message in sent] == [True] * (len(sent) - 1) + [False]
    assert all(_size(line, number) < 100_000 for number in range(len(sent)))
    assert {message["format"] for message in sent} == {"mp3"}


def test_an_answer_with_too_many_pieces_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_forwarding, "MAX_MESSAGES", 2)
    line = ForwardedAnswer()
    line.send("a", "b")
    with pytest.raises(AgentFailed) as raised:
        line.send("c")
    assert raised.value.code is AgentCode.TOO_MUCH
    assert len(line.forwarder.messages) == 2


def test_the_listener_is_read_every_two_seconds() -> None:
    line = ForwardedAnswer()
    for _ in range(8):
        line.clock.now_ms += 500
        line.send("x")
    assert line.looks == 2


def test_the_listener_is_also_read_while_many_pieces_are_posted() -> None:
    line = ForwardedAnswer(Listener(connection="", resume_from=0))
    line.send(*"abcdefgh")

    def slow(*_: object) -> None:
        line.clock.now_ms += 500
        if line.clock.now_ms - began >= 1_000:
            line.listener = Listener(connection="c2", resume_from=0)

    began = line.clock.now_ms = line.clock.now_ms + 2_000
    line.clients.after_post, line.listener = slow, Listener(connection="c1", resume_from=0)
    line.send("i")
    assert line.numbers() == [0, 1, 2, 3]
    assert line.numbers("c2") == list(range(9))


def test_a_disconnected_client_gets_no_posts_until_a_client_listens_again() -> None:
    line = ForwardedAnswer()
    line.clients.gone.add("c1")
    line.send("a")
    line.clients.gone.clear()
    line.clock.now_ms += 10_000
    line.send("b")
    assert (line.numbers(), line.looks) == ([], 2)
    assert not line.forwarder.end(line.listener, LAST)
    assert (line.clients.inbox, line.paused) == ({}, [])


@pytest.mark.parametrize("error", [REFUSED, LATE])
def test_a_failed_post_is_repeated_before_the_next_one(error: Exception) -> None:
    line = ForwardedAnswer(look_fails=True)
    line.clients.failures = [error]
    line.send("a", "b")
    assert line.numbers() == [], "no post is made for a while"
    line.clock.now_ms += 2_000
    line.send("c")
    assert line.numbers() == [0, 1, 2]


@pytest.mark.parametrize(("failures", "ended"), [(2, True), (99, False)])
def test_a_post_that_fails_at_the_end_is_repeated_a_limited_number_of_times(failures: int, *, ended: bool) -> None:
    line = ForwardedAnswer()
    line.send("a")
    line.clients.failures = [LATE] * failures
    assert line.forwarder.end(line.listener, LAST) is ended
    assert line.paused == [2.0] * (MAX_LAST_POSTS - 1)
    assert line.numbers() == [0]


EVENTS = st.lists(
    st.one_of(
        st.just("say"),
        st.just("fail"),
        st.sampled_from([500, 2_000]),
        st.tuples(st.sampled_from(["c1", "c2", "c3"]), st.integers(0, 6)),
        st.sampled_from(["-c1", "-c2", "-c3"]),
    ),
    max_size=30,
)


@given(events=EVENTS)
def test_each_listener_gets_pieces_in_order_and_without_gaps(events: list[str | int | tuple[str, int]]) -> None:
    line = ForwardedAnswer()
    starts: dict[str, list[int]] = {"c1": [0], "c2": [], "c3": []}
    for event in events:
        match event:
            case "say":
                line.send("x")
            case "fail":
                line.clients.failures = [REFUSED]
            case int(passed):
                line.clock.now_ms += passed
            case (connection, number):
                line.clients.gone.discard(connection)
                line.listener = Listener(connection=connection, resume_from=number)
                starts[connection].append(number)
            case str(gone):
                line.clients.gone.add(gone[1:])
    line.clients.failures = []
    ended = line.forwarder.end(line.listener, LAST)
    for connection, asked in starts.items():
        numbers = line.numbers(connection)
        breaks = [later for earlier, later in pairwise(numbers) if later != earlier + 1]
        assert all(number in asked for number in [*numbers[:1], *breaks]), "it restarts only at the requested number"
    if ended:
        assert line.clients.inbox[line.listener.connection][-1]["type"] == "answered"
        expected = list(range(line.listener.resume_from, len(line.forwarder.messages)))
        assert not expected or line.numbers(line.listener.connection)[-len(expected) :] == expected
