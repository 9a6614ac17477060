"""Forwarding of the agent's pieces to the listener, the connection that the question's record names.

Pieces are divided into numbered messages. A listener gets them in order from the number that it requests, also if posts
fail, its connection closes, or another connection becomes the listener.
"""

import base64
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.common.logging import EventLog
from handlers.voice_qa.query_worker import agent_protocol, answer_forwarding
from handlers.voice_qa.query_worker.agent_protocol import AgentFailed, AnswerAudioFormat
from handlers.voice_qa.query_worker.answer_forwarding import MAX_AUDIO, MAX_CHARACTERS, MAX_LAST_POSTS, AnswerForwarder
from handlers.voice_qa.query_worker.environment import AgentCode
from handlers.voice_qa.table_records import Listener
from handlers.voice_qa.websocket_messages import Answered
from tests.handlers.transcription.router_harness import Clock
from tests.handlers.voice_qa.query_worker.worker_harness import FailingClients

QUERY_ID = "query-number-1"
LAST_MESSAGE = Answered(query_id=QUERY_ID, attempt=1, pieces=1)
CLIENT_1 = Listener(connection="c1", resume_from=0)
POST_REFUSED = ClientError({"Error": {"Code": "LimitExceededException"}}, "PostToConnection")
TIMED_OUT = ReadTimeoutError(endpoint_url="https://canary")


@dataclass
class ForwarderHarness:
    """A forwarder with fake clients and a manual clock. Client `c1` is the first listener.

    A test changes `listener`, the listener in the question's record, and inspects what each client received.
    """

    listener: Listener = CLIENT_1
    clock: Clock = field(default_factory=Clock)
    clients: FailingClients = field(default_factory=FailingClients)
    listener_reads: int = 0
    """Number of reads of the question's record."""
    listener_read_fails: bool = False
    pauses: list[float] = field(default_factory=list)
    """Seconds of the pauses between repeated posts of the last message."""

    def __post_init__(self) -> None:
        self.forwarder = AnswerForwarder(
            QUERY_ID,
            1,
            self.listener,
            connections=self.clients,
            read_listener=self.read_listener,
            clock_ms=self.clock,
            pause=self.pauses.append,
            log=EventLog("ERROR"),
        )

    def read_listener(self) -> Listener:
        self.listener_reads += 1
        if self.listener_read_fails:
            raise TIMED_OUT
        return self.listener

    def send(self, *texts: str) -> None:
        for text in texts:
            self.forwarder.send(agent_protocol.AgentText(text=text))

    def piece_numbers(self, connection: str = "c1") -> list[int]:
        return self.clients.piece_numbers(connection)

    def message_sizes(self) -> list[int]:
        """Return the size of each message in bytes."""
        messages = self.forwarder.messages
        return [len(message.model_dump_json(by_alias=True, exclude_none=True).encode()) for message in messages]


@given(
    texts=st.lists(st.text('a"\\\n€🐤', min_size=1), max_size=5),
    factor=st.integers(1, 5_000),
)
def test_divided_text_joins_to_the_same_text(texts: list[str], factor: int) -> None:
    harness = ForwarderHarness()
    harness.send(*(text * factor for text in texts))
    sent_messages = harness.clients.inbox.get("c1", [])
    assert "".join(message["text"] for message in sent_messages) == "".join(text * factor for text in texts)
    assert harness.piece_numbers() == list(range(len(sent_messages)))
    assert all(size < 100_000 for size in harness.message_sizes())


@pytest.mark.parametrize("character", ["\\", '"', "€", "🐤"])
def test_messages_of_the_longest_characters_in_json_are_within_the_limit(character: str) -> None:
    harness = ForwarderHarness()
    harness.send(character * 40_000)
    harness.forwarder.send(agent_protocol.AgentCitation(start_ms=0, end_ms=1, quote=character * 40_000))
    harness.forwarder.send(agent_protocol.AgentTranscript(text=character * 40_000))
    assert harness.piece_numbers() == [0, 1, 2, 3, 4]
    assert max(harness.message_sizes()) < 100_000
    citation, transcript = harness.clients.inbox["c1"][3:]
    assert len(citation["quote"]) == len(transcript["text"]) == MAX_CHARACTERS


@example(seed=b"x", length=MAX_AUDIO)
@example(seed=b"x", length=2 * MAX_AUDIO)
@given(seed=st.binary(min_size=1, max_size=50), length=st.integers(1, 3 * MAX_AUDIO))
def test_divided_audio_joins_to_the_same_bytes(seed: bytes, length: int) -> None:
    audio = (seed * length)[:length]
    harness = ForwarderHarness()
    harness.forwarder.send(agent_protocol.AgentAudio(audio=audio, format=AnswerAudioFormat.MP3))
    sent_messages = harness.clients.sent_to("c1", "audio")
    assert b"".join(base64.b64decode(message["audio"]) for message in sent_messages) == audio
    assert [message["more"] for message in sent_messages] == [True] * (len(sent_messages) - 1) + [False]
    assert all(size < 100_000 for size in harness.message_sizes())
    assert {message["format"] for message in sent_messages} == {"mp3"}


