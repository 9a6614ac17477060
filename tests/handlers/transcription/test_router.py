"""Tests of the router, the Lambda function that answers the messages of transcription's clients.

A client opens a session and sends speech as utterances, one in each message. Each message gets one answer, and an invalid
one does not affect the connection, the session or other users. `test_attempts` tests which utterances start.
"""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.tokens import TokenVerifier
from handlers.transcription.messages import REQUESTS, ProcessorEvent
from tests.handlers.common.fakes import START_MS
from tests.handlers.transcription.recordings import flac
from tests.handlers.transcription.router_harness import (
    LIMITS,
    SESSION_TABLE_NAME,
    STREAM_END,
    TranscriptionHarness,
    silence,
)
from tests.token_issuer import AUDIENCE, Key, Provider, keys_of

PROTOCOL = "polyphony.transcription.v2"


@pytest.mark.parametrize(
    ("provider", "protocols", "status", "code"),
    [
        ("available", [PROTOCOL, "bearer.{valid}"], 200, None),
        ("available", [PROTOCOL, "bearer.{invalid}"], 401, "UNAUTHENTICATED"),
        ("available", [PROTOCOL], 401, "UNAUTHENTICATED"),
        ("available", ["bearer.{valid}"], 400, "MALFORMED_MESSAGE"),
        ("unreachable", [PROTOCOL, "bearer.{valid}"], 503, "UNAVAILABLE"),
        (None, [PROTOCOL], 200, None),
        (None, ["something.else"], 400, "MALFORMED_MESSAGE"),
    ],
)
def test_a_handshake_needs_the_protocol_and_if_there_is_an_identity_provider_a_valid_token(
    harness: TranscriptionHarness, provider: str | None, protocols: list[str], status: int, code: str | None
) -> None:
    issuer = Provider([Key("k1")], is_unreachable=provider == "unreachable")
    tokens = {"valid": issuer.token(), "invalid": issuer.token(aud="another audience")}
    if provider is not None:
        harness.verifier = TokenVerifier(issuer.issuer, AUDIENCE, keys_of(issuer))
    answer = harness.connect("c1", *[protocol.format(**tokens) for protocol in protocols])
    assert (answer["statusCode"], json.loads(answer.get("body", "{}")).get("code")) == (status, code)
    assert answer.get("headers", {}).get("Sec-WebSocket-Protocol") == (PROTOCOL if status == 200 else None)
    assert not any(token in str(answer) for token in tokens.values())


def test_an_utterance_of_a_session_is_passed_to_the_processor(harness: TranscriptionHarness) -> None:
    harness.open_session()
    harness.clock.now_ms += 700
    assert harness.send_utterance() == {
        "id": "m1",
        "type": "accepted",
        "utterance": "u1",
        "attempt": 1,
        "done": False,
        "failed": False,
    }
    [event] = harness.events
    assert event == ProcessorEvent(
        session_id="c1", utterance="u1", attempt=1, sequence=1, accepted_ms=START_MS + 700, audio=silence(1)
    )


def test_a_session_keeps_the_settings_of_the_message_that_opened_it(harness: TranscriptionHarness) -> None:
    harness.connect()
    settings = {"pauseThreshold": 0.5}
    answer = harness.send("open", language="de-DE", encoding="flac", sampleRate=8_000, settings=settings)
    assert answer == {"type": "opened", "id": "m1", "inFlight": LIMITS.in_flight}
    assert harness.send("open")["code"] == "SESSION_OPEN"
    session = harness.session()
    assert (session.language, session.encoding, session.sample_rate) == ("de-DE", "flac", 8_000)
    assert session.settings.model_dump(exclude_unset=True) == {"pause_threshold": 0.5}, "the stack has the others"


def test_a_session_expires_within_hours(harness: TranscriptionHarness) -> None:
    harness.open_session()
    harness.send_utterance()
    [item] = harness.dynamodb.scan(TableName=SESSION_TABLE_NAME)["Items"]
    assert int(item["ttl"]["N"]) - START_MS // 1000 == 3 * 3600


def test_a_session_belongs_to_its_connection(harness: TranscriptionHarness) -> None:
    harness.open_session("c1")
    harness.connect("c2")
    assert harness.send_utterance(connection="c2")["code"] == "NO_SESSION"
    assert harness.disconnect("c1")["statusCode"] == 200
    assert harness.send("ping", "c2")["type"] == "pong"
    assert harness.events == []


