"""Limit on a user's open sessions, with concurrent requests."""

from collections.abc import Callable
from typing import Any

import pytest

from handlers.transcription.live_table import ClientConnection
from handlers.transcription.router.open_session_limit import ABANDONED_MS, DISCONNECTED_MS, UserOpenSessions
from handlers.transcription.session_utterance_state import LiveItem, SessionUtterances, Slot
from tests.handlers.transcription.router_harness import LIMITS, RouterHarness


def abandoned_sessions(router: RouterHarness, connection: str = "c1") -> list[str]:
    """Open as many sessions as allowed, on an open connection, and let them become abandoned."""
    router.connect(connection)
    opened = [str(router.send("open", connection)["sessionId"]) for _ in range(LIMITS.sessions_per_user)]
    router.clock.now_ms += ABANDONED_MS + 1
    assert router.send("ping", connection)["type"] == "pong"
    return opened


def usable_sessions(router: RouterHarness, sessions: list[str]) -> list[str]:
    return [session for session in sessions if router.send("ping", sessionId=session)["type"] == "pong"]


def act_before_second_change(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch, model: type[LiveItem], act: Callable[[], object]
) -> None:
    """Call `act` right before the second change of an item of this model. The first change finds no room."""
    change, seen = router.live.change, []

    def changed(of: type[LiveItem], *given: Any) -> Any:
        if of is model:
            seen.append(of)
            if len(seen) == 2:
                act()
        return change(of, *given)

    monkeypatch.setattr(router.live, "change", changed)


def test_a_session_that_made_room_must_be_opened_again_before_use(router: RouterHarness) -> None:
    first, second = abandoned_sessions(router)
    router.send("ping", sessionId=second)
    assert router.send("open")["type"] == "opened"
    refused = [
        router.send_utterance(first),
        router.send("ping", sessionId=first),
        router.send("direct", sessionId=first),
    ]
    assert {item["code"] for item in refused} == {"SESSION_ELSEWHERE"}
    assert router.send("open", sessionId=first)["code"] == "TOO_MANY_SESSIONS"
    router.send("close", sessionId=second)
    assert router.send("open", sessionId=first)["sessionId"] == first
    assert router.send_utterance(first)["type"] == "accepted"


def test_reconnecting_never_raises_the_number_of_usable_sessions(router: RouterHarness) -> None:
    sessions = [session for number in range(4) for session in abandoned_sessions(router, f"c{number}")]
    spoken = [router.send_utterance(session, connection=f"c{at // 2}")["type"] for at, session in enumerate(sessions)]
    assert spoken.count("accepted") == LIMITS.sessions_per_user


def test_a_session_that_is_opened_while_it_makes_room_counts(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = abandoned_sessions(router)
    act_before_second_change(router, monkeypatch, UserOpenSessions, lambda: router.send("open", sessionId=sessions[0]))
    newer = str(router.send("open")["sessionId"])
    assert usable_sessions(router, [*sessions, newer]) == [sessions[0], newer], "only one session makes room"


def test_two_concurrent_requests_for_room_never_exceed_the_limit(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions, newer = abandoned_sessions(router), []
    act_before_second_change(
        router, monkeypatch, UserOpenSessions, lambda: newer.append(str(router.send("open")["sessionId"]))
    )
    newer.append(str(router.send("open")["sessionId"]))
    assert sorted(usable_sessions(router, [*sessions, *newer])) == sorted(newer)


def test_a_session_that_moves_while_its_old_connection_closes_counts(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = router.open_session("c1")
    router.connect("c2")
    with monkeypatch.context() as meanwhile:
        change = router.live.change

        def changed(of: type[LiveItem], *given: Any) -> Any:
            if of is ClientConnection:
                meanwhile.undo()
                router.disconnect("c1")
            return change(of, *given)

        meanwhile.setattr(router.live, "change", changed)
        router.send("open", "c2", sessionId=session)
    router.clock.now_ms += DISCONNECTED_MS
    opened = [router.send("open", "c2")["type"] for _ in range(LIMITS.sessions_per_user)]
    assert opened.count("opened") == LIMITS.sessions_per_user - 1


def test_a_session_with_an_utterance_in_progress_is_not_abandoned() -> None:
    slots = SessionUtterances(connection="c1", seen_ms=100, slots=(Slot(utterance="a", attempt=1, overdue_ms=900),))
    assert not slots.is_abandoned(since_ms=500, now_ms=899)
    assert slots.is_abandoned(since_ms=500, now_ms=900)
    assert not slots.is_abandoned(since_ms=100, now_ms=900)
