"""The router's handshakes, messages and answers, with moto's tables."""

import json
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from handlers.common.identity.user_ids import derive_user_id
from handlers.transcription.live_table import session_utterances_key
from handlers.transcription.messages import ProcessorEvent
from handlers.transcription.router.client_message_handler import DIRECT_URL_PERIOD_MS, MAX_START_MS
from handlers.transcription.router.lost_utterance_sweep import SweepFailed
from handlers.transcription.router.open_session_limit import ABANDONED_MS, DISCONNECTED_MS
from handlers.transcription.session_utterance_state import SessionUtterances
from tests.handlers.transcription.router_harness import (
    LIMITS,
    LIVE_TABLE_NAME,
    SESSION_TABLE_NAME,
    START_MS,
    RouterHarness,
    silence,
)

ANN = derive_user_id("none", "ann")
"""User id of a client that connects as `user.ann`."""


def test_a_handshake_is_answered_with_the_protocol_and_never_with_the_token(router: RouterHarness) -> None:
    answer = router.connect("c1", "polyphony.transcription.v1", "bearer.secret")
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "polyphony.transcription.v1"}}


def test_a_refused_handshake_states_the_reason(router: RouterHarness) -> None:
    answer = router.connect("c1", "something.else")
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "MALFORMED_MESSAGE"
    assert router.send("open")["code"] == "UNAUTHENTICATED", "the connection is not stored"


def test_an_utterance_of_an_open_session_is_passed_to_the_processor(router: RouterHarness) -> None:
    session = router.open_session()
    router.clock.now_ms += 700
    answer = router.send_utterance(session)
    assert answer == {
        "id": "m1",
        "type": "accepted",
        "sessionId": session,
        "utterance": "u1",
        "repeated": False,
        "done": False,
        "failed": False,
        "resend": [],
    }
    event = ProcessorEvent(
        session_id=session, utterance="u1", attempt=1, sequence=1, accepted_ms=START_MS + 700, audio=silence(1)
    )
    assert router.processor_events == [event]
    assert router.send_utterance(session)["repeated"]
    assert router.processor_events == [event], "a repeated message is passed on once"


def test_an_opened_session_states_its_end(router: RouterHarness) -> None:
    router.connect()
    answer = router.send("open")
    assert answer["expiresAt"] == "2025-10-09T09:53:20.000Z"
    assert answer["inFlight"] == LIMITS.in_flight


@pytest.mark.parametrize("action", ["audio", "close", "ping", "open"])
def test_another_users_session_gives_the_same_error_as_an_unknown_session(router: RouterHarness, action: str) -> None:
    session = router.open_session()
    router.connect("c2", "polyphony.transcription.v1", "user.bob")
    content = {"utterance": "u1", "sequence": 1, "audio": silence(1)}
    foreign = router.send(action, "c2", sessionId=session, **content)
    never = router.send(action, "c2", sessionId="0" * 26, **content)
    assert foreign["code"] == "SESSION_UNKNOWN"
    assert foreign == never
    assert router.processor_events == []


def test_a_closed_session_accepts_nothing(router: RouterHarness) -> None:
    session = router.open_session()
    assert router.send("close", sessionId=session)["type"] == "closed"
    assert router.send("close", sessionId=session)["type"] == "closed", "closing again changes nothing"
    assert router.send_utterance(session)["code"] == "SESSION_CLOSED"
    other = router.open_session()
    router.clock.now_ms += LIMITS.session_seconds * 1000
    assert router.send_utterance(other)["code"] == "SESSION_CLOSED", "the session has expired"


def test_closing_a_session_makes_room_for_another_one(router: RouterHarness) -> None:
    first, _ = router.open_session(), router.open_session()
    assert router.send("open")["code"] == "TOO_MANY_SESSIONS"
    router.send("close", sessionId=first)
    assert router.send("open")["type"] == "opened"
    assert router.send("open")["code"] == "TOO_MANY_SESSIONS"
    router.clock.now_ms += LIMITS.session_seconds * 1000
    assert router.send("open")["type"] == "opened", "ended sessions do not count"


def test_a_session_of_a_closed_connection_soon_stops_counting(router: RouterHarness) -> None:
    for number in range(LIMITS.sessions_per_user):
        router.open_session(f"c{number}")
        router.disconnect(f"c{number}")
    router.connect("c9")
    assert router.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"
    router.clock.now_ms += DISCONNECTED_MS
    assert router.send("open", "c9")["type"] == "opened", "a client that reloads its page repeatedly can still connect"


def test_a_session_that_moved_to_another_connection_still_counts(router: RouterHarness) -> None:
    first = router.open_session("c1")
    router.connect("c2")
    router.send("open", "c2", sessionId=first)
    router.disconnect("c1")
    router.clock.now_ms += DISCONNECTED_MS
    router.send("open", "c2")
    assert router.send("open", "c2")["code"] == "TOO_MANY_SESSIONS"


