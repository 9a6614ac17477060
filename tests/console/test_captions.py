"""Captions, of a stack that is played: how they grow, whose they are, and what is let go when something is lost."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from local.flows import eventually
from tests.browser import spoken
from tests.console.fake_page import Transcription, becomes, played, token

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
SAID = "hello world this is a live test . good day . thank you again ."
LINE = {"type": "caption", "utterance": "u1", "sequence": 1, "resultId": "r1", "startMs": 0, "endMs": 9, "revision": 1}
MICROPHONE = """
const wait = window.setTimeout;
window.setTimeout = (act, ms, ...more) => wait(act, ms >= 1000 && ms <= 4000 ? ms / 20 : ms, ...more);
const asked = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
window.allowed = new Promise((resolve) => { window.allow = resolve; });
navigator.mediaDevices.getUserMedia = async (what) => {
  await window.allowed;
  return (window.heard = await asked(what));
};
"""
"""Pauses between connections are short. The microphone is allowed when the test says so, and can be looked at."""
ENDED = "window.heard?.getTracks().every((one) => one.readyState === 'ended') || null"


def test_words_show_before_they_are_final_and_troubles_are_told(started: Browser, url: str, tmp_path: Path) -> None:
    def grows(asked: dict[str, Any]) -> None:
        if asked["utterance"] == "u1":
            platform.say(**LINE, text="Hello wor", final=False)

    platform = Transcription(in_flight=1, accepted=grows)
    with played(started, url, "captions", plays=platform.plays) as other:
        screen, state = other.page.locator("#captions-screen"), other.page.locator("#captions-state")
        other.page.get_by_label("Choose a file").set_input_files(spoken(tmp_path / "said.wav", SAID))
        expect(screen.locator(".growing")).to_have_text("Hello wor")
        expect(state).to_have_text("Utterances: 1 sent, 2 waiting")
        platform.say(**{**LINE, "revision": 2}, text="Hello world.", final=True)
        platform.say(type="done", utterance="u1", sequence=1, finals=1)
        expect(screen.locator(".final")).to_have_text("Hello world.")
        expect(screen.locator(".growing")).to_have_count(0)
        expect(state).to_have_text("Utterances: 1 sent, 1 waiting, 1 done")
        platform.say(type="error", code="NOT_TRANSCRIBED", message="It failed three times.", utterance="u2")
        expect(other.page.locator("#captions-problem")).to_contain_text("NOT_TRANSCRIBED: It failed three times.")
        expect(state).to_have_text("Utterances: 1 sent, 1 done, 1 lost")
        platform.say(type="resend", utterances=[{"utterance": "u3", "fromMs": 0}])
        platform.say(type="done", utterance="u3", sequence=3, finals=0)
        expect(state).to_have_text("Utterances: 2 done, 1 lost")
        assert other.complaints == []


def test_a_microphone_is_let_go_once_no_connection_comes_back(started: Browser, url: str) -> None:
    platform = Transcription(breaks_at="audio")
    with played(started, url, "captions", plays=platform.plays, script=MICROPHONE) as other:
        other.evaluate("window.allow()")
        speak = other.page.locator("#captions-speak")
        speak.click()
        expect(speak).to_have_attribute("aria-pressed", "true")
        expect(speak).to_have_text("Start speaking")
        expect(other.page.locator("#captions-problem")).to_contain_text("The connection broke.")
        expect(other.page.locator("#captions-state")).to_have_text(re.compile(r"^Utterances: \d+ lost$"))
        assert len(platform.sockets) == 6, "the first one, and five tries to have it back"
        eventually(lambda: other.evaluate(ENDED), "the microphone is let go")


def test_a_microphone_that_is_allowed_too_late_is_let_go(started: Browser, url: str) -> None:
    platform = Transcription(breaks_at="open")
    with played(started, url, "captions", plays=platform.plays, script=MICROPHONE) as other:
        other.page.locator("#captions-speak").click()
        expect(other.page.locator("#captions-problem")).to_contain_text("The connection broke.")
        other.evaluate("window.allow()")
        eventually(lambda: other.evaluate(ENDED), "the microphone is let go")
        expect(other.page.locator("#captions-speak")).to_have_attribute("aria-pressed", "false")
        expect(other.page.locator("#captions-problem")).to_contain_text("The connection broke.")


def test_captions_end_where_somebody_else_signs_in(started: Browser, url: str) -> None:
    platform = Transcription(
        accepted=lambda asked: platform.say(
            **{**LINE, "utterance": asked["utterance"]}, text="words of ann", final=True
        )
    )
    with played(started, url, "captions", plays=platform.plays, script=MICROPHONE) as other:
        page, speak = other.page, other.page.locator("#captions-speak")
        other.evaluate("window.allow()")
        becomes(page, token("ann"), "ann")
        speak.click()
        expect(page.locator("#captions-screen").get_by_text("words of ann").first).to_be_visible()
        becomes(page, token("ann", 2), "ann")
        expect(speak).to_have_attribute("aria-pressed", "true")
        assert "close" not in platform.actions
        becomes(page, token("bob"), "bob")
        expect(speak).to_have_attribute("aria-pressed", "false")
        eventually(lambda: other.evaluate(ENDED), "the microphone is let go")
        assert "close" in platform.actions
        assert "words of ann" not in page.locator("body").inner_html()


DECODING = """
const decode = OfflineAudioContext.prototype.decodeAudioData;
const allowed = new Promise((resolve) => { window.allow = resolve; });
OfflineAudioContext.prototype.decodeAudioData = async function (data) {
  await allowed;
  return decode.call(this, data);
};
"""


def test_a_recording_of_one_is_not_captioned_as_another(started: Browser, url: str, tmp_path: Path) -> None:
    platform = Transcription()
    with played(started, url, "captions", plays=platform.plays, script=DECODING) as other:
        becomes(other.page, token("ann"), "ann")
        other.page.get_by_label("Choose a file").set_input_files(spoken(tmp_path / "said.wav", "hello ."))
        becomes(other.page, token("bob"), "bob")
        other.page.evaluate("window.allow()")
        expect(other.page.locator("#captions-problem")).to_contain_text("Another user has signed in")
        assert platform.actions == []


def test_a_button_has_the_keyboard_back_when_its_work_is_done(started: Browser, url: str) -> None:
    # What the microphone has heard by the second press is done, or the page would wait for it.
    platform = Transcription(accepted=lambda asked: platform.say(type="done", utterance=asked["utterance"], finals=0))
    with played(started, url, "captions", plays=platform.plays) as other:
        speak = other.page.locator("#captions-speak")
        speak.focus()
        for pressed in ("true", "false"):
            other.page.keyboard.press("Enter")
            expect(speak).to_have_attribute("aria-pressed", pressed)
            expect(speak).to_be_enabled()
            expect(speak).to_be_focused()
