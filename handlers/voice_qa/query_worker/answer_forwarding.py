"""Forwarding of an answer from the agent to its listener, the connection of the client that waits for the answer.

The agent is the external service that answers questions. Each `AgentPiece` from the agent becomes one or more messages
(`Piece`) for the client. The messages are numbered from 0, and small enough for API Gateway. A client that lost
messages asks the question again, on any connection, and names the first number that it needs. Its connection then
becomes the listener, and gets the messages from that number on. All messages stay in memory, so that they can be sent
again and stored.

The question's record names the listener, and is read regularly while the answer arrives. Without a listener, nothing is
posted, but the answer continues to be read from the agent.

If posting a message failed, the message may have arrived nevertheless. It is posted again, and the client recognises it
by its number.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.query_worker import agent_protocol
from handlers.voice_qa.query_worker.environment import AgentCode
from handlers.voice_qa.table_records import Listener
from handlers.voice_qa.websocket_messages import AudioPiece, CitationPiece, Piece, TextPiece, TranscriptPiece

MAX_CHARACTERS = 16_000
"""Maximum number of characters of text in one message. JSON uses at most six bytes per character, so a message stays
below 100 KB. API Gateway allows 128 KB."""
MAX_AUDIO = 72_000
"""Maximum number of bytes of audio in one message. They become 96,000 characters of base64."""
MAX_MESSAGES = 100_000
"""Maximum number of messages of an answer. A client can resume from at most this number."""
LISTENER_CHECK_MS = 2_000
"""Interval at which the listener is read. After a failed post, nothing is posted for this time."""
MAX_LAST_POSTS = 3
"""Maximum number of times that the last message is posted."""


class _PostResult(Enum):
    """Result of posting one message."""

    SENT = auto()
    GONE = auto()
    """The connection is closed."""
    FAILED = auto()
    """The post failed and can be repeated."""


class AnswerForwarder:
    def __init__(
        self,
        query_id: str,
        attempt: int,
        listener: Listener,
        *,
        connections: WebSocketConnections,
        read_listener: Callable[[], Listener],
        clock_ms: Callable[[], int],
        pause: Callable[[float], None],
        log: EventLog,
        messages: Iterable[Piece] = (),
    ) -> None:
        """`attempt` is the number of the answer attempt, which every message states.

        `read_listener` reads the current listener from the question's record. `messages` are the messages of a stored
        answer that is sent again.
        """
        self._query_id = query_id
        self._attempt = attempt
        self._connections = connections
        self._read_listener = read_listener
        self._clock_ms = clock_ms
        self._pause = pause
        self._log = log
        self._listener_read_ms = clock_ms()
        """Time at which the listener was last read."""
        self._no_posts_until_ms = 0
        """Time until which nothing is posted, because a post failed."""
        self.messages = list(messages)
        """All messages of the answer so far."""
        self._switch_listener(listener)

    def send(self, piece: agent_protocol.AgentPiece) -> None:
        """Add a piece, and post all messages that can be posted. Raises AgentFailed if there are too many messages."""
        new_messages = list(_messages_of(self._query_id, self._attempt, len(self.messages), piece))
        if len(self.messages) + len(new_messages) > MAX_MESSAGES:
            raise agent_protocol.AgentFailed(AgentCode.MALFORMED)
        self.messages += new_messages
        self._forward()

    def end(self, listener: Listener, last_message: Message) -> bool:
        """Post all messages that the listener still needs, and then `last_message`, which reports the end of the answer.

        Return False if not all of them could be posted. `listener` is the listener in the question's record when the end
        of the question was written to it. If a client asks again after that, another invocation sends the answer.
        """
        self._switch_if_changed(listener)
        for retry_count in range(MAX_LAST_POSTS):
            if retry_count > 0:
                self._pause(LISTENER_CHECK_MS / 1000)
            self._no_posts_until_ms = 0
            while self._can_post():
                self._post_next()
            is_last_due = self._listening and self._next >= len(self.messages)
            if is_last_due and self._post(last_message) is _PostResult.SENT:
                return True
            if not self._listening:
                return False
        return False

    def _forward(self) -> None:
        """Post all messages that can be posted, and read the listener regularly."""
        self._read_listener_if_due()
        while self._can_post():
            if self._post_next() is _PostResult.GONE:
                self._switch_if_changed(self._read_current_listener())
            self._read_listener_if_due()

    def _can_post(self) -> bool:
        """Return True if there are further messages, and one can be posted now."""
        ready = self._listening and self._clock_ms() >= self._no_posts_until_ms
        return ready and self._next < len(self.messages)

    def _post_next(self) -> _PostResult:
        posted = self._post(self.messages[self._next])
        if posted is _PostResult.SENT:
            self._next += 1
        return posted

    def _post(self, message: Message) -> _PostResult:
        try:
            is_open = self._connections.post(self._listener.connection, message)
        except (ClientError, BotoCoreError) as error:
            self._log.failure("piece_not_posted", error, level="WARNING")
            self._no_posts_until_ms = self._clock_ms() + LISTENER_CHECK_MS
            return _PostResult.FAILED
        self._listening = is_open
        return _PostResult.SENT if is_open else _PostResult.GONE

    def _read_listener_if_due(self) -> None:
        if self._clock_ms() - self._listener_read_ms >= LISTENER_CHECK_MS:
            self._switch_if_changed(self._read_current_listener())

    def _read_current_listener(self) -> Listener:
        self._listener_read_ms = self._clock_ms()
        try:
            return self._read_listener()
        except (ClientError, BotoCoreError) as error:
            self._log.failure("listener_unknown", error, level="WARNING")
            return self._listener

    def _switch_if_changed(self, listener: Listener) -> None:
        if listener != self._listener:
            self._switch_listener(listener)

    def _switch_listener(self, listener: Listener) -> None:
        self._listener = listener
        self._next = listener.first_piece(self._attempt)
        """Number of the next message to post to the listener."""
        self._listening = bool(listener.connection)
        """True if there is a listener, and its connection is not known to be closed."""


def _messages_of(query_id: str, attempt: int, number: int, piece: agent_protocol.AgentPiece) -> Iterator[Piece]:
    """Yield the messages of a piece, numbered from `number` on.

    Text and audio are divided. A quote and a transcript are one message each and are truncated.
    """

    def fields(index: int) -> dict[str, Any]:
        return {"query_id": query_id, "attempt": attempt, "number": number + index}

    match piece:
        case agent_protocol.AgentText(text=text):
            for index, start in enumerate(range(0, len(text), MAX_CHARACTERS)):
                yield TextPiece(**fields(index), text=text[start : start + MAX_CHARACTERS])
        case agent_protocol.AgentAudio(audio=audio, format=kind):
            for index, start in enumerate(range(0, len(audio), MAX_AUDIO)):
                part = audio[start : start + MAX_AUDIO]
                more = start + MAX_AUDIO < len(audio)
                yield AudioPiece(**fields(index), audio=base64.b64encode(part).decode(), format=kind.value, more=more)
        case agent_protocol.AgentCitation(start_ms=start_ms, end_ms=end_ms, quote=quote):
            yield CitationPiece(**fields(0), start_ms=start_ms, end_ms=end_ms, quote=quote[:MAX_CHARACTERS])
        case agent_protocol.AgentTranscript(text=text):
            yield TranscriptPiece(**fields(0), text=text[:MAX_CHARACTERS])
