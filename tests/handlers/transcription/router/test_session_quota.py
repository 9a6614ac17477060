"""Limit on a user's open sessions, with concurrent requests."""

from collections.abc import Callable
from typing import Any

import pytest

from handlers.transcription.live_table import ClientConnection
from handlers.transcription.router.session_quota import DETACHED_MS, IDLE_MS, SessionQuota
from handlers.transcription.utterance_slots import LiveItem, SessionSlots, Slot
from tests.handlers.transcription.router_setup import LIMITS, Scene


def silent_sessions(scene: Scene, connection: str = "c1") -> list[str]:
    """Open as many sessions as allowed, on an open connection, and let them become idle."""
    scene.connect(connection)
    opened = [str(scene.says("open", connection)["sessionId"]) for _ in range(LIMITS.sessions_per_user)]
    scene.clock.now_ms += IDLE_MS + 1
    assert scene.says("ping", connection)["type"] == "pong"
    return opened


def usable(scene: Scene, sessions: list[str], connection: str = "c1") -> list[str]:
    return [one for one in sessions if scene.says("ping", connection, sessionId=one)["type"] == "pong"]


def before(scene: Scene, monkeypatch: pytest.MonkeyPatch, model: type[LiveItem], act: Callable[[], object]) -> None:
    """Call `act` right before the second change of an item of this model. The first change finds no room."""
    change, seen = scene.live.change, []

    def changed(of: type[LiveItem], *given: Any) -> Any:
        if of is model:
            seen.append(of)
            if len(seen) == 2:
                act()
        return change(of, *given)

    monkeypatch.setattr(scene.live, "change", changed)


def test_a_session_that_made_room_must_be_opened_again_before_use(scene: Scene) -> None:
    first, second = silent_sessions(scene)
    scene.says("ping", sessionId=second)
    assert scene.says("open")["type"] == "opened"
    refused = [scene.utters(first), scene.says("ping", sessionId=first), scene.says("direct", sessionId=first)]
    assert {one["code"] for one in refused} == {"SESSION_ELSEWHERE"}
    assert scene.says("open", sessionId=first)["code"] == "TOO_MANY_SESSIONS"
    scene.says("close", sessionId=second)
    assert scene.says("open", sessionId=first)["sessionId"] == first
    assert scene.utters(first)["type"] == "accepted"


def test_reconnecting_never_raises_the_number_of_usable_sessions(scene: Scene) -> None:
    sessions = [session for number in range(4) for session in silent_sessions(scene, f"c{number}")]
    spoken = [scene.utters(session, connection=f"c{at // 2}")["type"] for at, session in enumerate(sessions)]
    assert spoken.count("accepted") == LIMITS.sessions_per_user


def test_a_session_that_is_opened_while_it_makes_room_counts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = silent_sessions(scene)
    before(scene, monkeypatch, SessionQuota, lambda: scene.says("open", sessionId=sessions[0]))
    newer = str(scene.says("open")["sessionId"])
    assert usable(scene, [*sessions, newer]) == [sessions[0], newer], "only one session makes room"


def test_two_concurrent_requests_for_room_never_exceed_the_limit(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, newer = silent_sessions(scene), []
    before(scene, monkeypatch, SessionQuota, lambda: newer.append(str(scene.says("open")["sessionId"])))
    newer.append(str(scene.says("open")["sessionId"]))
    assert sorted(usable(scene, [*sessions, *newer])) == sorted(newer)


def test_a_session_that_moves_while_its_old_connection_closes_counts(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = scene.opens("c1")
    scene.connect("c2")
    with monkeypatch.context() as meanwhile:
        change = scene.live.change

        def changed(of: type[LiveItem], *given: Any) -> Any:
            if of is ClientConnection:
                meanwhile.undo()
                scene.disconnect("c1")
            return change(of, *given)

        meanwhile.setattr(scene.live, "change", changed)
        scene.says("open", "c2", sessionId=session)
    scene.clock.now_ms += DETACHED_MS
    opened = [scene.says("open", "c2")["type"] for _ in range(LIMITS.sessions_per_user)]
    assert opened.count("opened") == LIMITS.sessions_per_user - 1


def test_a_session_with_an_utterance_in_progress_is_not_silent() -> None:
    flight = SessionSlots(connection="c1", seen_ms=100, slots=(Slot(utterance="a", attempt=1, overdue_ms=900),))
    assert not flight.is_silent(since_ms=500, now_ms=899)
    assert flight.is_silent(since_ms=500, now_ms=900)
    assert not flight.is_silent(since_ms=100, now_ms=900)
