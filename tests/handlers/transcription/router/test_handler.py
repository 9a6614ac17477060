"""The router's handshakes, messages and answers, with moto's tables."""

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from handlers.common.identity.user_ids import derive_user_id
from handlers.transcription.live_table import session_utterances_key
from handlers.transcription.messages import ProcessorEvent
from handlers.transcription.router.client_message_handler import DIRECT_WITHIN_MS, MAX_START_MS
from handlers.transcription.router.lost_utterance_sweep import SweepFailed
from handlers.transcription.router.session_quota import DETACHED_MS, IDLE_MS
from handlers.transcription.session_utterances import SessionUtterances
from tests.handlers.transcription.router_harness import LIMITS, LIVE, SESSIONS, RouterHarness, silence

ANN = derive_user_id("none", "ann")
"""User id of a client that connects as `user.ann`."""


def test_a_handshake_is_answered_with_the_protocol_and_never_with_the_token(router_harness: RouterHarness) -> None:
    answer = router_harness.connect("c1", "polyphony.transcription.v1", "bearer.secret")
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "polyphony.transcription.v1"}}


def test_a_refused_handshake_states_the_reason(router_harness: RouterHarness) -> None:
    answer = router_harness.connect("c1", "something.else")
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "MALFORMED_MESSAGE"
    assert router_harness.send("open")["code"] == "UNAUTHENTICATED", "the connection is not stored"


def test_an_utterance_of_an_open_session_is_passed_to_the_processor(router_harness: RouterHarness) -> None:
    session = router_harness.open_session()
    answer = router_harness.send_utterance(session)
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
    [work] = router_harness.handed
    assert (work.session_id, work.utterance, work.attempt, work.from_ms, work.utterance_attempt) == (
        session,
        "u1",
        1,
        0,
        1,
    )
    assert work.audio == silence(1)
    assert router_harness.send_utterance(session)["repeated"]
    assert router_harness.handed == [work], "a repeated message is passed on once"


def test_an_opened_session_states_its_end(router_harness: RouterHarness) -> None:
    router_harness.connect()
    answer = router_harness.send("open")
    assert answer["expiresAt"] == "2025-10-09T09:53:20.000Z"
    assert answer["inFlight"] == LIMITS.in_flight


@pytest.mark.parametrize("action", ["audio", "close", "ping", "open"])
def test_another_users_session_gives_the_same_error_as_an_unknown_session(
    router_harness: RouterHarness, action: str
) -> None:
    session = router_harness.open_session()
    router_harness.connect("c2", "polyphony.transcription.v1", "user.bob")
    content = {"utterance": "u1", "sequence": 1, "audio": silence(1)}
    foreign = router_harness.send(action, "c2", sessionId=session, **content)
    never = router_harness.send(action, "c2", sessionId="0" * 26, **content)
    assert foreign["code"] == "SESSION_UNKNOWN"
    assert foreign == never
    assert router_harness.handed == []


def test_a_closed_session_accepts_nothing(router_harness: RouterHarness) -> None:
    session = router_harness.open_session()
    assert router_harness.send("close", sessionId=session)["type"] == "closed"
    assert router_harness.send("close", sessionId=session)["type"] == "closed", "closing again changes nothing"
    assert router_harness.send_utterance(session)["code"] == "SESSION_CLOSED"
    other = router_harness.open_session()
    router_harness.clock.now_ms += LIMITS.session_seconds * 1000
    assert router_harness.send_utterance(other)["code"] == "SESSION_CLOSED", "the session has expired"


def test_closing_a_session_makes_room_for_another_one(router_harness: RouterHarness) -> None:
    first, _ = router_harness.open_session(), router_harness.open_session()
    assert router_harness.send("open")["code"] == "TOO_MANY_SESSIONS"
    router_harness.send("close", sessionId=first)
    assert router_harness.send("open")["type"] == "opened"
    assert router_harness.send("open")["code"] == "TOO_MANY_SESSIONS"
    router_harness.clock.now_ms += LIMITS.session_seconds * 1000
    assert router_harness.send("open")["type"] == "opened", "ended sessions do not count"


