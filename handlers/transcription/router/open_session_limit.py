"""Limit on each user's open sessions.

A session counts towards the limit until its lifetime is over. It stops counting earlier if its client closes it and no
utterance is in progress, or a minute after its connection has closed.

API Gateway may not report that a connection has closed, or the report may not be processed. So if the limit is reached,
`SessionCounter` looks for an abandoned session, whose client has sent nothing for some time. This session stops
counting, to make room for the new one.
"""

from collections.abc import Callable
from typing import Self

from handlers.common.error_responses import HandlerError
from handlers.transcription.live_table import (
    ClientConnection,
    LiveTable,
    connection_key,
    user_open_sessions_key,
)
from handlers.transcription.messages import TranscriptionErrorCode
from handlers.transcription.session_table import Session
from handlers.transcription.session_utterance_state import LiveItem, SessionUtterances

DISCONNECTED_MS = 60_000
"""Time for which a session still counts after its connection has closed. A client that reloads its page opens the
session again within seconds."""
ABANDONED_MS = 15 * 60 * 1000
"""Time without a message after which a session counts as abandoned, unless an utterance is in progress. It is three
times the interval in which clients send pings."""


class OpenSession(LiveItem):
    """A session that counts towards its user's limit."""

    session: str
    ends_ms: int
    """Time from which the session does not count any more."""
    connection: str = ""
    """Connection on which the client last opened the session. A client can open a session again on another
    connection."""
    opened_ms: int = 0


class UserOpenSessions(LiveItem):
    sessions: tuple[OpenSession, ...] = ()

    def add(self, session: str, connection: str, ends_ms: int, now_ms: int, max_sessions: int) -> tuple[Self, bool]:
        """Let a session count until `ends_ms`. Return False if the limit is reached."""
        others = tuple(counted for counted in self.sessions if counted.ends_ms > now_ms and counted.session != session)
        if len(others) >= max_sessions:
            return self, False
        opened = OpenSession(session=session, ends_ms=ends_ms, connection=connection, opened_ms=now_ms)
        return self.model_copy(update={"sessions": (*others, opened)}), True

    def end(
        self, session: str, ends_ms: int, connection: str | None = None, opened_before_ms: int | None = None
    ) -> Self:
        """Let a session count until `ends_ms` at the latest.

        With `connection`, this applies only if the session was last opened on that connection. With `opened_before_ms`,
        it applies only if the session was last opened before that time.
        """

        def with_end(counted: OpenSession) -> OpenSession:
            elsewhere = connection is not None and counted.connection != connection
            reopened = opened_before_ms is not None and counted.opened_ms >= opened_before_ms
            if counted.session != session or elsewhere or reopened:
                return counted
            return counted.model_copy(update={"ends_ms": min(counted.ends_ms, ends_ms)})

        return self.model_copy(update={"sessions": tuple(with_end(counted) for counted in self.sessions)})


class SessionCounter:
    """Counter of each user's open sessions.

    It uses two kinds of items in the live table. `UserOpenSessions` has the sessions that count for a user.
    `SessionUtterances` names the connection that may use a session. `LiveTable.change` calls a function that returns
    two values, writes the first as the new item, and returns the second.
    """

    def __init__(self, live: LiveTable, max_sessions: int, clock_ms: Callable[[], int]) -> None:
        self._live = live
        self._max_sessions = max_sessions
        self._clock_ms = clock_ms

    def count_open(self, user: str, session: Session, connection: str) -> None:
        """Count a session that is opened. Raise HandlerError if the limit is reached and no session is abandoned."""
        now_ms, key = self._clock_ms(), user_open_sessions_key(user)

        def add(open_sessions: UserOpenSessions) -> tuple[UserOpenSessions, bool]:
            return open_sessions.add(session.session_id, connection, session.ends_at * 1000, now_ms, self._max_sessions)

        if self._live.change(UserOpenSessions, key, add):
            return
        for counted in self._live.read(UserOpenSessions, key).sessions:
            if self._end_if_abandoned(key, counted.session, now_ms) and self._live.change(UserOpenSessions, key, add):
                return
        raise HandlerError(
            TranscriptionErrorCode.TOO_MANY_SESSIONS,
            f"Limit of {self._max_sessions} open sessions reached. Close one first.",
        )

    def stop_counting_closed(self, user: str, session_id: str) -> None:
        """Stop counting a session that the client closed, once the deadlines of its utterances in progress are over."""
        now_ms = self._clock_ms()
        utterances, _ = self._live.utterances(session_id).remove_overdue(now_ms)
        ends_ms = max([now_ms, *(slot.overdue_ms for slot in utterances.slots)])
        self._live.change(
            UserOpenSessions,
            user_open_sessions_key(user),
            lambda open_sessions: (open_sessions.end(session_id, ends_ms), None),
        )

    def stop_counting_disconnected(self, connection_id: str) -> None:
        """Let the sessions of a closed connection stop counting after `DISCONNECTED_MS`, unless they are opened again."""
        connection = self._live.read(ClientConnection, connection_key(connection_id))
        for session_id in connection.sessions:
            if self._live.utterances(session_id).connection == connection_id:
                self._end_disconnected(connection.user, session_id, connection_id)

    def _end_disconnected(self, user: str, session_id: str, connection_id: str) -> None:
        ends_ms = self._clock_ms() + DISCONNECTED_MS

        def end(open_sessions: UserOpenSessions) -> tuple[UserOpenSessions, None]:
            return open_sessions.end(session_id, ends_ms, connection=connection_id), None

        self._live.change(UserOpenSessions, user_open_sessions_key(user), end)

    def _end_if_abandoned(self, key: str, session_id: str, now_ms: int) -> bool:
        """Stop counting a session if it is abandoned. Return False if it is not abandoned.

        First, the session is detached from its connection, so that no client can use it. Then it stops counting. In the
        opposite order, a client could use a session that does not count.

        If the process dies between the two steps, the session still counts, and its user must open it again to use it.
        If the user opens it between the steps, `opened_before_ms` prevents the second step.
        """
        abandoned_since_ms = now_ms - ABANDONED_MS

        def detach(utterances: SessionUtterances) -> tuple[SessionUtterances, bool]:
            if not utterances.is_abandoned(abandoned_since_ms, now_ms):
                return utterances, False
            return utterances.detach(), True

        def end(open_sessions: UserOpenSessions) -> tuple[UserOpenSessions, None]:
            return open_sessions.end(session_id, now_ms, opened_before_ms=abandoned_since_ms), None

        if not self._live.change_utterances(session_id, detach):
            return False
        self._live.change(UserOpenSessions, key, end)
        return True
