"""Forwarding of an answer to the client that listens to it.

The pieces of an answer are numbered from 0. A client that lost pieces asks the question again, on any connection, and
names the first number that it needs. Its connection then gets the pieces from that number on. All pieces stay in memory,
so that they can be sent again and stored.

The question's record names the connection, and is read regularly while the answer arrives. Without a connected client,
nothing is posted, but the answer continues to be read from the agent. If posting a message failed, the message may have
arrived nevertheless. It is posted again, and the client recognises it by its number.
"""

from collections.abc import Callable, Iterable

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.messages import Piece
from handlers.voice_qa.records import Question

LISTENER_CHECK_MS = 2_000
"""Interval at which the question's record is read. After a failed post, nothing is posted until it is read again."""
MAX_LAST_POSTS = 3
"""Maximum number of times that the end of an answer is posted."""


class AnswerForwarder:
    """The pieces of one answer attempt, and the connection that gets them."""

    def __init__(
        self,
        question: Question,
        *,
        connections: WebSocketConnections,
        read_question: Callable[[], Question | None],
        clock_ms: Callable[[], int],
        log: EventLog,
        pieces: Iterable[Piece] = (),
    ) -> None:
        """`read_question` returns the current record of the question. `pieces` are those of a stored answer."""
        self._question = question
        self._connections = connections
        self._read_question = read_question
        self._clock_ms = clock_ms
        self._log = log
        self._read_ms = clock_ms()
        """Time at which the record was last read."""
        self._next = question.first_piece(question.attempt)
        """Number of the next piece to post."""
        self._may_post = True
        """False if the connection is closed, or after a failed post."""
        self.pieces = list(pieces)
        """All pieces of the answer so far."""

    def send(self, piece: Piece) -> None:
        """Add a piece, and post all pieces that can be posted."""
        now_ms = self._clock_ms()
        self.pieces.append(piece)
        if now_ms - self._read_ms >= LISTENER_CHECK_MS:
            self._read_ms = now_ms
            self._follow(self._read_current())
        self._post_pieces()

    def end(self, question: Question, last_message: Message) -> bool:
        """Post all pieces that the client still needs, and then `last_message`, which reports the end of the answer.

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
