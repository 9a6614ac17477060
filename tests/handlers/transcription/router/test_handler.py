"""Tests of the router, the Lambda function that answers the messages of transcription's clients.

A client opens a session and sends speech as utterances, one in each message. For each utterance, the router reserves
one of the session's slots and invokes the audio processor. If the processor does not start within `MAX_START_MS`, the
utterance is lost, and the client must send it again. The sweep, a scheduled invocation of the router, looks for lost
utterances. Each user has a limited number of open sessions. With the message `direct`, a client gets a presigned URL
for streaming to Amazon Transcribe without this backend.
"""

import json
from collections.abc import Callable
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


def open_as_operator(router: RouterHarness, user: Any, **session: Any) -> dict[str, Any]:
    """Open a session for a user, as an operator does by invoking the function."""
    return router.router.handle({"kind": "open", "user": user, "session": session}, router.clock.now_ms)


def test_the_answer_to_a_handshake_selects_the_protocol_and_does_not_repeat_the_token(router: RouterHarness) -> None:
    answer = router.connect("c1", "polyphony.transcription.v1", "bearer.secret")
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "polyphony.transcription.v1"}}


def test_a_refused_handshake_states_the_reason(router: RouterHarness) -> None:
    answer = router.connect("c1", "something.else")
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "MALFORMED_MESSAGE"
    assert router.send("open")["code"] == "UNAUTHENTICATED", "a refused connection is not stored"


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
    assert router.processor_events == [event], "a repeated message does not invoke the processor again"


def test_the_answer_to_open_states_the_sessions_end_and_its_number_of_slots(router: RouterHarness) -> None:
    router.connect()
    answer = router.send("open")
    assert answer["expiresAt"] == "2025-10-09T09:53:20.000Z", "an hour after the start of the test"
    assert answer["inFlight"] == LIMITS.in_flight


@pytest.mark.parametrize("action", ["audio", "close", "ping", "open", "direct"])
def test_another_users_session_gives_the_same_error_as_an_unknown_session(router: RouterHarness, action: str) -> None:
    other_session = router.open_other_users_session()
    router.connect()
    content: dict[str, Any] = {"utterance": "u1", "sequence": 1, "audio": silence(1)}
    answer = router.send(action, sessionId=other_session, **content)
    assert answer["code"] == "SESSION_UNKNOWN"
    assert answer == router.send(action, sessionId="0" * 26, **content)
    assert router.processor_events == []


def test_a_closed_or_expired_session_accepts_no_utterance(router: RouterHarness) -> None:
    session = router.open_session()
    assert router.send("close", sessionId=session)["type"] == "closed"
    assert router.send("close", sessionId=session)["type"] == "closed", "a session can be closed twice"
    assert router.send_utterance(session)["code"] == "SESSION_CLOSED"
    expiring_session = router.open_session()
    router.clock.now_ms += LIMITS.session_seconds * 1000
    assert router.send_utterance(expiring_session)["code"] == "SESSION_CLOSED"


def test_closed_and_expired_sessions_do_not_count_towards_the_limit_of_a_user(router: RouterHarness) -> None:
    first, _ = router.open_session(), router.open_session()
    assert router.send("open")["code"] == "TOO_MANY_SESSIONS"
    router.send("close", sessionId=first)
    assert router.send("open")["type"] == "opened"
    assert router.send("open")["code"] == "TOO_MANY_SESSIONS"
    router.clock.now_ms += LIMITS.session_seconds * 1000
    assert router.send("open")["type"] == "opened", "the other sessions have expired"


def test_a_session_stops_counting_a_minute_after_its_connection_has_closed(router: RouterHarness) -> None:
    for number in range(LIMITS.sessions_per_user):
        router.open_session(f"c{number}")
        router.disconnect(f"c{number}")
    router.connect("c9")
    assert router.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"
    router.clock.now_ms += DISCONNECTED_MS
    assert router.send("open", "c9")["type"] == "opened", "a client can reload its page repeatedly"


def test_the_sweep_reports_an_unstarted_utterance_once(router: RouterHarness) -> None:
    session = router.open_session()
    router.send_utterance(session, "u1")
    assert router.run_sweep() == 0
    router.clock.now_ms += MAX_START_MS
    assert router.run_sweep() == 1
    [resend] = router.clients.sent_to("c1", "resend")
    assert resend == {"type": "resend", "sessionId": session, "utterances": [{"utterance": "u1", "fromMs": 0}]}
    assert router.run_sweep() == 0