def test_a_session_of_a_closed_connection_soon_stops_counting(router_harness: RouterHarness) -> None:
    for number in range(LIMITS.sessions_per_user):
        router_harness.open_session(f"c{number}")
        router_harness.disconnect(f"c{number}")
    router_harness.connect("c9")
    assert router_harness.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"
    router_harness.clock.now_ms += DETACHED_MS
    assert router_harness.send("open", "c9")["type"] == "opened", (
        "a client that reloads its page repeatedly can still connect"
    )


def test_a_session_that_moved_to_another_connection_still_counts(router_harness: RouterHarness) -> None:
    first = router_harness.open_session("c1")
    router_harness.connect("c2")
    router_harness.send("open", "c2", sessionId=first)
    router_harness.disconnect("c1")
    router_harness.clock.now_ms += DETACHED_MS
    router_harness.send("open", "c2")
    assert router_harness.send("open", "c2")["code"] == "TOO_MANY_SESSIONS"


def test_the_sweep_reports_an_unstarted_utterance_once(router_harness: RouterHarness) -> None:
    session = router_harness.open_session()
    router_harness.send_utterance(session, "u1")
    assert router_harness.run_sweep() == 0
    router_harness.clock.now_ms += MAX_START_MS
    assert router_harness.run_sweep() == 1
    [told] = router_harness.clients.sent_to("c1", "resend")
    assert told == {"type": "resend", "sessionId": session, "utterances": [{"utterance": "u1", "fromMs": 0}]}
    assert router_harness.run_sweep() == 0


def test_a_lost_utterance_is_also_reported_with_the_next_answer(router_harness: RouterHarness) -> None:
    session = router_harness.open_session()
    router_harness.send_utterance(session, "u1")
    router_harness.clock.now_ms += MAX_START_MS
    router_harness.clients.failing = EndpointConnectionError(endpoint_url="https://somewhere")
    assert router_harness.run_sweep() == 1, "the client cannot be notified now"
    lost = [{"utterance": "u1", "fromMs": 0}]
    assert router_harness.send_utterance(session, "u2")["resend"] == lost
    assert router_harness.send("ping", sessionId=session)["resend"] == lost, "only until it is sent again"
    assert router_harness.send_utterance(session, "u1")["type"] == "accepted"
    assert router_harness.handed[-1].utterance_attempt == 2
    assert router_harness.send("ping", sessionId=session)["resend"] == []


def test_a_failed_invocation_returns_the_slot(router_harness: RouterHarness) -> None:
    session = router_harness.open_session()
    router_harness.refusing = EndpointConnectionError(endpoint_url="https://somewhere")
    assert router_harness.send_utterance(session, "u1")["code"] == "UNAVAILABLE"
    router_harness.refusing = None
    assert router_harness.send_utterance(session, "u1")["type"] == "accepted"


