"""Forwarding of an answer to the client that listens to it.

The pieces of an answer are numbered from 0. A client that lost pieces asks the question again, on any connection, and
names the first number that it needs. Its connection then gets the pieces from that number on. All pieces stay in memory,
so that they can be sent again and stored.

The question's record names the connection, and is read regularly while the answer arrives. Without a connected client,
nothing is posted, but the answer continues to be read from the agent. If posting a message failed, the message may have
arrived nevertheless. It is posted again, and the client recognises it by its number.
"""

from collections.abc import Callable, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.messages import Piece
from handlers.voice_qa.records import Question

LISTENER_CHECK_MS = 2_000
"""Interval at which the question's record is read."""


class AnswerForwarder:
    """The pieces of one answer, and the connection that gets them."""

    def __init__(
        self,
        question: Question,
        *,
        connections: WebSocketConnections,
        read_question: Callable[[], Question | None],
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        """`read_question` returns the current record of the question."""
        self.pieces: list[Piece] = []
        """All pieces of the answer so far."""
        self.question = question
        """The record as it was read last, while this worker ran the question."""
        self._connections = connections
        self._read_question = read_question
        self._clock_ms = clock_ms
        self._log = log
        self._read_ms = clock_ms()
        """Time at which the record was last read."""
        self._next = question.first_piece
        """Number of the next piece to post."""
        self._is_open = True
        """False if the connection is closed."""

    def send(self, piece: Piece) -> bool:
        """Add a piece, and post all pieces that the client still needs.

        Return False if this worker does not run the question any more. This is checked regularly.
        """
        self.pieces.append(piece)
        if self._clock_ms() - self._read_ms >= LISTENER_CHECK_MS and not self.follow():
            return False
        self.post()
        return True

    def follow(self) -> bool:
        """Read the question's record, and post to its connection from now on, from the number that its client needs.

        Return False if this worker does not run the question any more.
        """
        self._read_ms = self._clock_ms()
        question = self._read_question()
        if question is None or not question.is_run_by(self.question.worker):
            return False
        if question.request_count != self.question.request_count:
            self._is_open, self._next = True, question.first_piece
        self.question = question
        return True

    def post(self, last_messages: Sequence[Message] = ()) -> bool:
        """Post all pieces that the client still needs, and then further messages. Return False if a post failed."""
        try:
            for message in (*self.pieces[self._next :], *last_messages):
                if self._is_open:
                    self._is_open = self._connections.post(self.question.connection, message)
                    self._next += 1
        except (ClientError, BotoCoreError) as error:
            self._log.failure("piece_not_posted", error, level="WARNING")
            return False
        return True
