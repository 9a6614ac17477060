"""Tests of the lectures panel: questions by voice and in writing.

The local agent answers with passages of the lecture that contain the content words of the question.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from local.flows.speech_clips import encode_clips
from local.flows.voice_qa_flow import LECTURE
from tests.browser import ConsoleWindow
from tests.end_to_end.console.harness import MARKS, take_screenshots

pytestmark = MARKS
ANSWER = re.compile(r"^At 0:03 you hear: .*water and carbon dioxide into sugar")


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lecture") / "lecture.ogg"
    path.write_bytes(encode_clips("ogg-opus", *LECTURE))
    return path


COUNT_PLAYED_FILES = """() => {
  window.playedFiles = 0;
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...args) { window.playedFiles += 1; return start.apply(this, args); };
}"""
"""Count the audio files that the page starts to play."""


def newest_answer(page: Page) -> Locator:
    return page.locator("#lectures-answers article").first


def test_questions_by_voice_and_in_writing_are_answered(window: ConsoleWindow, page: Page, lecture: Path) -> None:
    window.select_tab("Lectures")
    page.evaluate(COUNT_PLAYED_FILES)
    page.get_by_label("Choose a lecture").set_input_files(lecture)
    expect(page.locator("#lectures-player")).to_be_visible()
    page.get_by_label("Or write a question").fill("Why is the sky blue?")
    page.get_by_label("Or write a question").press("Enter")
    expect(newest_answer(page).get_by_text("Answered")).to_be_visible()
    expect(newest_answer(page)).to_contain_text("The lecture does not say anything about this.")
    ask = page.locator("#lectures-ask")
    ask.click()
    expect(ask).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(6000)  # the microphone plays the sentence in real time
    ask.click()
    expect(page.locator("#lectures-answers article")).to_have_count(2)
    expect(newest_answer(page).get_by_text("Answered")).to_be_visible()
    expect(newest_answer(page).locator(".answer")).to_have_text(ANSWER)
    assert "sugar" in newest_answer(page).locator(".asked").inner_text()
    assert page.evaluate("window.playedFiles") >= 2, "the spoken answer has several pieces"
    newest_answer(page).get_by_role("button", name="Play the lecture from 0:03").click()
    # The quote begins between 0:03 and 0:04, and the player has already played a little.
    assert page.locator("#lectures-player").evaluate("(player) => player.currentTime") == pytest.approx(3.7, abs=0.9)
    page.locator("#lectures-player").evaluate("(player) => player.pause()")
    take_screenshots(window, "lectures")
