"""Tests of the router, the Lambda function that answers the messages of transcription's clients.

A client opens a session and sends speech as utterances, one in each message. Each message gets one answer, and an invalid
one does not affect the connection, the session or other users. `test_attempts` tests which utterances start.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.messages import REQUESTS, ProcessorEvent
from handlers.transcription.session import MAX_SESSIONS_PER_HOUR, session_key
from tests.handlers.common.fakes import START_MS
from tests.handlers.transcription.recordings import flac
from tests.handlers.transcription.router_harness import (
    LIMITS,
    LIVE_TABLE_NAME,
    SESSION_TABLE_NAME,
    TranscriptionHarness,
    create_tables,
    silence,
)


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


def test_all_items_expire_within_hours(harness: TranscriptionHarness) -> None:
    harness.send_utterance(harness.open_session())
    seconds = {
        name: [int(item["ttl"]["N"]) - START_MS // 1000 for item in harness.dynamodb.scan(TableName=name)["Items"]]
        for name in (LIVE_TABLE_NAME, SESSION_TABLE_NAME)
    }
    assert seconds == {LIVE_TABLE_NAME: [12 * 3600] * 3, SESSION_TABLE_NAME: [LIMITS.session_seconds]}


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


UNKNOWN_SESSION_ID = "0" * 26
FLAC_AUDIO = base64.b64encode(flac(8_000, rate=8_000)).decode()
"""One second of FLAC at 8000 Hz."""


def utterance_message(session: str, **changes: Any) -> str:
    """Return a valid message with an utterance, with some changes."""
    fields = {"action": "audio", "id": "m1", "sessionId": session, "utterance": "u1", "attempt": 1, "sequence": 1}
    return json.dumps({**fields, "audio": FLAC_AUDIO, **changes})


INVALID_MESSAGES: dict[str, tuple[Callable[[str], str], str, str]] = {
    # The message for a session with FLAC at 8000 Hz, the error code, and a part of the error's text.
    "a rate that the encoding does not support": (
        lambda _: '{"action": "open", "encoding": "ogg-opus", "sampleRate": 44100}',
        "MALFORMED",
        "[8000, 16000, 24000, 48000]",
    ),
    "samples instead of a file": (
        lambda session: utterance_message(session, audio=silence(1)),
        "BAD_AUDIO",
        "this does not begin like flac, but the session has the encoding flac",
    ),
    "not base64": (lambda session: utterance_message(session, audio="%%%%"), "BAD_AUDIO", "base64"),
    "too many bytes": (lambda session: utterance_message(session, audio="A" * 129_028), "MALFORMED", "at most 129024"),
    "an invalid name": (lambda session: utterance_message(session, utterance="a b"), "MALFORMED", "utterance"),
    "another language": (lambda _: '{"action": "open", "language": "zz-ZZ"}', "LANGUAGE_UNKNOWN", "de-DE"),
    "an unknown setting": (lambda _: '{"action": "open", "settings": {"minStabilty": 1}}', "MALFORMED", "minStabilty"),
}


@pytest.mark.parametrize(("message_for", "code", "error_text"), INVALID_MESSAGES.values(), ids=INVALID_MESSAGES)
def test_invalid_input_gets_one_clear_error_and_affects_no_other_user(
    harness: TranscriptionHarness, message_for: Callable[[str], str], code: str, error_text: str
) -> None:
    session = harness.open_session("c1", encoding="flac", sampleRate=8_000)
    other_session = harness.open_other_users_session()
    answer = harness.send_text(message_for(session))
    assert (answer["type"], answer["code"]) == ("error", code)
    assert error_text in f"{answer['message']} {answer.get('fields')}"
    assert harness.events == [], "the audio processor is not invoked"
    assert harness.utterances(session).slots == ()
    assert harness.send_text(utterance_message(session))["type"] == "accepted", "connection and session still work"
    assert harness.send_utterance(other_session, connection="c2")["type"] == "accepted"


def test_utterances_beyond_the_slots_are_refused_until_a_slot_is_free(harness: TranscriptionHarness) -> None:
    session, other_session = harness.open_session("c1"), harness.open_other_users_session()
    answers = [harness.send_utterance(session, f"u{number}") for number in range(5)]
    assert [answer.get("code", answer["type"]) for answer in answers] == (
        ["accepted"] * LIMITS.in_flight + ["BUSY"] * (5 - LIMITS.in_flight)
    )
    assert len(harness.events) == LIMITS.in_flight
    assert harness.send_utterance(other_session, connection="c2")["type"] == "accepted"
    harness.tables.change_utterances(session, lambda state: state.finish(state.slots[0].holder, "c1", failed=False))
    assert harness.send_utterance(session, "u4")["type"] == "accepted"


JSON_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just([{"a": 1}])
FIELDS = sorted({field.alias or name for value in REQUESTS.values() for name, field in value.model_fields.items()})
OWN_SESSION = "own session"
"""Placeholder for the id of the client's session."""
MESSAGES = st.builds(
    lambda action, session, fields: {**session, **fields, "action": action},
    st.sampled_from(sorted(REQUESTS)) | JSON_VALUES,
    st.sampled_from([{}, {"sessionId": OWN_SESSION}, {"sessionId": UNKNOWN_SESSION_ID}]),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), JSON_VALUES, max_size=6),
)


@given(body=st.text(max_size=60) | JSON_VALUES.map(json.dumps) | MESSAGES.map(json.dumps))
def test_any_text_gets_exactly_one_answer_and_no_internal_error(body: str) -> None:
    harness = TranscriptionHarness(create_tables())
    answer = harness.send_text(body.replace(OWN_SESSION, harness.open_session("c1")))
    assert answer["type"] in {"opened", "pong", "closed", "error"}
    assert answer.get("code") != "INTERNAL"
    assert harness.send("ping")["type"] == "pong"
    assert harness.events == []
