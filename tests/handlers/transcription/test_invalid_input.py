"""Invalid input: each mistake gets one clear error, and connection, session and other users are not affected."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.transcription.messages import REQUESTS
from tests.handlers.transcription.crafted_audio import flac_file, flac_frame, streaminfo
from tests.handlers.transcription.router_harness import LIMITS, RouterHarness, silence

NEVER = "0" * 26


def other_session(router: RouterHarness) -> str:
    """Return another user's session on connection `c2`."""
    router.connect("c2", "polyphony.transcription.v1", "user.bob")
    return str(router.send("open", "c2")["sessionId"])


def utterance_message(session: str, **changes: Any) -> str:
    """Return a valid message with an utterance, with some changes."""
    content = {"action": "audio", "id": "m1", "sessionId": session, "utterance": "u1", "sequence": 1}
    return json.dumps({**content, "audio": recorded_second(8_000), **changes})


def recorded_second(rate: int) -> str:
    """Return a second of FLAC."""
    return base64.b64encode(flac_file(flac_frame(0, rate), info=streaminfo(rate=rate))).decode()


BAD: dict[str, tuple[Callable[[str], str], str, str]] = {
    "unknown session": (lambda _: utterance_message(NEVER), "SESSION_UNKNOWN", "no session with this id"),
    "another sample rate": (
        lambda s: utterance_message(s, audio=recorded_second(16_000)),
        "BAD_AUDIO",
        "16000 Hz, but the session has 8000",
    ),
    "a rate that the encoding has not": (
        lambda _: '{"action": "open", "encoding": "ogg-opus", "sampleRate": 44100}',
        "MALFORMED",
        "[8000, 16000, 24000, 48000]",
    ),
    "samples instead of a file": (
        lambda s: utterance_message(s, audio=silence(1)),
        "BAD_AUDIO",
        "{'field': 'audio', 'rule': 'this does not begin like flac, but the session has the encoding flac",
    ),
    "not base64": (lambda s: utterance_message(s, audio="%%%%"), "BAD_AUDIO", "base64"),
    "too much audio": (lambda s: utterance_message(s, audio="A" * 129_028), "MALFORMED", "at most 129024"),
    "too long": (lambda s: utterance_message(s, audio=base64.b64encode(long_file()).decode()), "BAD_AUDIO", "5 s"),
    "an invalid name": (lambda s: utterance_message(s, utterance="a b"), "MALFORMED", "utterance"),
    "truncated JSON": (lambda s: utterance_message(s)[:-1], "MALFORMED_MESSAGE", "one JSON object"),
    "no action": (lambda s: utterance_message(s, action=None), "UNKNOWN_ACTION", "open, audio, ping, close, direct"),
    "another language": (lambda _: '{"action": "open", "language": "zz-ZZ"}', "LANGUAGE_UNKNOWN", "de-DE"),
    "a setting out of range": (
        lambda _: '{"action": "open", "settings": {"maxRatePerSecond": 1000}}',
        "MALFORMED",
        "maxRatePerSecond",
    ),
    "a setting that is none": (
        lambda _: '{"action": "open", "settings": {"minStabilty": 1}}',
        "MALFORMED",
        "minStabilty",
    ),
}


def long_file() -> bytes:
    """Return six seconds of FLAC."""
    return flac_file(*[flac_frame(number, 8_000) for number in range(6)], info=streaminfo(rate=8_000))


@pytest.mark.parametrize("kind", BAD)
def test_invalid_input_gets_one_clear_error_and_affects_no_other_user(router: RouterHarness, kind: str) -> None:
    ann = router.open_session("c1", encoding="flac", sampleRate=8_000)
    bob = other_session(router)
    body, code, says = BAD[kind]
    answer = router.send_text(body(ann))
    assert (answer["type"], answer["code"]) == ("error", code)
    assert says in f"{answer['message']} {answer.get('fields')}"
    assert router.processor_events == [], "no stream is opened"
    assert router.utterances(ann).slots == ()
    assert router.send_text(utterance_message(ann))["type"] == "accepted", "connection and session still work"
    assert router.send_utterance(bob, connection="c2")["type"] == "accepted"
    assert router.clients.inbox == {}, "only the answer is sent"


def test_a_flood_of_utterances_fills_the_slots_and_every_message_is_answered(router: RouterHarness) -> None:
    ann, bob = router.open_session("c1"), other_session(router)
    answers = [router.send_utterance(ann, f"u{number}") for number in range(5)]
    assert [answer.get("code", answer["type"]) for answer in answers] == (
        ["accepted"] * LIMITS.in_flight + ["BUSY"] * (5 - LIMITS.in_flight)
    )
    assert len(router.processor_events) == LIMITS.in_flight
    assert router.send_utterance(bob, connection="c2")["type"] == "accepted"
    router.change_utterances(ann, lambda utterances: utterances.finish("u0", 1))
    assert router.send_utterance(ann, "u4")["type"] == "accepted", "when a slot is free again"


def test_a_repeated_disconnect_leaves_all_sessions_usable(router: RouterHarness) -> None:
    ann, bob = router.open_session("c1"), other_session(router)
    router.send_utterance(ann)
    for _ in range(2):
        assert router.disconnect("c1")["statusCode"] == 200
    assert router.send_utterance(bob, connection="c2")["type"] == "accepted"
    router.connect("c3")
    assert router.send("open", "c3", sessionId=ann)["sessionId"] == ann
    assert router.send_utterance(ann, connection="c3")["repeated"], "the utterance in progress continues"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = sorted({field.alias or name for value in REQUESTS.values() for name, field in value.model_fields.items()})
MINE = "my session"
MESSAGES = st.builds(
    lambda action, session, more: {**session, **more, "action": action},
    st.sampled_from(sorted(REQUESTS)) | ANYTHING,
    st.sampled_from([{}, {"sessionId": MINE}, {"sessionId": NEVER}]),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), ANYTHING, max_size=6),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings().max_examples // 3)
@given(body=st.text(max_size=60) | ANYTHING.map(json.dumps) | MESSAGES.map(json.dumps))
def test_any_text_gets_exactly_one_answer_and_no_internal_error(router: RouterHarness, body: str) -> None:
    router.clock.now_ms += 3_600_000  # the sessions of the previous run no longer count
    answer = router.send_text(body.replace(MINE, router.open_session("c1")))
    assert answer["type"] in {"opened", "pong", "closed", "direct", "error"}
    assert answer.get("code") != "INTERNAL"
    assert router.send("ping")["type"] == "pong"
    assert router.processor_events == []
