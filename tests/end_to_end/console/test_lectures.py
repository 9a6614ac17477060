"""Test of the lectures panel: a spoken question about the sample lecture.

The local agent answers with passages of the lecture that contain the content words of the question.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import ConsoleWindow
from tests.end_to_end.console.harness import MARKS, take_screenshots

pytestmark = MARKS
ANSWER = re.compile(r"^At 0:03 you hear: .*water and carbon dioxide into sugar")
COUNT_PLAYED_FILES = """() => {
  window.playedFiles = 0;
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...args) { window.playedFiles += 1; return start.apply(this, args); };
}"""
"""Count the audio files that the page starts to play."""


def test_a_spoken_question_is_answered_aloud_and_its_citation_plays_the_lecture(
    window: ConsoleWindow, page: Page
) -> None:
    window.select_tab("Lectures")
    page.evaluate(COUNT_PLAYED_FILES)
    page.get_by_role("button", name="Try the sample lecture").click()
    player, ask, answer = (page.locator(f"#lectures-{part}") for part in ("player", "ask", "answers article"))
    expect(player).to_be_visible()
    ask.click()
    expect(ask).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(3500)  # the microphone plays the sentence of two seconds in real time
    ask.click()
    expect(answer.get_by_text("Answered")).to_be_visible()
    expect(answer.locator(".answer")).to_have_text(ANSWER)
    assert "sugar" in answer.locator(".asked").inner_text()
    assert page.evaluate("window.playedFiles") >= 2, "the spoken answer has several pieces"
    answer.get_by_role("button", name="Play the lecture from 0:03").click()
    # The quote begins between 0:03 and 0:04, and the player has already played a little.
    assert player.evaluate("(player) => player.currentTime") == pytest.approx(3.7, abs=0.9)
    player.evaluate("(player) => player.pause()")
    take_screenshots(window, "lectures")
