"""Tests of the captions panel against a fake stack: partial captions, lost connections, and changes of the user.

The panel sends speech in utterances of a few seconds, which it calls "pieces of speech". A partial caption may still
change.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from local.flows import eventually
from tests.browser import write_speech
from tests.console.fake_stack import LOCAL_ENDPOINT, FakeTranscription, OpenPanel, make_token, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
CLIPS = ("hello", "slowly", "hear")
CAPTION: dict[str, Any] = {"type": "caption", "utterance": "u1", "resultId": "r1"}
CAPTION |= {"attempt": 1, "sequence": 1, "startMs": 0, "endMs": 9}
DELAY_MICROPHONE = """
const realGetUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
window.permission = new Promise((resolve) => { window.allow = resolve; });
navigator.mediaDevices.getUserMedia = async (constraints) => {
  await window.permission;
  return (window.stream = await realGetUserMedia(constraints));
};
"""
"""Permit the microphone when the test calls `window.allow()`, and keep its stream."""
IS_MICROPHONE_RELEASED = "window.stream?.getTracks().every((track) => track.readyState === 'ended') || null"
"""Return null instead of False, because `eventually` waits until a value is not None."""


def test_partial_captions_and_errors_are_shown(open_panel: OpenPanel, tmp_path: Path) -> None:
    def send_partial(message: dict[str, Any]) -> None:
        if message["utterance"] == "u1":
            transcription.send(**CAPTION, text="Hello wor", final=False)

    transcription = FakeTranscription(in_flight=1, on_accepted=send_partial)
    with open_panel("captions", set_up=transcription.install) as window:
        screen, state = window.page.locator("#captions-screen"), window.page.locator("#captions-state")
        window.page.get_by_label("Choose a file").set_input_files(write_speech(tmp_path / "speech.wav", *CLIPS))
        expect(screen.locator(".growing")).to_have_text("Hello wor")
        transcription.send(**CAPTION, text="Hello word", final=False)
        expect(screen.locator(".growing")).to_have_text("Hello word")
        expect(state).to_have_text("Pieces of speech: 1 sent, 2 waiting")
        transcription.send(**CAPTION, text="Hello world.", final=True)
        transcription.send(type="done", utterance="u1", attempt=1, sequence=1, finals=1)
        expect(screen.locator(".final")).to_have_text("Hello world.")
        expect(screen.locator(".growing")).to_have_count(0)
        expect(state).to_have_text("Pieces of speech: 1 sent, 1 waiting, 1 done")
        failed = {"type": "failed", "attempt": 1, "code": "NOT_TRANSCRIBED", "message": "It failed three times."}
        transcription.send(**failed, utterance="u2", retryable=False)
        expect(window.page.locator("#captions-problem")).to_contain_text("It failed three times.")
        expect(state).to_have_text("Pieces of speech: 1 sent, 1 done, 1 lost")
        transcription.send(**failed, utterance="u3", retryable=True)
        transcription.send(type="done", utterance="u3", attempt=2, sequence=3, finals=0)
        expect(state).to_have_text("Pieces of speech: 2 done, 1 lost")
        assert window.browser_messages == []


def test_the_microphone_is_released_if_reconnection_fails(open_panel: OpenPanel) -> None:
    transcription = FakeTranscription(close_after_action="audio")
    with open_panel("captions", set_up=transcription.install, script=DELAY_MICROPHONE) as window:
        window.evaluate("window.allow()")
        speak = window.page.locator("#captions-speak")
        speak.click()
        expect(speak).to_have_attribute("aria-pressed", "true")
        expect(speak).to_have_text("Start speaking")
        expect(window.page.locator("#captions-problem")).to_contain_text("The connection broke.")
        expect(window.page.locator("#captions-state")).to_have_text(re.compile(r"^Pieces of speech: \d+ lost$"))
        assert len(transcription.sockets) == 6, "the first connection and five attempts to reconnect"
        eventually(lambda: window.evaluate(IS_MICROPHONE_RELEASED), "the microphone is released")


def test_a_microphone_that_is_permitted_too_late_is_released(open_panel: OpenPanel) -> None:
    transcription = FakeTranscription(close_after_action="open")
    with open_panel("captions", set_up=transcription.install, script=DELAY_MICROPHONE) as window:
        window.page.locator("#captions-speak").click()
        expect(window.page.locator("#captions-problem")).to_contain_text("The connection broke.")
        window.evaluate("window.allow()")
        eventually(lambda: window.evaluate(IS_MICROPHONE_RELEASED), "the microphone is released")
        expect(window.page.locator("#captions-speak")).to_have_attribute("aria-pressed", "false")
        expect(window.page.locator("#captions-problem")).to_contain_text("The connection broke.")


@pytest.mark.parametrize(
    ("local", "reason"), [(False, "Check the language."), (True, "The local platform understands only English")]
)
def test_if_a_recording_results_in_no_captions_the_page_shows_the_reason(
    open_panel: OpenPanel, reason: str, *, local: bool
) -> None:
    transcription = FakeTranscription(finishes_utterances=True)
    with open_panel("captions", set_up=transcription.install, local=local) as window:
        page = window.page
        page.route(f"{LOCAL_ENDPOINT}/token", lambda route: route.fulfill(json={"id_token": make_token("ann")}))
        speak, screen = page.locator("#captions-speak"), page.locator("#captions-screen")
        speak.click()
        expect(screen).to_have_text("Listening.")
        expect(page.locator("#captions-state")).to_contain_text("done")
        speak.click()
        expect(screen).to_contain_text(f"Nothing was heard. {reason}")


def test_words_that_are_spoken_before_the_session_is_open_are_sent(open_panel: OpenPanel) -> None:
    transcription = FakeTranscription(is_open_delayed=True)
    with open_panel("captions", set_up=transcription.install) as window:
        speak, state = window.page.locator("#captions-speak"), window.page.locator("#captions-state")
        speak.click()
        expect(state).to_have_text("Pieces of speech: 2 waiting")
        assert transcription.actions == ["open"]
        transcription.open_session()
        expect(state).to_contain_text("2 sent")
        expect(speak).to_have_text("Stop")


def test_captions_end_when_another_user_signs_in(open_panel: OpenPanel) -> None:
    transcription = FakeTranscription(
        on_accepted=lambda message: transcription.send(
            **{**CAPTION, "utterance": message["utterance"]}, text="words of ann", final=True
        )
    )
    with open_panel("captions", set_up=transcription.install, script=DELAY_MICROPHONE) as window:
        page, speak = window.page, window.page.locator("#captions-speak")
        window.evaluate("window.allow()")
        sign_in(page, make_token("ann"), "ann")
        speak.click()
        expect(page.locator("#captions-screen").get_by_text("words of ann").first).to_be_visible()
        sign_in(page, make_token("ann", number=2), "ann")
        expect(speak).to_have_attribute("aria-pressed", "true")
        assert "close" not in transcription.actions, "a new token of the same user must not end the session"
        sign_in(page, make_token("bob"), "bob")
        expect(speak).to_have_attribute("aria-pressed", "false")
        eventually(lambda: window.evaluate(IS_MICROPHONE_RELEASED), "the microphone is released")
        assert "close" in transcription.actions
        assert "words of ann" not in page.locator("body").inner_html()


DELAY_DECODING = """
const realDecode = OfflineAudioContext.prototype.decodeAudioData;
const permission = new Promise((resolve) => { window.allow = resolve; });
OfflineAudioContext.prototype.decodeAudioData = async function (data) {
  await permission;
  return realDecode.call(this, data);
};
"""


def test_a_users_file_is_not_captioned_for_another_user(open_panel: OpenPanel, tmp_path: Path) -> None:
    transcription = FakeTranscription()
    with open_panel("captions", set_up=transcription.install, script=DELAY_DECODING) as window:
        sign_in(window.page, make_token("ann"), "ann")
        window.page.get_by_label("Choose a file").set_input_files(write_speech(tmp_path / "speech.wav", "hear"))
        sign_in(window.page, make_token("bob"), "bob")
        window.page.evaluate("window.allow()")
        expect(window.page.locator("#captions-problem")).to_contain_text("Another user has signed in")
        assert transcription.actions == []


def test_a_button_gets_its_focus_back_after_its_action(open_panel: OpenPanel) -> None:
    transcription = FakeTranscription(finishes_utterances=True)  # because the second press waits for their end
    with open_panel("captions", set_up=transcription.install) as window:
        speak = window.page.locator("#captions-speak")
        speak.focus()
        for pressed in ("true", "false"):
            window.page.keyboard.press("Enter")
            expect(speak).to_have_attribute("aria-pressed", pressed)
            expect(speak).to_be_enabled()
            expect(speak).to_be_focused()
