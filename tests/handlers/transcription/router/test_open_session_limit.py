"""Tests of the limit on a user's open sessions, with sessions that make room for others and with concurrent requests.

A session stops counting `DISCONNECTED_MS` after its connection closed. If the limit is reached, an abandoned session
makes room for a new one. A session is abandoned if its client has sent nothing for `ABANDONED_MS` and no utterance is
in progress.
"""

from collections.abc import Callable
from typing import Any

import pytest

from handlers.transcription.live_table import ClientConnection
from handlers.transcription.router.open_session_limit import ABANDONED_MS, DISCONNECTED_MS, UserOpenSessions
from handlers.transcription.session_utterance_state import LiveItem, SessionUtterances, Slot
from tests.handlers.transcription.router_harness import LIMITS, RouterHarness


def open_abandoned_sessions(router: RouterHarness, connection: str = "c1") -> list[str]:
    """Open as many sessions as allowed, let them become abandoned, and return their ids. The connection stays open."""
    router.connect(connection)
    sessions = [str(router.send("open", connection)["sessionId"]) for _ in range(LIMITS.sessions_per_user)]
    router.clock.now_ms += ABANDONED_MS + 1
    assert router.send("ping", connection)["type"] == "pong"
    return sessions


def usable_sessions(router: RouterHarness, sessions: list[str]) -> list[str]:
    return [session for session in sessions if router.send("ping", sessionId=session)["type"] == "pong"]


def act_before_change(
    router: RouterHarness,
    monkeypatch: pytest.MonkeyPatch,
    model: type[LiveItem],
    change_number: int,
    action: Callable[[], object],
) -> None:
    """Call the action right before the first or a later change of items of this model in the live table."""
    original_change, change_count = router.live.change, 0

    def change(changed_model: type[LiveItem], *arguments: Any) -> Any:
        nonlocal change_count
        change_count += changed_model is model
        if changed_model is model and change_count == change_number:
            action()
        return original_change(changed_model, *arguments)

    monkeypatch.setattr(router.live, "change", change)


def test_a_session_that_made_room_must_be_opened_again_before_use(router: RouterHarness) -> None:
    first, second = open_abandoned_sessions(router)
    router.send("ping", sessionId=second)
    assert router.send("open")["type"] == "opened", "the first session made room"
    answers = [
        router.send_utterance(first),
        router.send("ping", sessionId=first),
        router.send("direct", sessionId=first),
    ]
    assert {answer["code"] for answer in answers} == {"SESSION_ELSEWHERE"}
    assert router.send("open", sessionId=first)["code"] == "TOO_MANY_SESSIONS"
    router.send("close", sessionId=second)
    assert router.send("open", sessionId=first)["sessionId"] == first
    assert router.send_utterance(first)["type"] == "accepted"


def test_a_user_with_several_connections_cannot_use_more_sessions_than_the_limit(router: RouterHarness) -> None:
    sessions_by_connection = {name: open_abandoned_sessions(router, name) for name in ("c1", "c2", "c3", "c4")}
    answers = [
        router.send_utterance(session, connection=connection)
        for connection, sessions in sessions_by_connection.items()
        for session in sessions
    ]
    assert [answer["type"] for answer in answers].count("accepted") == LIMITS.sessions_per_user


def test_a_session_that_is_opened_again_before_it_has_made_room_still_counts(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = open_abandoned_sessions(router)
    # The first change only finds that the limit is reached.
    act_before_change(router, monkeypatch, UserOpenSessions, 2, lambda: router.send("open", sessionId=sessions[0]))
    new_session = str(router.send("open")["sessionId"])
    assert usable_sessions(router, [*sessions, new_session]) == [sessions[0], new_session], "the other one made room"


def test_two_concurrent_requests_for_new_sessions_never_exceed_the_limit(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandoned, new_sessions = open_abandoned_sessions(router), list[str]()

    def open_new_session() -> None:
        new_sessions.append(str(router.send("open")["sessionId"]))

    # The first change only finds that the limit is reached.
    act_before_change(router, monkeypatch, UserOpenSessions, 2, open_new_session)
    open_new_session()
    assert sorted(usable_sessions(router, [*abandoned, *new_sessions])) == sorted(new_sessions)


def test_a_session_still_counts_if_its_old_connection_closes_while_it_moves_to_a_new_one(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = router.open_session("c1")
    router.connect("c2")
    act_before_change(router, monkeypatch, ClientConnection, 1, lambda: router.disconnect("c1"))
    router.send("open", "c2", sessionId=session)
    router.clock.now_ms += DISCONNECTED_MS
    answers = [router.send("open", "c2") for _ in range(LIMITS.sessions_per_user)]
    assert [answer["type"] for answer in answers].count("opened") == LIMITS.sessions_per_user - 1


def test_a_session_with_an_utterance_in_progress_is_not_abandoned() -> None:
    slot = Slot(utterance="a", attempt=1, overdue_ms=900)
    utterances = SessionUtterances(connection="c1", seen_ms=100, slots=(slot,))
    assert not utterances.is_abandoned(since_ms=500, now_ms=899)
    assert utterances.is_abandoned(since_ms=500, now_ms=900), "the deadline of the slot is over"
    assert not utterances.is_abandoned(since_ms=100, now_ms=900), "the client has sent a message since"