def test_every_answer_lists_a_lost_utterance_until_it_is_sent_again(router: RouterHarness) -> None:
    session = router.open_session()
    router.send_utterance(session, "u1")
    router.clock.now_ms += MAX_START_MS
    router.clients.before_post = Mock(side_effect=EndpointConnectionError(endpoint_url="https://somewhere"))
    assert router.run_sweep() == 1, "the sweep finds it, but cannot notify the client"
    lost = [{"utterance": "u1", "fromMs": 0}]
    assert router.send_utterance(session, "u2")["resend"] == lost
    assert router.send("ping", sessionId=session)["resend"] == lost
    assert router.send_utterance(session, "u1")["type"] == "accepted"
    assert router.processor_events[-1].utterance_attempt == 2
    assert router.send("ping", sessionId=session)["resend"] == []


def test_an_utterance_can_be_sent_again_after_the_processors_invocation_failed(router: RouterHarness) -> None:
    session = router.open_session()
    router.invocation_error = EndpointConnectionError(endpoint_url="https://somewhere")
    assert router.send_utterance(session, "u1")["code"] == "UNAVAILABLE"
    router.invocation_error = None
    assert router.send_utterance(session, "u1")["type"] == "accepted"


@pytest.mark.parametrize("has_ended", [False, True])
def test_an_utterance_whose_invocation_succeeded_without_a_response_is_accepted(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch, has_ended: bool
) -> None:
    """If the router released the slot, the running attempt would stop in the middle of a sentence."""

    def invoke_without_response(event: ProcessorEvent) -> None:
        def process(utterances: SessionUtterances) -> SessionUtterances:
            now_ms = router.clock.now_ms
            started, _ = utterances.start(event.utterance, event.attempt, now_ms, now_ms + 9_000)
            return started.finish(event.utterance, event.attempt) if has_ended else started

        router.change_utterances(event.session_id, process)
        raise ReadTimeoutError(endpoint_url="https://somewhere")

    monkeypatch.setattr(router, "_invoke_processor", invoke_without_response)
    session = router.open_session()
    assert router.send_utterance(session, "u1")["type"] == "accepted"
    utterances = router.utterances(session)
    assert utterances.done == ("u1",) if has_ended else utterances.holds_slot("u1", 1)


def test_a_url_for_direct_streaming_needs_an_open_session(router: RouterHarness) -> None:
    session = router.open_session(language="de-DE")
    answer = router.send("direct", sessionId=session)
    assert (answer["url"], answer["expiresSeconds"]) == ("wss://somewhere/de-DE/300", 300)
    router.send("close", sessionId=session)
    assert router.send("direct", sessionId=session)["code"] == "SESSION_CLOSED"


