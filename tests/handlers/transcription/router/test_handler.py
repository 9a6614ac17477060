"""Tests of the router, the Lambda function that answers the messages of transcription's clients.

A client opens a session and sends speech as utterances, one in each message. For each utterance, the router reserves
one of the session's slots and invokes the audio processor. If the processor does not start within `MAX_START_MS`, or
does not end the utterance before the deadline of a started attempt, the utterance is lost, and the client must send it
again. The router finds it when the client sends its next message.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from handlers.transcription.messages import ProcessorEvent
from handlers.transcription.router.client_message_handler import MAX_START_MS
from handlers.transcription.session_utterance_state import SessionUtterances
from tests.handlers.transcription.router_harness import (
    LIMITS,
    START_MS,
    RouterHarness,
    silence,
)


def start_attempt(router: RouterHarness, session: str, utterance: str, attempt: int) -> None:
    """Start an attempt, as the audio processor does. Its deadline is earlier than MAX_START_MS from now."""

    def start(utterances: SessionUtterances) -> SessionUtterances:
        now_ms = router.clock.now_ms
        started, _ = utterances.start(utterance, attempt, now_ms, now_ms + 9_000)
        return started

    router.change_utterances(session, start)


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


def test_a_session_keeps_the_language_and_the_audio_format_of_the_message_that_opened_it(router: RouterHarness) -> None:
    session = router.sessions.find(router.open_session(language="de-DE", encoding="flac", sampleRate=8_000))
    assert session is not None
    assert (session.language, session.encoding, session.sample_rate) == ("de-DE", "flac", 8_000)


@pytest.mark.parametrize("action", ["audio", "close", "ping", "open"])
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


def test_every_answer_lists_a_lost_utterance_until_it_is_sent_again(router: RouterHarness) -> None:
    session = router.open_session()
    router.send_utterance(session, "u1")
    router.clock.now_ms += MAX_START_MS
    lost = [{"utterance": "u1", "fromMs": 0}]
    assert router.send_utterance(session, "u2")["resend"] == lost
    assert router.send("ping", sessionId=session)["resend"] == lost
    assert router.send_utterance(session, "u1")["type"] == "accepted"
    assert router.processor_events[-1].utterance_attempt == 2
    assert router.send("ping", sessionId=session)["resend"] == []


@pytest.mark.parametrize("has_started", [False, True], ids=["never started", "died after the start"])
def test_attempts_without_an_end_free_their_slots_and_their_utterances_can_be_sent_again(
    router: RouterHarness, *, has_started: bool
) -> None:
    session, utterances = router.open_session(), [f"u{number}" for number in range(LIMITS.in_flight)]
    for number, utterance in enumerate(utterances, start=1):
        router.send_utterance(session, utterance)
        if has_started:
            start_attempt(router, session, utterance, number)
    assert router.send_utterance(session, "later")["code"] == "BUSY"
    router.clock.now_ms += MAX_START_MS
    answer = router.send_utterance(session, "later")
    assert (answer["type"], [resend["utterance"] for resend in answer["resend"]]) == ("accepted", utterances)
    assert router.send_utterance(session, "u0")["repeated"] is False
    assert router.processor_events[-1].utterance_attempt == 2


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


def test_a_session_can_be_used_only_on_the_connection_that_opened_it_last(router: RouterHarness) -> None:
    """Otherwise, the captions would still go to the other connection."""
    session = router.open_session("c1")
    router.send_utterance(session)
    router.disconnect("c1")
    router.connect("c2")
    answers = [router.send_utterance(session, connection="c2"), router.send("ping", "c2", sessionId=session)]
    assert {answer["code"] for answer in answers} == {"SESSION_ELSEWHERE"}
    assert router.send("open", "c2", sessionId=session)["sessionId"] == session
    assert router.send_utterance(session, connection="c2")["repeated"], "utterances in progress continue"


@pytest.mark.parametrize(
    "find_lost_utterance",
    [
        pytest.param(lambda router, session: router.send("ping", sessionId=session), id="ping"),
        pytest.param(lambda router, session: router.send("open", sessionId=session), id="open"),
        pytest.param(lambda router, session: router.send_utterance(session, "u1"), id="the utterance is sent again"),
        pytest.param(lambda router, session: router.send_utterance(session, "u2"), id="the next utterance is sent"),
    ],
)
def test_a_lost_utterance_is_logged_once_by_the_message_that_finds_it(
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
    router.send("ping", sessionId=session)
    assert "utterances_lost" not in capsys.readouterr().out, "the next message does not find the utterance again"


def test_each_session_has_its_own_secret(router: RouterHarness) -> None:
    """The secret is the key of the hashes of captions, so the same words in two sessions have different hashes."""
    first, second = (router.sessions.find(router.open_session(connection)) for connection in ("c1", "c2"))
    assert first is not None
    assert second is not None
    assert first.secret != second.secret
    assert len(bytes.fromhex(first.secret)) == 32
