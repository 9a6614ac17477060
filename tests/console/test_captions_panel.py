"""Tests of the captions panel against a fake stack: partial captions, lost connections, and changes of the user.

The panel sends speech in utterances of a few seconds, which it calls "pieces of speech". A partial caption may still
change.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import ConsoleWindow, write_speech
from tests.console.fake_stack import LOCAL_ENDPOINT, FakeTranscription, OpenPanel, hold_requests, make_token, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
CLIPS = ("hello", "slowly", "hear")
CAPTION: dict[str, Any] = {"type": "caption", "utterance": "u1", "resultId": "r1"}
CAPTION |= {"attempt": 1, "sequence": 1, "startMs": 0, "endMs": 9}
SCRIPT = """
const realGetUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (constraints) => {
  await window.permission;
  return (window.stream = await realGetUserMedia(constraints));
};
const realDecode = OfflineAudioContext.prototype.decodeAudioData;
OfflineAudioContext.prototype.decodeAudioData = async function (data) {
  await window.permission;
  return realDecode.call(this, data);
};
"""
"""If there is a promise `window.permission`, delay the microphone and the decoding of files until it is resolved. Keep
the microphone's stream.
"""
DELAY = "() => { window.permission = new Promise((resolve) => { window.allow = resolve; }); }"


@pytest.fixture(scope="module")
def window(open_panel: OpenPanel) -> Iterator[ConsoleWindow]:
    """Window that most tests of this module share. Each test installs its own fake of transcription."""
    with open_panel("captions", script=SCRIPT) as opened:
        yield opened


def expect_released_microphone(window: ConsoleWindow) -> None:
    expect(window.page.locator("#captions-speak")).to_have_attribute("aria-pressed", "false")
    window.page.wait_for_function("window.stream?.getTracks().every((track) => track.readyState === 'ended')")


def test_partial_captions_and_errors_are_shown(window: ConsoleWindow, tmp_path: Path) -> None:
    def send_partial(message: dict[str, Any]) -> None:
        if message["utterance"] == "u1":
            transcription.send(**CAPTION, text="Hello wor", final=False)

    transcription = FakeTranscription(in_flight=1, on_accepted=send_partial)
    transcription.install(window.page)
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


def test_the_microphone_is_released_if_reconnection_fails(window: ConsoleWindow) -> None:
    FakeTranscription(close_after_action="audio").install(window.page)
    window.page.locator("#captions-speak").click()
    expect(window.page.locator("#captions-speak")).to_have_attribute("aria-pressed", "true")
    expect(window.page.locator("#captions-problem")).to_contain_text("The connection broke.")
    expect(window.page.locator("#captions-state")).to_have_text(re.compile(r"^Pieces of speech: \d+ lost$"))
    expect_released_microphone(window)


def test_a_microphone_that_is_permitted_too_late_is_released(window: ConsoleWindow) -> None:
    FakeTranscription(close_after_action="open").install(window.page)
    window.evaluate(DELAY)
    window.page.locator("#captions-speak").click()
    expect(window.page.locator("#captions-problem")).to_contain_text("The connection broke.")
    window.evaluate("window.stream = null; window.allow()")
    expect_released_microphone(window)
    expect(window.page.locator("#captions-problem")).to_contain_text("The connection broke.")


def test_if_a_recording_results_in_no_captions_the_page_shows_the_reason(window: ConsoleWindow) -> None:
    """The button keeps the keyboard focus when it starts and stops the recording."""
    FakeTranscription(finishes_utterances=True).install(window.page)
    speak, screen = window.page.locator("#captions-speak"), window.page.locator("#captions-screen")
    speak.focus()
    for pressed in ("true", "false"):
        window.page.keyboard.press("Enter")
        expect(speak).to_have_attribute("aria-pressed", pressed)
        expect(speak).to_be_enabled()
        expect(speak).to_be_focused()
        if pressed == "true":
            expect(screen).to_have_text("Listening.")
            expect(window.page.locator("#captions-state")).to_contain_text("done")
    expect(screen).to_contain_text("Nothing was heard. Check the language.")


def test_words_that_are_spoken_before_the_session_is_open_are_sent(open_panel: OpenPanel) -> None:
    transcription = FakeTranscription(finishes_utterances=True)
    with open_panel("captions", set_up=transcription.install, local=True) as window:
        page = window.page
        delayed_sign_ins = hold_requests(page, f"{LOCAL_ENDPOINT}/token")
        speak, state = page.locator("#captions-speak"), page.locator("#captions-state")
        speak.click()
        expect(state).to_have_text("Pieces of speech: 1 waiting")
        assert transcription.actions == []
        delayed_sign_ins[0].fulfill(json={"id_token": make_token("ann")})
        expect(state).to_contain_text("1 done")
        speak.click()
        expect(page.locator("#captions-screen")).to_contain_text("The local platform understands only English")


def test_captions_end_when_another_user_signs_in(window: ConsoleWindow, tmp_path: Path) -> None:
    """A file is not captioned if another user has signed in before it was decoded."""
    transcription = FakeTranscription(
        on_accepted=lambda message: transcription.send(
            **{**CAPTION, "utterance": message["utterance"]}, text="words of bob", final=True
        )
    )
    transcription.install(window.page)
    page, speak = window.page, window.page.locator("#captions-speak")
    sign_in(page, make_token("ann"), "ann")
    window.evaluate(DELAY)
    page.get_by_label("Choose a file").set_input_files(write_speech(tmp_path / "speech.wav", "hear"))
    sign_in(page, make_token("bob"), "bob")
    window.evaluate("window.allow()")
    expect(page.locator("#captions-problem")).to_contain_text("Another user has signed in")
    assert transcription.actions == []
    speak.click()
    expect(page.locator("#captions-screen").get_by_text("words of bob").first).to_be_visible()
    sign_in(page, make_token("bob", number=2), "bob")
    expect(speak).to_have_attribute("aria-pressed", "true")
    assert "close" not in transcription.actions, "a new token of the same user must not end the session"
    sign_in(page, make_token("ann"), "ann")
    expect_released_microphone(window)
    assert "close" in transcription.actions
    assert "words of bob" not in page.locator("body").inner_html()
