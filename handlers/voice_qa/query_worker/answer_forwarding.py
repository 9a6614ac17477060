"""An answer on its way to whoever listens to it: numbered, cut to size, and again from any number when it is asked for.

It decides what is posted where. Whoever asks the question again, from another connection or another number, becomes its
listener: the question's record says so, and is looked at while the answer comes. Where nobody listens nothing is
posted, and the answer goes on all the same. Everything that was numbered stays in memory, so that it can be said again
and kept.

A post that failed may have arrived: its message is posted again, and its number tells the client which it is.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.logging import EventLog
from handlers.common.websocket.connections import Connections
from handlers.common.websocket.messages import Message
from handlers.voice_qa.client_messages import AudioPiece, CitationPiece, Piece, TextPiece, TranscriptPiece
from handlers.voice_qa.query_worker.agent import agent_types
from handlers.voice_qa.table_records import Listener

MAX_CHARACTERS = 16_000
"""Of one message: JSON takes six bytes for one at most, so that it stays below 100 KB. API Gateway takes 128 KB."""
MAX_AUDIO = 72_000
"""Bytes of one message: 96,000 as base64."""
MAX_PIECES = 100_000
"""Of one answer: as far as a client can ask to resume from."""
LOOK_MS = 2_000
"""How often it is looked who listens; how long nothing is posted after a post that failed."""
LAST_TRIES = 3


class _Posted(Enum):
    SENT = auto()
    GONE = auto()
    FAILED = auto()


class AnswerForwarder:
    """Forwards one answer."""

    def __init__(
        self,
        query_id: str,
        attempt: int,
        place: Listener,
        *,
        connections: Connections,
        look: Callable[[], Listener],
        clock_ms: Callable[[], int],
        pause: Callable[[float], None],
        log: EventLog,
        messages: Iterable[Piece] = (),
    ) -> None:
        """`look` reads who listens now; `messages` are there already, of an answer that is whole."""
        self._query_id = query_id
        self._attempt = attempt
        self._connections = connections
        self._look = look
        self._clock_ms = clock_ms
        self._pause = pause
        self._log = log
        self._looked_ms = clock_ms()
        self._quiet_until_ms = 0
        self.messages = list(messages)
        self._go(place)

    def send(self, piece: agent_types.AgentPiece) -> None:
        """One piece more."""
        cut = list(_cut(self._query_id, self._attempt, len(self.messages), piece))
        if len(self.messages) + len(cut) > MAX_PIECES:
            raise agent_types.AgentFailed(agent_types.AgentCode.TOO_MUCH)
        self.messages += cut
        self._forward()

    def end(self, place: Listener, last: Message) -> bool:
        """Everything that the listener has not got, then the last word; false where it could not be said.

        Whoever comes after `place` was read is served by another call.
        """
        self._follow(place)
        for attempt in range(LAST_TRIES):
            if attempt:
                self._pause(LOOK_MS / 1000)
            self._quiet_until_ms = 0
            while self._waiting():
                self._post_next()
            if self._listening and self._next >= len(self.messages) and self._post(last) is _Posted.SENT:
                return True
            if not self._listening:
                return False
        return False

    def _forward(self) -> None:
        """Posts what there is, and looks now and then who listens."""
        self._look_again()
        while self._waiting():
            if self._post_next() is _Posted.GONE:
                self._follow(self._looked())
            self._look_again()

    def _waiting(self) -> bool:
        """Whether something can be posted now."""
        ready = self._listening and self._clock_ms() >= self._quiet_until_ms
        return ready and self._next < len(self.messages)

    def _post_next(self) -> _Posted:
        posted = self._post(self.messages[self._next])
        if posted is _Posted.SENT:
            self._next += 1
        return posted

    def _post(self, message: Message) -> _Posted:
        try:
            there = self._connections.post(self._place.connection, message)
        except (ClientError, BotoCoreError) as error:
            self._log.warning("piece_not_posted", error_type=type(error).__name__)
            self._quiet_until_ms = self._clock_ms() + LOOK_MS
            return _Posted.FAILED
        self._listening = there
        return _Posted.SENT if there else _Posted.GONE

    def _look_again(self) -> None:
        if self._clock_ms() - self._looked_ms >= LOOK_MS:
            self._follow(self._looked())

    def _looked(self) -> Listener:
        self._looked_ms = self._clock_ms()
        try:
            return self._look()
        except (ClientError, BotoCoreError) as error:
            self._log.warning("listener_unknown", error_type=type(error).__name__)
            return self._place

    def _follow(self, place: Listener) -> None:
        if place != self._place:
            self._go(place)

    def _go(self, place: Listener) -> None:
        self._place = place
        self._next = place.first(self._attempt)
        self._listening = bool(place.connection)


def _cut(query_id: str, attempt: int, number: int, piece: agent_types.AgentPiece) -> Iterator[Piece]:
    """A piece as messages that can be posted, numbered from `number` on.

    What can be joined is cut into several. A quote and a transcript are each one message: their end goes.
    """

    def numbered(place: int) -> dict[str, Any]:
        return {"query_id": query_id, "attempt": attempt, "number": number + place}

    match piece:
        case agent_types.AgentTextPiece(text):
            for place, start in enumerate(range(0, len(text), MAX_CHARACTERS)):
                yield TextPiece(**numbered(place), text=text[start : start + MAX_CHARACTERS])
        case agent_types.AgentAudioPiece(audio, kind):
            for place, start in enumerate(range(0, len(audio), MAX_AUDIO)):
                part = audio[start : start + MAX_AUDIO]
                more = start + MAX_AUDIO < len(audio)
                yield AudioPiece(**numbered(place), audio=base64.b64encode(part).decode(), format=kind.value, more=more)
        case agent_types.AgentCitationPiece(start_ms, end_ms, quote):
            yield CitationPiece(**numbered(0), start_ms=start_ms, end_ms=end_ms, quote=quote[:MAX_CHARACTERS])
        case agent_types.AgentTranscriptPiece(text):
            yield TranscriptPiece(**numbered(0), text=text[:MAX_CHARACTERS])
