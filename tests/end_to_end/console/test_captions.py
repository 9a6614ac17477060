"""Tests of the captions panel: captions of a file and of speech."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from local.flows.speech_clips import clip_texts
from local.flows.word_errors import MAX_WORD_ERROR_RATE, word_error_rate
from tests.browser import ConsoleWindow, launch_another_browser, open_window, write_speech
from tests.end_to_end.console.harness import MARKS, take_screenshots

pytestmark = MARKS
CLIPS = ("hello", "slowly", "hear")
SPOKEN_CLIPS = ("hello", "speaking", "final", "questions")
RECORD_UNFINISHED_LINES = """() => {
  window.unfinishedLines = new Set();
  const screen = document.getElementById("captions-screen");
  const record = () => { for (const line of screen.querySelectorAll(".growing")) window.unfinishedLines.add(line.textContent); };
  new MutationObserver(record).observe(screen, { childList: true });
}"""
"""Record the texts of all captions that are shown before they are final."""


def read_final_lines(page: Page) -> list[str]:
    return page.locator("#captions-screen .final").all_inner_texts()


def assert_recognised(lines: list[str], *clips: str) -> None:
    text = " ".join(lines)
    assert word_error_rate(" ".join(clip_texts(*clips)), text) <= MAX_WORD_ERROR_RATE, text


def test_an_audio_file_is_captioned(window: ConsoleWindow, page: Page, tmp_path: Path) -> None:
    window.select_tab("Captions")
    page.get_by_label("Choose a file").set_input_files(write_speech(tmp_path / "speech.wav", *CLIPS))
    expect(page.locator("#captions-state")).to_have_text("Pieces of speech: 3 done")
    assert_recognised(read_final_lines(page), *CLIPS)
    expect(page.get_by_role("log")).to_contain_text("very well from here")


def test_captions_are_revised_while_somebody_speaks(chromium: Browser, console_url: str, tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "speech.wav", *SPOKEN_CLIPS)
    with (
        launch_another_browser(chromium.browser_type, speech) as browser,
        open_window(browser, console_url) as window,
    ):
        window.open("captions")
        window.evaluate(RECORD_UNFINISHED_LINES)
        window.page.locator("#captions-speak").click()
        unfinished_line = window.page.locator("#captions-screen .final ~ .final ~ .growing")
        unfinished_line.wait_for()
        take_screenshots(window, "captions", unfinished_line)
        window.page.locator("#captions-speak").click()
        expect(window.page.locator("#captions-speak")).to_have_text("Start speaking")
        expect(window.page.locator("#captions-screen .growing")).to_have_count(0)
        assert len(window.evaluate("[...window.unfinishedLines]")) > 1
        assert_recognised(read_final_lines(window.page)[:2], *SPOKEN_CLIPS[:2])
        assert window.browser_messages == []
