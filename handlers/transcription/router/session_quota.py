"""How many sessions somebody has open: one that counts no more cannot be used either, until it is opened again.

First a session is taken from its connection, then it stops counting: in between it is counted and of no use, which
somebody mends by opening it; the other way round it would be used and not counted. Whoever opens it in between is not
undone.
"""

from collections.abc import Callable
from typing import Self

from handlers.common.errors import HandlerError
from handlers.transcription.live_table import (
    ClientConnection,
    LiveTable,
    connection_key,
    session_slots_key,
    user_quota_key,
)
from handlers.transcription.messages import TranscriptionErrorCode
from handlers.transcription.sessions import Session
from handlers.transcription.utterance_slots import LiveItem, SessionSlots

DETACHED_MS = 60_000
"""How long a session counts after its connection broke: whoever loads a page again has it back in seconds."""
IDLE_MS = 15 * 60 * 1000
"""A session of which nothing was heard for so long is nobody's: three of its client's pings."""


class OpenSession(LiveItem):
    """A session that counts until it ends."""

    session: str
    ends_ms: int
    connection: str = ""
    """Where it was opened last, and when."""
    opened_ms: int = 0


class SessionQuota(LiveItem):
    """The open sessions of one user."""

    sessions: tuple[OpenSession, ...] = ()

    def opened(self, session: str, connection: str, ends_ms: int, now_ms: int, most: int) -> tuple[Self, bool]:
        """With one session more, or the same for longer, unless that would be too many."""
        running = tuple(one for one in self.sessions if one.ends_ms > now_ms and one.session != session)
        if len(running) >= most:
            return self, False
        opened = OpenSession(session=session, ends_ms=ends_ms, connection=connection, opened_ms=now_ms)
        return self.model_copy(update={"sessions": (*running, opened)}), True

    def left(
        self, session: str, ends_ms: int, connection: str | None = None, opened_before_ms: int | None = None
    ) -> Self:
        """A session counts no longer than this; unless it was opened elsewhere, or again, in the meantime."""

        def ended(one: OpenSession) -> OpenSession:
            elsewhere = connection is not None and one.connection != connection
            again = opened_before_ms is not None and one.opened_ms >= opened_before_ms
            if one.session != session or elsewhere or again:
                return one
            return one.model_copy(update={"ends_ms": min(one.ends_ms, ends_ms)})

        return self.model_copy(update={"sessions": tuple(ended(one) for one in self.sessions)})


class SessionCounter:
    """Counts sessions of users."""

    def __init__(self, live: LiveTable, most: int, clock_ms: Callable[[], int]) -> None:
        self._live = live
        self._most = most
        self._clock_ms = clock_ms

    def opened(self, user: str, session: Session, connection: str) -> None:
        """One's sessions are few; one of which nothing was heard for long makes room."""
        now_ms, key = self._clock_ms(), user_quota_key(user)

        def count(quota: SessionQuota) -> tuple[SessionQuota, bool]:
            return quota.opened(session.session_id, connection, session.ends_at * 1000, now_ms, self._most)

        if self._live.change(SessionQuota, key, count):
            return
        for one in self._live.read(SessionQuota, key).sessions:
            if self._made_room(key, one.session, now_ms) and self._live.change(SessionQuota, key, count):
                return
        raise HandlerError(
            TranscriptionErrorCode.TOO_MANY_SESSIONS, f"{self._most} of your sessions are open. Close one first.", 429
        )

    def closed(self, user: str, session_id: str) -> None:
        """A session counts until its last utterance is over."""
        now_ms = self._clock_ms()
        flight, _ = self._live.read(SessionSlots, session_slots_key(session_id)).remove_overdue(now_ms)
        ends_ms = max([now_ms, *(one.overdue_ms for one in flight.places)])
        self._live.change(SessionQuota, user_quota_key(user), lambda quota: (quota.left(session_id, ends_ms), None))

    def left(self, connection_id: str) -> None:
        """A connection is over. Its sessions can be taken up again, but soon count no more."""
        before = self._live.read(ClientConnection, connection_key(connection_id))
        for session_id in before.sessions:
            if self._live.read(SessionSlots, session_slots_key(session_id)).connection == connection_id:
                self._detached(before.user, session_id, connection_id)

    def _detached(self, user: str, session_id: str, connection_id: str) -> None:
        ends_ms = self._clock_ms() + DETACHED_MS

        def detach(quota: SessionQuota) -> tuple[SessionQuota, None]:
            return quota.left(session_id, ends_ms, connection=connection_id), None

        self._live.change(SessionQuota, user_quota_key(user), detach)

    def _made_room(self, key: str, session_id: str, now_ms: int) -> bool:
        """Whether a session was taken from its connection for its silence."""
        heard_ms = now_ms - IDLE_MS

        def take(flight: SessionSlots) -> tuple[SessionSlots, bool]:
            return (flight.seen("", flight.seen_ms), True) if flight.is_silent(heard_ms, now_ms) else (flight, False)

        def leave(quota: SessionQuota) -> tuple[SessionQuota, None]:
            return quota.left(session_id, now_ms, opened_before_ms=heard_ms), None

        if not self._live.change(SessionSlots, session_slots_key(session_id), take):
            return False
        self._live.change(SessionQuota, key, leave)
        return True
