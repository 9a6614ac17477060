"""Lectures: asked by voice and in writing, answered over connections that break."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from local.emulation.speech import tone_words
from local.emulation.speech.audio_files import encode_audio
from local.flows import eventually
from local.flows.voice_qa_flow import LECTURE
from tests.browser import SAMPLE_RATE, Visit
from tests.end_to_end.console.page_visitor import MARKS, pictured

pytestmark = MARKS


ANSWER = "At 0:02 you hear: we speak in tones and captions."


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lecture") / "lecture.ogg"
    path.write_bytes(encode_audio(tone_words.speech(LECTURE.split(), SAMPLE_RATE), SAMPLE_RATE, "ogg-opus"))
    return path


PLAYED = """() => {
  window.played = 0;
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...when) { window.played += 1; return start.apply(this, when); };
}"""


def answer(page: Page) -> Locator:
    """The newest one."""
    return page.locator("#lectures-answers article").first


def test_a_lecture_is_asked_by_voice_and_in_writing(visitor: Visit, page: Page, lecture: Path) -> None:
    visitor.tab("Lectures")
    page.evaluate(PLAYED)
    page.get_by_label("Choose a lecture").set_input_files(lecture)
    expect(page.locator("#lectures-player")).to_be_visible()
    page.get_by_label("Or write a question").fill("come back")
    page.get_by_label("Or write a question").press("Enter")
    expect(answer(page).get_by_text("Answered")).to_be_visible()
    expect(answer(page)).to_contain_text("At 0:08 you hear: come back in the world.")
    ask = page.locator("#lectures-ask")
    ask.click()
    expect(ask).to_have_attribute("aria-pressed", "true")
    began = time.monotonic()
    eventually(lambda: True if time.monotonic() - began > 1.8 else None, "speech in the recording")
    ask.click()
    expect(page.locator("#lectures-answers article")).to_have_count(2)
    expect(answer(page).get_by_text("Answered")).to_be_visible()
    expect(answer(page).locator(".answer")).to_have_text(ANSWER)
    assert "captions" in answer(page).locator(".asked").inner_text()
    assert page.evaluate("window.played") >= 2, "both answers are heard"
    jump = answer(page).get_by_role("button", name="Play the lecture from 0:02")
    jump.click()
    assert page.locator("#lectures-player").evaluate("(one) => one.currentTime") == pytest.approx(2.6, abs=0.9)
    page.locator("#lectures-player").evaluate("(one) => one.pause()")
    pictured(visitor, "lectures")