def test_an_answer_with_too_many_pieces_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_forwarding, "MAX_MESSAGES", 2)
    harness = ForwarderHarness()
    harness.send("a", "b")
    with pytest.raises(AgentFailed) as raised:
        harness.send("c")
    assert raised.value.code is AgentCode.MALFORMED
    assert len(harness.forwarder.messages) == 2


def test_the_listener_is_read_every_two_seconds() -> None:
    harness = ForwarderHarness()
    for _ in range(8):
        harness.clock.now_ms += 500
        harness.send("x")
    assert harness.listener_reads == 2


def test_the_listener_is_also_read_while_many_pieces_are_posted() -> None:
    """At first, there is no listener. While all pieces are posted to `c1` together, `c2` becomes the listener."""
    harness = ForwarderHarness(Listener(connection="", resume_from=0))
    harness.send(*"abcdefgh")

    def take_half_a_second(*_: object) -> None:
        harness.clock.now_ms += 500
        if harness.clock.now_ms - started_ms >= 1_000:
            harness.listener = Listener(connection="c2", resume_from=0)

    harness.clock.now_ms += 2_000
    started_ms = harness.clock.now_ms
    harness.clients.after_post, harness.listener = take_half_a_second, CLIENT_1
    harness.send("i")
    assert harness.piece_numbers() == [0, 1, 2, 3]
    assert harness.piece_numbers("c2") == list(range(9))


def test_after_a_post_to_a_closed_connection_nothing_is_posted_to_this_connection() -> None:
    harness = ForwarderHarness()
    harness.clients.gone.add("c1")
    harness.send("a")
    harness.clients.gone.clear()
    harness.clock.now_ms += 10_000
    harness.send("b")
    assert (harness.piece_numbers(), harness.listener_reads) == ([], 2)
    assert not harness.forwarder.end(harness.listener, LAST_MESSAGE)
    assert (harness.clients.inbox, harness.pauses) == ({}, [])


@pytest.mark.parametrize("error", [POST_REFUSED, TIMED_OUT])
def test_a_failed_post_is_repeated_before_later_messages_are_posted(error: Exception) -> None:
    harness = ForwarderHarness(listener_read_fails=True)  # so the forwarder keeps the listener that it knows
    harness.clients.failures = [error]
    harness.send("a", "b")
    assert harness.piece_numbers() == [], "after a failure, nothing is posted for two seconds"
    harness.clock.now_ms += 2_000
    harness.send("c")
    assert harness.piece_numbers() == [0, 1, 2]


@pytest.mark.parametrize(("failures", "is_posted"), [(2, True), (99, False)])
def test_the_last_message_is_posted_a_limited_number_of_times(failures: int, *, is_posted: bool) -> None:
    harness = ForwarderHarness()
    harness.send("a")
    harness.clients.failures = [TIMED_OUT] * failures
    assert harness.forwarder.end(harness.listener, LAST_MESSAGE) is is_posted
    assert harness.pauses == [2.0] * (MAX_LAST_POSTS - 1)
    assert harness.piece_numbers() == [0]


EVENTS = st.lists(
    st.one_of(
        st.just("send"),
        st.just("fail"),
        st.sampled_from([500, 2_000]),
        st.tuples(st.sampled_from(["c1", "c2", "c3"]), st.integers(0, 6)),
        st.sampled_from(["-c1", "-c2", "-c3"]),
    ),
    max_size=30,
)
"""Events: a piece arrives from the agent, the next post fails, milliseconds pass, a connection requests the answer from
a number on, or a connection (after "-") closes."""


@given(events=EVENTS)
def test_each_listener_gets_pieces_in_order_and_without_gaps(events: list[str | int | tuple[str, int]]) -> None:
    harness = ForwarderHarness()
    requested_numbers: dict[str, list[int]] = {"c1": [0], "c2": [], "c3": []}
    for event in events:
        match event:
            case "send":
                harness.send("x")
            case "fail":
                harness.clients.failures = [POST_REFUSED]
            case int(milliseconds):
                harness.clock.now_ms += milliseconds
            case (connection, number):
                harness.clients.gone.discard(connection)
                harness.listener = Listener(connection=connection, resume_from=number)
                requested_numbers[connection].append(number)
            case str(closed):
                harness.clients.gone.add(closed[1:])
    harness.clients.failures = []
    all_posted = harness.forwarder.end(harness.listener, LAST_MESSAGE)
    for connection, requested_starts in requested_numbers.items():
        numbers = harness.piece_numbers(connection)
        restarts = [number for previous, number in pairwise(numbers) if number != previous + 1]
        assert {*numbers[:1], *restarts} <= {*requested_starts}, "pieces start only at a requested number"
    if all_posted:
        assert harness.clients.inbox[harness.listener.connection][-1]["type"] == "answered"
        expected = list(range(harness.listener.resume_from, len(harness.forwarder.messages)))
        assert not expected or harness.piece_numbers(harness.listener.connection)[-len(expected) :] == expected
