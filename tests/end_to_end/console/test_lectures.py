"""Tests of the lectures panel: questions by voice and in writing.

Speech is coded in tones. The local agent answers with passages of the lecture that contain words of the question.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from local.emulation.speech import tone_words
from local.emulation.speech.audio_encoding_and_recognition import encode_audio
from local.flows.voice_qa_flow import LECTURE
from tests.browser import SAMPLE_RATE, ConsoleWindow
from tests.end_to_end.console.harness import MARKS, take_screenshots

pytestmark = MARKS
ANSWER = "At 0:02 you hear: we speak in tones and captions."


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lecture") / "lecture.ogg"
    path.write_bytes(encode_audio(tone_words.speech(LECTURE.split(), SAMPLE_RATE), SAMPLE_RATE, "ogg-opus"))
    return path


COUNT_PLAYED_FILES = """() => {
  window.playedFiles = 0;
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...args) { window.playedFiles += 1; return start.apply(this, args); };
}"""
"""Count the audio files that the page starts to play."""


def newest_answer(page: Page) -> Locator:
    return page.locator("#lectures-answers article").first


def test_the_sample_question_about_the_sample_lecture_is_answered(window: ConsoleWindow, page: Page) -> None:
    window.select_tab("Lectures")
    page.get_by_role("button", name="Try the sample lecture").click()
    expect(page.locator("#lectures-player")).to_be_visible()
    page.get_by_role("button", name="Ask the sample question").click()
    expect(newest_answer(page).get_by_text("Answered")).to_be_visible()
    expect(newest_answer(page).locator(".answer")).to_have_text(ANSWER)
    page.evaluate("document.getElementById('lectures-answers').replaceChildren()")


def test_questions_by_voice_and_in_writing_are_answered(window: ConsoleWindow, page: Page, lecture: Path) -> None:
    window.select_tab("Lectures")
    page.evaluate(COUNT_PLAYED_FILES)
    page.get_by_label("Choose a lecture").set_input_files(lecture)
    expect(page.locator("#lectures-player")).to_be_visible()
    page.get_by_label("Or write a question").fill("come back")
    page.get_by_label("Or write a question").press("Enter")
    expect(newest_answer(page).get_by_text("Answered")).to_be_visible()
    expect(newest_answer(page)).to_contain_text("At 0:08 you hear: come back in the world.")
    ask = page.locator("#lectures-ask")
    ask.click()
    expect(ask).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(1800)  # until the microphone's sentence is recorded
    ask.click()
    expect(page.locator("#lectures-answers article")).to_have_count(2)
    expect(newest_answer(page).get_by_text("Answered")).to_be_visible()
    expect(newest_answer(page).locator(".answer")).to_have_text(ANSWER)
    assert "captions" in newest_answer(page).locator(".asked").inner_text()
    assert page.evaluate("window.playedFiles") >= 2, "both answers must be played"
    newest_answer(page).get_by_role("button", name="Play the lecture from 0:02").click()
    # The quote begins between 0:02 and 0:03, and the player has already played a little.
    assert page.locator("#lectures-player").evaluate("(player) => player.currentTime") == pytest.approx(2.6, abs=0.9)
    page.locator("#lectures-player").evaluate("(player) => player.pause()")
    take_screenshots(window, "lectures")
