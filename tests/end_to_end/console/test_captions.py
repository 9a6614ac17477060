"""Test of the captions panel: speech is captioned, and the captions are revised."""

from playwright.sync_api import Page, expect

from tests.browser import ConsoleWindow
from tests.end_to_end.console.harness import MARKS, take_screenshots

pytestmark = MARKS
RECORD_UNFINISHED_LINES = """() => {
  window.unfinishedLines = new Set();
  const screen = document.getElementById("captions-screen");
  const record = () => { for (const line of screen.querySelectorAll(".growing")) window.unfinishedLines.add(line.textContent); };
  new MutationObserver(record).observe(screen, { childList: true });
}"""
"""Record the texts of all captions that are shown before they are final."""


def test_captions_are_revised_while_somebody_speaks(window: ConsoleWindow, page: Page) -> None:
    window.select_tab("Captions")
    speak = page.locator("#captions-speak")
    page.evaluate(RECORD_UNFINISHED_LINES)
    speak.click()
    line = page.locator("#captions-screen .final")
    line.wait_for()
    take_screenshots(window, "captions", line)
    speak.click()
    expect(speak).to_have_text("Start speaking")
    assert page.evaluate("window.unfinishedLines.size") > 0
    [text] = line.all_inner_texts()
    assert "plants turn into sugar" in text
