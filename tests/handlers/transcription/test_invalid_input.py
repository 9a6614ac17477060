"""Tests of invalid messages to the router, the function that answers clients.

Each message gets one clear error. The connection, the session and other users are not affected. An utterance is a few
seconds of speech, and takes one of the limited number of slots of its session while it is transcribed.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.messages import REQUESTS
from tests.handlers.transcription.recordings import flac
from tests.handlers.transcription.router_harness import LIMITS, TranscriptionHarness, create_tables, silence

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
    "truncated JSON": (lambda session: utterance_message(session)[:-1], "MALFORMED_MESSAGE", "one JSON object"),
    "no action": (
        lambda session: utterance_message(session, action=None),
        "UNKNOWN_ACTION",
        "open, audio, ping, close",
    ),
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
