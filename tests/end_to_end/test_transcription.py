"""End-to-end tests of transcription over a real WebSocket with real audio.

The handlers run from the deployed zip, with their roles. A client sends its speech in *utterances* of a few seconds,
one message each. They belong to the *session* of its connection. The client gets *captions*, lines of text of which
only the final lines are permanent.
"""

import json
from collections.abc import Iterator

import pytest

from local.emulation.faults import Fault
from local.flows import eventually
from local.flows.transcription_client import Speaker
from tests.end_to_end.backends import DeployedTranscription
from tests.end_to_end.platform_under_test import Platform
from tests.end_to_end.recognised_speech import assert_recognised

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]


@pytest.fixture
def speaker(transcription: DeployedTranscription) -> Iterator[Speaker]:
    with Speaker(transcription) as opened:
        opened.open()
        yield opened


def test_a_failed_stream_gives_only_final_captions_and_is_counted(
    transcription: DeployedTranscription, speaker: Speaker
) -> None:
    """The next attempt shows the captions that the backend would show without partial results."""
    fallbacks_before = transcription.count_fallbacks()
    transcription.faults.set(Fault.STREAM_DROPPED)
    speaker.say("dropped", "sky")
    assert speaker.wait_for_end("dropped")["retryable"] is True
    speaker.say("dropped", "sky")
    assert speaker.wait_for_end("dropped").get("fallback") == "retried"
    assert_recognised(speaker.screen.text(), "sky")
    fallbacks = eventually(
        lambda: count if (count := transcription.count_fallbacks()) > fallbacks_before else None,
        "the metric of the fallback alarm",
    )
    assert fallbacks - fallbacks_before == 1


def test_an_utterance_whose_connection_closed_is_sent_again_and_nothing_of_it_is_logged(
    platform: Platform, transcription: DeployedTranscription
) -> None:
    with Speaker(transcription, user="canary-user") as first_connection:
        first_connection.open()
        first_connection.say("u1", "moon")
    with Speaker(transcription, user="canary-user") as second_connection:
        second_connection.open()
        second_connection.attempts = first_connection.attempts
        second_connection.say("u1", "moon")
        assert second_connection.wait_for_end("u1")["type"] == "done"
        assert_recognised(second_connection.screen.text(), "moon")
        spoken_text = second_connection.screen.text()[0].lower()
    lines = platform.log_lines("transcription-router", "transcription-audio-processor")
    assert any("utterance_ended" in line for line in lines), "there are log lines to search"
    table = platform.id("transcription-sessions-table")
    stored = json.dumps(platform.client("dynamodb").scan(TableName=table)["Items"])
    for text in (*lines, stored):
        assert spoken_text.rstrip(".?") not in text.lower()
        assert "canary-user" not in text
        assert "bearer." not in text


def test_a_client_with_too_many_utterances_does_not_affect_another_client(
    speaker: Speaker, transcription: DeployedTranscription
) -> None:
    with Speaker(transcription, user="busy") as busy_speaker:
        busy_speaker.open()
        answers = [busy_speaker.say(f"u{number}", "sky", sequence=number) for number in range(5)]
        speaker.say("u1", "sky")
        assert speaker.wait_for_end("u1")["type"] == "done"
        assert_recognised(speaker.screen.text(), "sky")
        accepted = [f"u{number}" for number, answer in enumerate(answers) if answer["type"] == "accepted"]
        assert {answer.get("code", "accepted") for answer in answers} == {"accepted", "BUSY"}
        for utterance in accepted:
            assert busy_speaker.wait_for_end(utterance)["type"] in {"done", "failed"}, "both happen on a busy machine"
