"""Captions: of recordings and of speech, over connections that break."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser import Visit, spoken, visit
from tests.end_to_end.conftest import Platform
from tests.end_to_end.console.page_visitor import MARKS, broken_once, pictured

pytestmark = MARKS


SAID = "hello world this is a live test of the stream we speak . good day . thank you again ."


CAPTIONS = ["Hello world this is a live test of the stream we speak.", "Good day.", "Thank you again."]


def lines(page: Page) -> list[str]:
    return page.locator("#captions-screen .final").all_inner_texts()


def test_a_recording_becomes_captions(visitor: Visit, page: Page, tmp_path: Path) -> None:
    visitor.tab("Captions")
    page.get_by_label("Choose a file").set_input_files(spoken(tmp_path / "said.wav", SAID))
    expect(page.locator("#captions-state")).to_have_text("Utterances: 3 done")
    assert lines(page) == CAPTIONS
    expect(page.get_by_role("log")).to_contain_text("Thank you again.")
    pictured(visitor, "captions", page.locator("header"))


def test_speech_becomes_captions(visitor: Visit, page: Page) -> None:
    visitor.tab("Captions")
    speak = page.locator("#captions-speak")
    expect(speak).to_be_enabled()  # a recording may still be on its way, and a key press waits for nothing
    speak.press("Enter")
    expect(speak).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#captions-screen .final", has_text="Tones and captions.").first).to_be_visible()
    speak.press("Enter")
    expect(speak).to_be_enabled()
    expect(speak).to_have_text("Start speaking")
    # A busy machine's sound device may drop a word, and the microphone goes on in the middle of another sentence.
    assert {word.strip(".").lower() for line in lines(page) for word in line.split()} == {"tones", "and", "captions"}


def test_captions_go_on_after_the_connection_broke(
    started: Browser, url: str, platform: Platform, tmp_path: Path
) -> None:
    with visit(started, url) as other:
        sent = broken_once(other.page, platform.outputs["frontend"]["transcription"]["url"], '"accepted"')
        other.open("captions")
        other.page.get_by_label("Choose a file").set_input_files(
            spoken(tmp_path / "said.wav", "good day . thank you again .")
        )
        expect(other.page.locator("#captions-state")).to_have_text("Utterances: 2 done")
        assert lines(other.page) == CAPTIONS[1:]
    assert len(sent) == 2
    assert '"sessionId"' in sent[1].splitlines()[0], "the session goes on"
