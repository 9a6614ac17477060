"""Forwarding of an answer to the client that listens to it.

Each piece from the agent, the external service that answers questions, becomes one or more messages (`Piece`) for the
client. The messages are numbered from 0, and small enough for API Gateway. A client that lost messages asks the question
again, on any connection, and names the first number that it needs. Its connection then gets the messages from that
number on. All messages stay in memory, so that they can be sent again and stored.

The question's record names the connection, and is read regularly while the answer arrives. Without a connected client,
nothing is posted, but the answer continues to be read from the agent. If posting a message failed, the message may have
arrived nevertheless. It is posted again, and the client recognises it by its number.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.environment import AgentCode
from handlers.voice_qa.messages import AudioPiece, CitationPiece, Piece, TextPiece, TranscriptPiece
from handlers.voice_qa.query_worker.agent_protocol import (
    AgentAudio,
    AgentCitation,
    AgentFailed,
    AgentPiece,
    AgentText,
    AgentTranscript,
)
from handlers.voice_qa.records import Question

MAX_CHARACTERS = 16_000
"""Maximum number of characters of text in one message. JSON uses at most six bytes per character, so a message stays
below 100 KB. API Gateway allows 128 KB."""
MAX_AUDIO_BYTES = 72_000
"""Maximum number of bytes of audio in one message. They become 96,000 characters of base64."""
MAX_PIECES = 100_000
"""Maximum number of messages of an answer. A client can resume from at most this number."""
LISTENER_CHECK_MS = 2_000
"""Interval at which the question's record is read. After a failed post, nothing is posted until it is read again."""
MAX_LAST_POSTS = 3
"""Maximum number of times that the end of an answer is posted."""


class AnswerForwarder:
    """The messages of one answer attempt, and the connection that gets them."""

    def __init__(
        self,
        query_id: str,
        question: Question,
        *,
        connections: WebSocketConnections,
        read_question: Callable[[], Question | None],
        clock_ms: Callable[[], int],
        log: EventLog,
        pieces: Iterable[Piece] = (),
    ) -> None:
        """`read_question` returns the current record of the question. `pieces` are the messages of a stored answer."""
        self._query_id = query_id
        self._question = question
        self._connections = connections
        self._read_question = read_question
        self._clock_ms = clock_ms
        self._log = log
        self._read_ms = clock_ms()
        """Time at which the record was last read."""
        self._next = question.first_piece(question.attempt)
        """Number of the next message to post."""
        self._may_post = True
        """False if the connection is closed, or after a failed post."""
        self.pieces = list(pieces)
        """All messages of the answer so far."""
        self.first_piece_ms: int | None = None
        """Time at which the first piece arrived, or None before that."""

    def send(self, piece: AgentPiece) -> None:
        """Add a piece, and post all messages that can be posted. Raises AgentFailed if there are too many messages."""
        now_ms = self._clock_ms()
        self.first_piece_ms = now_ms if self.first_piece_ms is None else self.first_piece_ms
        self.pieces += _split(self._query_id, self._question.attempt, len(self.pieces), piece)
        if len(self.pieces) > MAX_PIECES:
            raise AgentFailed(AgentCode.MALFORMED)
        if now_ms - self._read_ms >= LISTENER_CHECK_MS:
            self._read_ms = now_ms
            self._follow(self._read_current())
        self._post_pieces()

    def end(self, question: Question, last_message: Message) -> bool:
        """Post all messages that the client still needs, and then `last_message`, which reports the end of the answer.

        Return False if not all of them could be posted. `question` is the record when the end of the question was
        written to it. If a client asks again after that, another invocation sends the answer.
        """
        for _ in range(MAX_LAST_POSTS):
            self._follow(question)
            self._post_pieces()
            if self._next >= len(self.pieces) and self._post(last_message):
                return True
        return False

    def _post_pieces(self) -> None:
        while self._next < len(self.pieces) and self._post(self.pieces[self._next]):
            self._next += 1

    def _post(self, message: Message) -> bool:
        """Post a message if the connection is open. Return True if it was posted."""
        if not self._may_post:
            return False
        try:
            self._may_post = self._connections.post(self._question.connection, message)
        except (ClientError, BotoCoreError) as error:
            self._log.failure("piece_not_posted", error, level="WARNING")
            self._may_post = False
        return self._may_post

    def _read_current(self) -> Question:
        try:
            return self._read_question() or self._question
        except (ClientError, BotoCoreError) as error:
            self._log.failure("listener_unknown", error, level="WARNING")
            return self._question

    def _follow(self, question: Question) -> None:
        """Post to the connection in a newer record of the question, from the number that its client needs.

        If another attempt has begun, or the time limit check has failed the question, nothing is posted any more.
        """
        if question.request_count != self._question.request_count:
            self._next = question.first_piece(question.attempt)
        self._may_post = (question.attempt, question.worker) == (self._question.attempt, self._question.worker)
        if self._may_post:
            self._question = question


def _split(query_id: str, attempt: int, number: int, piece: AgentPiece) -> Iterator[Piece]:
    """Yield the messages of a piece, numbered from `number` on.

    Text and audio are divided. A quote and a transcript are one message each and are truncated.
    """

    def fields(index: int) -> dict[str, Any]:
        return {"query_id": query_id, "attempt": attempt, "number": number + index}

    match piece:
        case AgentText(text=text):
            for index, start in enumerate(range(0, len(text), MAX_CHARACTERS)):
                yield TextPiece(**fields(index), text=text[start : start + MAX_CHARACTERS])
        case AgentAudio(audio=audio, format=kind):
            for index, start in enumerate(range(0, len(audio), MAX_AUDIO_BYTES)):
                part = base64.b64encode(audio[start : start + MAX_AUDIO_BYTES]).decode()
                more = start + MAX_AUDIO_BYTES < len(audio)
                yield AudioPiece(**fields(index), audio=part, format=kind.value, more=more)
        case AgentCitation(start_ms=start_ms, end_ms=end_ms, quote=quote):
            yield CitationPiece(**fields(0), start_ms=start_ms, end_ms=end_ms, quote=quote[:MAX_CHARACTERS])
        case AgentTranscript(text=text):
            yield TranscriptPiece(**fields(0), text=text[:MAX_CHARACTERS])
