"""Tests of the router, the Lambda function that answers the messages of transcription's clients.

A client opens a session and sends speech as utterances, one in each message. `test_attempts` tests which of them start.
"""

import json
from typing import Any

import pytest

from handlers.transcription.messages import ProcessorEvent
from handlers.transcription.session import MAX_SESSIONS_PER_HOUR, session_key
from tests.handlers.common.fakes import START_MS
from tests.handlers.transcription.router_harness import LIMITS, TranscriptionHarness, silence


def test_the_answer_to_a_handshake_selects_the_protocol_and_does_not_repeat_the_token(
    harness: TranscriptionHarness,
) -> None:
    answer = harness.connect("c1", "polyphony.transcription.v2", "bearer.secret")
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "polyphony.transcription.v2"}}


def test_a_refused_handshake_states_the_reason(harness: TranscriptionHarness) -> None:
    answer = harness.connect("c1", "something.else")
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "MALFORMED_MESSAGE"
    assert harness.send("open")["code"] == "UNAUTHENTICATED", "a refused connection is not stored"


def test_an_utterance_of_an_open_session_is_passed_to_the_processor(harness: TranscriptionHarness) -> None:
    session = harness.open_session()
    harness.clock.now_ms += 700
    answer = harness.send_utterance(session)
    assert answer == {
        "id": "m1",
        "type": "accepted",
        "sessionId": session,
        "utterance": "u1",
        "attempt": 1,
        "repeated": False,
        "done": False,
        "failed": False,
    }
    [event] = harness.events
    [slot] = harness.utterances(session).slots
    assert event == ProcessorEvent(
        session_id=session,
        utterance="u1",
        attempt=1,
        holder=slot.holder,
        sequence=1,
        accepted_ms=START_MS + 700,
        audio=silence(1),
    )


def test_the_answer_to_open_states_the_sessions_end_and_its_number_of_slots(harness: TranscriptionHarness) -> None:
    harness.connect()
    answer = harness.send("open")
    assert answer["expiresAt"] == "2025-10-09T09:53:20.000Z", "an hour after the start of the test"
    assert answer["inFlight"] == LIMITS.in_flight


def test_a_session_keeps_the_language_and_the_audio_format_of_the_message_that_opened_it(
    harness: TranscriptionHarness,
) -> None:
    settings = {"pauseThreshold": 0.5}
    session_id = harness.open_session(language="de-DE", encoding="flac", sampleRate=8_000, settings=settings)
    session = harness.tables.sessions.read(session_key(session_id))
    assert session is not None
    assert (session.language, session.encoding, session.sample_rate) == ("de-DE", "flac", 8_000)
    assert session.settings.model_dump(exclude_unset=True) == {"pause_threshold": 0.5}, "the stack has the others"


@pytest.mark.parametrize("action", ["audio", "close", "ping", "open"])
def test_another_users_session_gives_the_same_error_as_an_unknown_session(
    harness: TranscriptionHarness, action: str
) -> None:
    other_session = harness.open_other_users_session()
    harness.connect()
    content: dict[str, Any] = {"utterance": "u1", "attempt": 1, "sequence": 1, "audio": silence(1)}
    answer = harness.send(action, sessionId=other_session, **content)
    assert answer["code"] == "SESSION_UNKNOWN"
    assert answer == harness.send(action, sessionId="0" * 26, **content)
    assert harness.events == []


def test_a_closed_or_expired_session_accepts_no_utterance(harness: TranscriptionHarness) -> None:
    session = harness.open_session()
    assert harness.send("close", sessionId=session)["type"] == "closed"
    assert harness.send("close", sessionId=session)["type"] == "closed", "a session can be closed twice"
    assert harness.send_utterance(session)["code"] == "SESSION_CLOSED"
    expiring_session = harness.open_session()
    harness.clock.now_ms += LIMITS.session_seconds * 1000
    assert harness.send_utterance(expiring_session)["code"] == "SESSION_CLOSED"


def test_a_session_can_be_used_only_on_the_connection_that_opened_it_last(harness: TranscriptionHarness) -> None:
    """Otherwise, the captions would still go to the other connection."""
    session = harness.open_session("c1")
    harness.send_utterance(session)
    assert harness.disconnect("c1")["statusCode"] == 200
    harness.connect("c2")
    answers = [harness.send_utterance(session, connection="c2"), harness.send("ping", "c2", sessionId=session)]
    assert {answer["code"] for answer in answers} == {"SESSION_ELSEWHERE"}
    assert harness.send("open", "c2", sessionId=session)["sessionId"] == session
    assert harness.send("ping", "c2", sessionId=session)["type"] == "pong"


def test_a_user_can_open_a_limited_number_of_sessions_in_an_hour(harness: TranscriptionHarness) -> None:
    harness.connect()
    answers = [harness.send("open") for _ in range(MAX_SESSIONS_PER_HOUR + 1)]
    assert [answer["type"] for answer in answers[:-1]] == ["opened"] * MAX_SESSIONS_PER_HOUR
    assert answers[-1]["code"] == "TOO_MANY_SESSIONS"
    assert harness.send("open", sessionId=answers[0]["sessionId"])["type"] == "opened", (
        "open sessions can still be used"
    )
    assert harness.open_other_users_session(), "other users are not affected"
    harness.clock.now_ms += 3_600_000
    assert harness.send("open")["type"] == "opened"