def test_the_sweep_reports_an_unstarted_utterance_once(router: RouterHarness) -> None:
    session = router.open_session()
    router.send_utterance(session, "u1")
    assert router.run_sweep() == 0
    router.clock.now_ms += MAX_START_MS
    assert router.run_sweep() == 1
    [told] = router.clients.sent_to("c1", "resend")
    assert told == {"type": "resend", "sessionId": session, "utterances": [{"utterance": "u1", "fromMs": 0}]}
    assert router.run_sweep() == 0


def test_a_lost_utterance_is_also_reported_with_the_next_answer(router: RouterHarness) -> None:
    session = router.open_session()
    router.send_utterance(session, "u1")
    router.clock.now_ms += MAX_START_MS
    router.clients.before_post = Mock(side_effect=EndpointConnectionError(endpoint_url="https://somewhere"))
    assert router.run_sweep() == 1, "the client cannot be notified now"
    lost = [{"utterance": "u1", "fromMs": 0}]
    assert router.send_utterance(session, "u2")["resend"] == lost
    assert router.send("ping", sessionId=session)["resend"] == lost, "only until it is sent again"
    assert router.send_utterance(session, "u1")["type"] == "accepted"
    assert router.processor_events[-1].utterance_attempt == 2
    assert router.send("ping", sessionId=session)["resend"] == []


def test_a_failed_invocation_returns_the_slot(router: RouterHarness) -> None:
    session = router.open_session()
    router.invocation_error = EndpointConnectionError(endpoint_url="https://somewhere")
    assert router.send_utterance(session, "u1")["code"] == "UNAVAILABLE"
    router.invocation_error = None
    assert router.send_utterance(session, "u1")["type"] == "accepted"


@pytest.mark.parametrize("ended", [False, True])
def test_an_utterance_whose_invocation_succeeded_without_a_response_is_accepted(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """Without its slot, the attempt would stop in the middle of a sentence, and another attempt would repeat it."""

    def handed_over(work: ProcessorEvent) -> None:
        def begin(slots: SessionUtterances) -> tuple[SessionUtterances, None]:
            now_ms = router.clock.now_ms
            begun, _ = slots.start(work.utterance, work.attempt, now_ms, now_ms + 9_000)
            return (begun.finish(work.utterance, work.attempt) if ended else begun), None

        router.live.change_utterances(work.session_id, begin)
        raise ReadTimeoutError(endpoint_url="https://somewhere")

    monkeypatch.setattr(router, "_invoke_processor", handed_over)
    session = router.open_session()
    assert router.send_utterance(session, "u1")["type"] == "accepted"
    slots = router.utterances(session)
    assert slots.done == ("u1",) if ended else slots.holds_slot("u1", 1)


def test_a_direct_url_needs_an_open_session_of_the_user(router: RouterHarness) -> None:
    session = router.open_session(language="de-DE")
    answer = router.send("direct", sessionId=session)
    assert (answer["url"], answer["expiresSeconds"]) == ("wss://somewhere/de-DE/300", 300)
    router.connect("c2", "polyphony.transcription.v1", "user.bob")
    assert router.send("direct", "c2", sessionId=session)["code"] == "SESSION_UNKNOWN"
    router.send("close", sessionId=session)
    assert router.send("direct", sessionId=session)["code"] == "SESSION_CLOSED"


def test_the_number_of_direct_urls_is_limited(router: RouterHarness, capsys: pytest.CaptureFixture[str]) -> None:
    """Each URL can be used for minutes, and its stream costs money as long as it lasts."""
    session = router.open_session()
    answers = [router.send("direct", sessionId=session) for _ in range(LIMITS.in_flight + 1)]
    assert [answer["type"] for answer in answers] == ["direct"] * LIMITS.in_flight + ["error"]
    assert answers[-1]["code"] == "DIRECT_REFUSED"
    assert capsys.readouterr().out.count("direct_issued") == LIMITS.in_flight
    router.clock.now_ms += DIRECT_URL_PERIOD_MS
    assert router.send("direct", sessionId=session)["type"] == "direct"


def test_a_stack_can_disable_direct_urls(dynamodb: Any) -> None:
    router = RouterHarness(dynamodb, limits=LIMITS.model_copy(update={"direct_enabled": False}))
    assert router.send("direct", sessionId=router.open_session())["code"] == "DIRECT_REFUSED"


def test_a_closed_session_counts_until_its_last_utterance_has_ended(router: RouterHarness) -> None:
    """Otherwise, a client that opens, speaks and closes repeatedly could use all streams of the account."""
    for _ in range(LIMITS.sessions_per_user):
        session = router.open_session()
        router.send_utterance(session)
        router.send("close", sessionId=session)
    assert router.send("open")["code"] == "TOO_MANY_SESSIONS"
    router.clock.now_ms += MAX_START_MS
    assert router.send("open")["type"] == "opened"


def test_a_session_can_be_used_only_on_the_connection_that_opened_it_last(router: RouterHarness) -> None:
    """Over another connection, it would not be counted."""
    session = router.open_session("c1")
    router.send_utterance(session)
    router.disconnect("c1")
    router.connect("c2")
    refused = [
        router.send_utterance(session, connection="c2"),
        router.send("ping", "c2", sessionId=session),
        router.send("direct", "c2", sessionId=session),
    ]
    assert {item["code"] for item in refused} == {"SESSION_ELSEWHERE"}
    assert router.send("open", "c2", sessionId=session)["sessionId"] == session
    assert router.send_utterance(session, connection="c2")["repeated"], "utterances in progress continue"


def test_an_idle_session_makes_room_for_another_one(router: RouterHarness) -> None:
    """API Gateway does not report the end of every connection."""
    for number in range(LIMITS.sessions_per_user):
        router.open_session(f"c{number}")
    router.clock.now_ms += ABANDONED_MS
    router.connect("c9")
    assert router.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"
    router.clock.now_ms += 1
    assert router.send("open", "c9")["type"] == "opened"


def test_an_active_session_keeps_its_place_in_the_quota(router: RouterHarness) -> None:
    first, second = router.open_session("c1"), router.open_session("c2")
    router.clock.now_ms += ABANDONED_MS
    router.send("ping", "c1", sessionId=first)
    router.send_utterance(second, connection="c2")
    router.clock.now_ms += 1
    router.connect("c9")
    assert router.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"


@pytest.mark.parametrize(
    ("action", "content"),
    [
        *(("ping", {}), ("open", {}), ("sweep", {})),
        *(("audio", {"utterance": utterance, "sequence": 1, "audio": silence(1)}) for utterance in ("u1", "u2")),
    ],
)
def test_every_lost_utterance_is_logged_by_the_component_that_finds_it(
    router: RouterHarness, capsys: pytest.CaptureFixture[str], action: str, content: dict[str, Any]
) -> None:
    session = router.open_session()
    router.send_utterance(session, "u1")
    router.clock.now_ms += MAX_START_MS
    if action == "sweep":
        assert router.run_sweep() == 1
    else:
        router.send(action, sessionId=session, **content)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["lost"], line["level"]) for line in lines if line["message"] == "utterances_lost"] == [(1, "ERROR")]
    assert router.run_sweep() == 0