FLAC_AUDIO = base64.b64encode(flac(8_000, rate=8_000)).decode()
"""One second of FLAC at 8000 Hz."""


def utterance_message(**changes: Any) -> str:
    """Return a valid message with an utterance, with some changes."""
    fields = {"action": "audio", "id": "m1", "utterance": "u1", "attempt": 1, "sequence": 0}
    return json.dumps({**fields, "audio": FLAC_AUDIO, **changes})


INVALID_MESSAGES = {
    # The message for a session with FLAC at 8000 Hz, the error code, and a part of the error's text.
    "a rate that the encoding does not support": (
        '{"action": "open", "encoding": "ogg-opus", "sampleRate": 44100}',
        "MALFORMED",
        "[8000, 16000, 24000, 48000]",
    ),
    "samples instead of a file": (
        utterance_message(audio=silence(1)),
        "BAD_AUDIO",
        "This does not begin like flac, but the session has the encoding flac",
    ),
    "not base64": (utterance_message(audio="%%%%"), "BAD_AUDIO", "base64"),
    "too many bytes": (utterance_message(audio="A" * 129_028), "MALFORMED", "at most 129024"),
    "an invalid name": (utterance_message(utterance="a b"), "MALFORMED", "utterance"),
    "a negative position": (utterance_message(sequence=-1), "MALFORMED", "sequence"),
    "another language": ('{"action": "open", "language": "zz-ZZ"}', "LANGUAGE_UNKNOWN", "de-DE"),
    "an unknown setting": ('{"action": "open", "settings": {"minStabilty": 1}}', "MALFORMED", "minStabilty"),
}


@pytest.mark.parametrize(("message", "code", "error_text"), INVALID_MESSAGES.values(), ids=INVALID_MESSAGES)
def test_invalid_input_gets_one_clear_error_and_affects_no_other_user(
    harness: TranscriptionHarness, message: str, code: str, error_text: str
) -> None:
    harness.open_session("c1", encoding="flac", sampleRate=8_000)
    harness.open_session("c2")
    answer = harness.send_text(message)
    assert (answer["type"], answer["code"]) == ("error", code)
    assert error_text in f"{answer['message']} {answer.get('fields')}"
    assert harness.events == [], "the audio processor is not invoked"
    assert harness.session().list_in_progress() == []
    assert harness.send_text(utterance_message())["type"] == "accepted", "connection and session still work"
    assert harness.send_utterance(connection="c2")["type"] == "accepted"


def test_every_sample_rate_that_an_encoding_supports_can_be_opened(harness: TranscriptionHarness) -> None:
    for number, (encoding, rate) in enumerate([("pcm", 44_100), ("flac", 32_000), ("ogg-opus", 48_000)]):
        harness.open_session(f"c{number}", encoding=encoding, sampleRate=rate)


def test_utterances_beyond_the_slots_are_refused_until_a_slot_is_free(harness: TranscriptionHarness) -> None:
    harness.open_session("c1")
    harness.open_session("c2")
    answers = [harness.send_utterance(f"u{number}") for number in range(5)]
    assert [answer.get("code", answer["type"]) for answer in answers] == (
        ["accepted"] * LIMITS.in_flight + ["BUSY"] * (5 - LIMITS.in_flight)
    )
    assert "which is the maximum" in answers[-1]["message"]
    assert len(harness.events) == LIMITS.in_flight
    assert harness.send_utterance(connection="c2")["type"] == "accepted"
    harness.transcribe.scripts.append([STREAM_END])
    harness.process_event(harness.events[0])
    assert harness.send_utterance("u4")["type"] == "accepted"


JSON_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just([{"a": 1}])
FIELDS = sorted({field.alias or name for value in REQUESTS.values() for name, field in value.model_fields.items()})
MESSAGES = st.builds(
    lambda action, fields: {**fields, "action": action},
    st.sampled_from(sorted(REQUESTS)) | JSON_VALUES,
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), JSON_VALUES, max_size=6),
)


@given(body=st.text(max_size=60) | JSON_VALUES.map(json.dumps) | MESSAGES.map(json.dumps), has_session=st.booleans())
def test_any_text_gets_exactly_one_answer_and_no_internal_error(body: str, has_session: bool) -> None:
    harness = TranscriptionHarness()
    if has_session:
        harness.open_session()
    answer = harness.send_text(body)
    assert answer["type"] in {"opened", "pong", "error"}
    assert answer.get("code") != "INTERNAL"
    assert harness.send("ping")["type"] == "pong"
    assert harness.events == []