@pytest.mark.parametrize("ended", [False, True])
def test_an_utterance_whose_invocation_succeeded_without_a_response_is_accepted(
    router_harness: RouterHarness, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """Without its slot, the attempt would stop in the middle of a sentence, and another attempt would repeat it."""

    def handed_over(work: ProcessorEvent) -> None:
        def begin(slots: SessionUtterances) -> tuple[SessionUtterances, None]:
            now_ms = router_harness.clock.now_ms
            begun, _ = slots.start(work.utterance, work.attempt, now_ms, now_ms + 9_000)
            return (begun.finish(work.utterance, work.attempt) if ended else begun), None

        router_harness.live.change(SessionUtterances, session_utterances_key(work.session_id), begin)
        raise ReadTimeoutError(endpoint_url="https://somewhere")

    monkeypatch.setattr(router_harness, "_hand_over", handed_over)
    session = router_harness.open_session()
    assert router_harness.send_utterance(session, "u1")["type"] == "accepted"
    slots = router_harness.live.read(SessionUtterances, session_utterances_key(session))
    assert slots.done == ("u1",) if ended else slots.holds_slot("u1", 1)


def test_a_direct_url_needs_an_open_session_of_the_user(router_harness: RouterHarness) -> None:
    session = router_harness.open_session(language="de-DE")
    answer = router_harness.send("direct", sessionId=session)
    assert (answer["url"], answer["expiresSeconds"]) == ("wss://somewhere/de-DE/300", 300)
    router_harness.connect("c2", "polyphony.transcription.v1", "user.bob")
    assert router_harness.send("direct", "c2", sessionId=session)["code"] == "SESSION_UNKNOWN"
    router_harness.send("close", sessionId=session)
    assert router_harness.send("direct", sessionId=session)["code"] == "SESSION_CLOSED"


def test_the_number_of_direct_urls_is_limited(
    router_harness: RouterHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each URL can be used for minutes, and its stream costs money as long as it lasts."""
    session = router_harness.open_session()
    answers = [router_harness.send("direct", sessionId=session) for _ in range(LIMITS.in_flight + 1)]
    assert [answer["type"] for answer in answers] == ["direct"] * LIMITS.in_flight + ["error"]
    assert answers[-1]["code"] == "DIRECT_REFUSED"
    assert capsys.readouterr().out.count("direct_issued") == LIMITS.in_flight
    router_harness.clock.now_ms += DIRECT_WITHIN_MS
    assert router_harness.send("direct", sessionId=session)["type"] == "direct"


def test_a_stack_can_disable_direct_urls(dynamodb: Any) -> None:
    router_harness = RouterHarness(dynamodb, limits=LIMITS.model_copy(update={"direct_enabled": False}))
    assert router_harness.send("direct", sessionId=router_harness.open_session())["code"] == "DIRECT_REFUSED"


def test_a_closed_session_counts_until_its_last_utterance_has_ended(router_harness: RouterHarness) -> None:
    """Otherwise, a client that opens, speaks and closes repeatedly could use all streams of the account."""
    for _ in range(LIMITS.sessions_per_user):
        session = router_harness.open_session()
        router_harness.send_utterance(session)
        router_harness.send("close", sessionId=session)
    assert router_harness.send("open")["code"] == "TOO_MANY_SESSIONS"
    router_harness.clock.now_ms += MAX_START_MS
    assert router_harness.send("open")["type"] == "opened"


def test_a_session_can_be_used_only_on_the_connection_that_opened_it_last(router_harness: RouterHarness) -> None:
    """Over another connection, it would not be counted."""
    session = router_harness.open_session("c1")
    router_harness.disconnect("c1")
    router_harness.connect("c2")
    refused = [
        router_harness.send_utterance(session, connection="c2"),
        router_harness.send("ping", "c2", sessionId=session),
        router_harness.send("direct", "c2", sessionId=session),
    ]
    assert {item["code"] for item in refused} == {"SESSION_ELSEWHERE"}
    assert router_harness.send("open", "c2", sessionId=session)["sessionId"] == session
    assert router_harness.send_utterance(session, connection="c2")["type"] == "accepted"


def test_an_idle_session_makes_room_for_another_one(router_harness: RouterHarness) -> None:
    """API Gateway does not report the end of every connection."""
    for number in range(LIMITS.sessions_per_user):
        router_harness.open_session(f"c{number}")
    router_harness.clock.now_ms += IDLE_MS
    router_harness.connect("c9")
    assert router_harness.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"
    router_harness.clock.now_ms += 1
    assert router_harness.send("open", "c9")["type"] == "opened"


def test_an_active_session_keeps_its_place_in_the_quota(router_harness: RouterHarness) -> None:
    first, second = router_harness.open_session("c1"), router_harness.open_session("c2")
    router_harness.clock.now_ms += IDLE_MS
    router_harness.send("ping", "c1", sessionId=first)
    router_harness.send_utterance(second, connection="c2")
    router_harness.clock.now_ms += 1
    router_harness.connect("c9")
    assert router_harness.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"


@pytest.mark.parametrize("notices", ["ping", "open", "resend", "other", "sweep"])
def test_every_lost_utterance_is_logged_by_the_component_that_finds_it(
    router_harness: RouterHarness, capsys: pytest.CaptureFixture[str], notices: str
) -> None:
    session = router_harness.open_session()
    router_harness.send_utterance(session, "u1")
    router_harness.clock.now_ms += MAX_START_MS
    match notices:
        case "ping":
            router_harness.send("ping", sessionId=session)
        case "open":
            router_harness.send("open", sessionId=session)
        case "resend":
            router_harness.send_utterance(session, "u1")
        case "sweep":
            assert router_harness.run_sweep() == 1
        case _:
            router_harness.send_utterance(session, "u2")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["lost"], line["level"]) for line in lines if line["message"] == "utterances_lost"] == [(1, "ERROR")]
    assert router_harness.run_sweep() == 0


def test_a_failure_for_one_session_does_not_stop_the_sweep_of_others(
    router_harness: RouterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = router_harness.open_session("c1"), router_harness.open_session("c2")
    router_harness.send_utterance(first, connection="c1")
    router_harness.send_utterance(second, connection="c2")
    router_harness.clock.now_ms += MAX_START_MS
    broken = min(session_utterances_key(first), session_utterances_key(second))
    change = router_harness.live.change

    def failing(model: Any, key: str, move: Any) -> Any:
        return 1 / 0 if key == broken else change(model, key, move)

    monkeypatch.setattr(router_harness.live, "change", failing)
    with pytest.raises(SweepFailed, match="1 sessions"):
        router_harness.run_sweep()
    assert len(router_harness.clients.sent_to("c1", "resend") + router_harness.clients.sent_to("c2", "resend")) == 1


def test_each_session_has_its_own_secret(router_harness: RouterHarness) -> None:
    """Caption hashes are keyed with it, so the same words in two sessions have different hashes."""
    secrets = [
        session.secret
        for opened_id in (router_harness.open_session("c1"), router_harness.open_session("c2"))
        if (session := router_harness.sessions.find(opened_id))
    ]
    assert len(set(secrets)) == 2
    assert all(len(bytes.fromhex(secret)) == 32 for secret in secrets)


def test_a_user_continues_a_session_that_an_operator_opened(router_harness: RouterHarness) -> None:
    session = open_as_operator(router_harness, ANN, language="de-DE")["sessionId"]
    found = router_harness.sessions.find(session)
    assert found is not None
    assert found.language == "de-DE"
    router_harness.connect()
    assert router_harness.send("open", sessionId=session)["sessionId"] == session
    assert router_harness.send_utterance(session)["type"] == "accepted"
    assert open_as_operator(router_harness, ANN, sessionId=session)["sessionId"] != session, "no session is removed"
    assert router_harness.live.read(SessionUtterances, session_utterances_key(session)).connection == "c1"


@pytest.mark.parametrize("user", ["ann", "ANN", "", None, 7, ANN.lower(), f"{ANN}A", f"{ANN}\n"])
def test_an_operator_cannot_open_a_session_for_an_impossible_user(router_harness: RouterHarness, user: Any) -> None:
    """The session could be opened, but its user would get the error that there is no such session."""
    with pytest.raises(ValueError, match=r"^user must be .*docs/transcription\.md"):
        open_as_operator(router_harness, user)
    assert router_harness.dynamodb.scan(TableName=SESSIONS)["Items"] == []


def open_as_operator(router_harness: RouterHarness, user: Any, **session: Any) -> dict[str, Any]:
    """Open a session as an operator does."""
    return router_harness.router.handle({"kind": "open", "user": user, "session": session}, router_harness.clock.now_ms)


def test_no_audio_and_no_token_is_stored_or_logged(
    router_harness: RouterHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = "bearer.canary-token"
    router_harness.connect("c1", "polyphony.transcription.v1", canary, "user.canary-name")
    session = router_harness.send("open")["sessionId"]
    router_harness.send("audio", sessionId=session, utterance="u1", sequence=1, audio="canary-audio")
    router_harness.send_utterance(session, "u2")
    stored = json.dumps([router_harness.dynamodb.scan(TableName=table)["Items"] for table in (LIVE, SESSIONS)])
    for text in (stored, capsys.readouterr().out):
        assert "canary" not in text
        assert silence(1)[:40] not in text
