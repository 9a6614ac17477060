"""What else the live table holds: connections, and how many sessions somebody has open; and where it holds what. Pure."""

from typing import Self

from handlers.transcription.flight import Live

REMEMBERED = 16
"""Sessions of one connection: more than a user may have open, unless somebody raised that far."""


class Connection(Live):
    """One WebSocket connection, and whose it is: later messages carry its id alone."""

    user: str = ""
    sessions: tuple[str, ...] = ()
    """Those that were opened on it last: with it they stop counting, unless they went on over another."""

    def opened(self, session: str) -> Self:
        """With one session more."""
        others = tuple(one for one in self.sessions if one != session)
        return self.model_copy(update={"sessions": (*others, session)[-REMEMBERED:]})


class OpenSession(Live):
    """A session that counts until it ends."""

    session: str
    ends_ms: int
    connection: str = ""
    """Where it was opened last, and when."""
    opened_ms: int = 0


class Quota(Live):
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


def flight_key(session_id: str) -> str:
    """Where the live table has a session's utterances."""
    return f"flight#{session_id}"


def connection_key(connection_id: str) -> str:
    """Where it has a connection."""
    return f"connection#{connection_id}"


def quota_key(user: str) -> str:
    """Where it counts a user's sessions."""
    return f"user#{user}"


def caption_key(session_id: str, digest: str) -> str:
    """Where it has a caption's hash."""
    return f"caption#{session_id}#{digest}"