def test_a_failure_for_one_session_does_not_stop_the_sweep_of_others(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = router.open_session("c1"), router.open_session("c2")
    router.send_utterance(first, connection="c1")
    router.send_utterance(second, connection="c2")
    router.clock.now_ms += MAX_START_MS
    broken = min(session_utterances_key(first), session_utterances_key(second))
    change = router.live.change

    def failing(model: Any, key: str, move: Any) -> Any:
        return 1 / 0 if key == broken else change(model, key, move)

    monkeypatch.setattr(router.live, "change", failing)
    with pytest.raises(SweepFailed, match="1 sessions"):
        router.run_sweep()
    assert len(router.clients.sent_to("c1", "resend") + router.clients.sent_to("c2", "resend")) == 1


def test_each_session_has_its_own_secret(router: RouterHarness) -> None:
    """Caption hashes are keyed with it, so the same words in two sessions have different hashes."""
    secrets = [
        session.secret
        for opened_id in (router.open_session("c1"), router.open_session("c2"))
        if (session := router.sessions.find(opened_id))
    ]
    assert len(set(secrets)) == 2
    assert all(len(bytes.fromhex(secret)) == 32 for secret in secrets)


def test_a_user_continues_a_session_that_an_operator_opened(router: RouterHarness) -> None:
    session = open_as_operator(router, ANN, language="de-DE")["sessionId"]
    found = router.sessions.find(session)
    assert found is not None
    assert found.language == "de-DE"
    router.connect()
    assert router.send("open", sessionId=session)["sessionId"] == session
    assert router.send_utterance(session)["type"] == "accepted"
    assert open_as_operator(router, ANN, sessionId=session)["sessionId"] != session, "no session is removed"
    assert router.utterances(session).connection == "c1"


@pytest.mark.parametrize("user", ["ann", "ANN", "", None, 7, ANN.lower(), f"{ANN}A", f"{ANN}\n"])
def test_an_operator_cannot_open_a_session_for_an_impossible_user(router: RouterHarness, user: Any) -> None:
    """The session could be opened, but its user would get the error that there is no such session."""
    with pytest.raises(ValueError, match=r"^user must be .*docs/transcription\.md"):
        open_as_operator(router, user)
    assert router.dynamodb.scan(TableName=SESSION_TABLE_NAME)["Items"] == []


def open_as_operator(router: RouterHarness, user: Any, **session: Any) -> dict[str, Any]:
    """Open a session as an operator does."""
    return router.router.handle({"kind": "open", "user": user, "session": session}, router.clock.now_ms)


def test_no_audio_and_no_token_is_stored_or_logged(router: RouterHarness, capsys: pytest.CaptureFixture[str]) -> None:
    canary = "bearer.canary-token"
    router.connect("c1", "polyphony.transcription.v1", canary, "user.canary-name")
    session = router.send("open")["sessionId"]
    router.send("audio", sessionId=session, utterance="u1", sequence=1, audio="canary-audio")
    router.send_utterance(session, "u2")
    stored = json.dumps(
        [router.dynamodb.scan(TableName=table)["Items"] for table in (LIVE_TABLE_NAME, SESSION_TABLE_NAME)]
    )
    for text in (stored, capsys.readouterr().out):
        assert "canary" not in text
        assert silence(1)[:40] not in text