def test_a_session_gets_as_many_direct_urls_in_five_minutes_as_it_has_slots(
    router: RouterHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number is limited, because each URL can be used for minutes, and its stream costs money while it is open."""
    session = router.open_session()
    answers = [router.send("direct", sessionId=session) for _ in range(LIMITS.in_flight + 1)]
    assert [answer["type"] for answer in answers] == ["direct"] * LIMITS.in_flight + ["error"]
    assert answers[-1]["code"] == "DIRECT_REFUSED"
    assert capsys.readouterr().out.count("direct_issued") == LIMITS.in_flight
    router.clock.now_ms += DIRECT_URL_PERIOD_MS
    assert router.send("direct", sessionId=session)["type"] == "direct"


def test_a_stack_can_disable_direct_urls(dynamodb: Any) -> None:
    router = RouterHarness(dynamodb, environment=LIMITS.model_copy(update={"direct_enabled": False}))
    assert router.send("direct", sessionId=router.open_session())["code"] == "DIRECT_REFUSED"


def test_a_closed_session_counts_until_its_utterances_in_progress_have_ended_or_are_lost(router: RouterHarness) -> None:
    """Otherwise, a client that repeatedly opens a session, sends an utterance and closes the session could use all
    streams of the account."""
    for _ in range(LIMITS.sessions_per_user):
        session = router.open_session()
        router.send_utterance(session)
        router.send("close", sessionId=session)
    assert router.send("open")["code"] == "TOO_MANY_SESSIONS"
    router.clock.now_ms += MAX_START_MS
    assert router.send("open")["type"] == "opened"


def test_a_session_can_be_used_only_on_the_connection_that_opened_it_last(router: RouterHarness) -> None:
    """Otherwise, a client could use a session that does not count, because the connection that opened it is closed."""
    session = router.open_session("c1")
    router.send_utterance(session)
    router.disconnect("c1")
    router.connect("c2")
    answers = [
        router.send_utterance(session, connection="c2"),
        router.send("ping", "c2", sessionId=session),
        router.send("direct", "c2", sessionId=session),
    ]
    assert {answer["code"] for answer in answers} == {"SESSION_ELSEWHERE"}
    assert router.send("open", "c2", sessionId=session)["sessionId"] == session
    assert router.send_utterance(session, connection="c2")["repeated"], "utterances in progress continue"


def test_a_session_without_messages_for_a_long_time_makes_room_for_another_one(router: RouterHarness) -> None:
    """API Gateway does not report the end of every connection, so such a session could block its user for hours."""
    for number in range(LIMITS.sessions_per_user):
        router.open_session(f"c{number}")
    router.clock.now_ms += ABANDONED_MS
    router.connect("c9")
    assert router.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"
    router.clock.now_ms += 1
    assert router.send("open", "c9")["type"] == "opened"


def test_a_session_with_a_recent_message_makes_no_room(router: RouterHarness) -> None:
    first, second = router.open_session("c1"), router.open_session("c2")
    router.clock.now_ms += ABANDONED_MS
    router.send("ping", "c1", sessionId=first)
    router.send_utterance(second, connection="c2")
    router.clock.now_ms += 1
    router.connect("c9")
    assert router.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"


@pytest.mark.parametrize(
    "find_lost_utterance",
    [
        pytest.param(lambda router, _: router.run_sweep(), id="sweep"),
        pytest.param(lambda router, session: router.send("ping", sessionId=session), id="ping"),
        pytest.param(lambda router, session: router.send("open", sessionId=session), id="open"),
        pytest.param(lambda router, session: router.send_utterance(session, "u1"), id="the utterance is sent again"),
        pytest.param(lambda router, session: router.send_utterance(session, "u2"), id="the next utterance is sent"),
    ],
)
def test_a_lost_utterance_is_logged_once_by_the_sweep_or_message_that_finds_it(
    router: RouterHarness,
    capsys: pytest.CaptureFixture[str],
    find_lost_utterance: Callable[[RouterHarness, str], object],
) -> None:
    session = router.open_session()
    router.send_utterance(session, "u1")
    router.clock.now_ms += MAX_START_MS
    find_lost_utterance(router, session)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["lost"], line["level"]) for line in lines if line["message"] == "utterances_lost"] == [(1, "ERROR")]
    assert router.run_sweep() == 0, "a later sweep does not find the utterance again"


def test_the_sweep_continues_with_other_sessions_after_a_failure(
    router: RouterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = router.open_session("c1"), router.open_session("c2")
    router.send_utterance(first, connection="c1")
    router.send_utterance(second, connection="c2")
    router.clock.now_ms += MAX_START_MS
    failing_key = min(session_utterances_key(first), session_utterances_key(second))
    original_change = router.live.change

    def change(model: Any, key: str, transition: Any) -> Any:
        return 1 / 0 if key == failing_key else original_change(model, key, transition)

    monkeypatch.setattr(router.live, "change", change)
    with pytest.raises(SweepFailed, match="1 sessions"):
        router.run_sweep()
    assert len(router.clients.sent_to("c1", "resend") + router.clients.sent_to("c2", "resend")) == 1


def test_each_session_has_its_own_secret(router: RouterHarness) -> None:
    """The secret is the key of the hashes of captions, so the same words in two sessions have different hashes."""
    first, second = (router.sessions.find(router.open_session(connection)) for connection in ("c1", "c2"))
    assert first is not None
    assert second is not None
    assert first.secret != second.secret
    assert len(bytes.fromhex(first.secret)) == 32


def test_a_user_continues_a_session_that_an_operator_opened(router: RouterHarness) -> None:
    session = open_as_operator(router, ANN, language="de-DE")["sessionId"]
    stored_session = router.sessions.find(session)
    assert stored_session is not None
    assert stored_session.language == "de-DE"
    router.connect()
    assert router.send("open", sessionId=session)["sessionId"] == session
    assert router.send_utterance(session)["type"] == "accepted"
    assert open_as_operator(router, ANN, sessionId=session)["sessionId"] != session
    assert router.utterances(session).connection == "c1", "an operator never moves a session away from its client"


@pytest.mark.parametrize("user", ["ann", None, ANN.lower(), f"{ANN}A", f"{ANN}\n"])
def test_an_operator_cannot_open_a_session_with_a_text_that_is_no_user_id(router: RouterHarness, user: Any) -> None:
    """No user could use the session, because handshakes only produce ids in the form of user ids."""
    with pytest.raises(ValueError, match=r"^user must be .*docs/transcription\.md"):
        open_as_operator(router, user)
    assert router.dynamodb.scan(TableName=SESSION_TABLE_NAME)["Items"] == []


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
