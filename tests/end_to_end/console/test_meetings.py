"""Tests of the meetings panel: resumed uploads, summaries, and separate users."""

import re
from pathlib import Path

from playwright.sync_api import Page, Request, expect

from local.emulation.speech import tone_words
from local.flows import eventually
from local.flows.meetings_flow import CHUNKS
from tests.browser import SAMPLE_RATE, ConsoleWindow
from tests.end_to_end.console.harness import MARKS, find_panel, sign_in, take_screenshots, write_video

pytestmark = MARKS
TITLE = "Weekly report"
"""Differs from the title in the meetings flow, because that flow records as Ann on the same platform too."""


def break_upload_once(page: Page, name: str) -> list[str]:
    """Break the connection once, at the upload of a chunk (a file of the recording). Return the list of all uploads."""
    uploads: list[str] = []

    def record_upload(request: Request) -> None:
        if request.method == "PUT":
            uploads.append(request.url.partition("?")[0].rpartition("/")[2])

    page.route(re.compile(rf"/{re.escape(name)}$"), lambda route: route.abort(), times=1)
    page.on("request", record_upload)
    return uploads


def test_an_interrupted_upload_is_resumed_and_the_meetings_summary_is_shown(
    window: ConsoleWindow, page: Page, tmp_path: Path
) -> None:
    window.select_tab("Meetings")
    panel = find_panel(page, "Meetings")
    chunk_speech = [
        [tone_words.speech([*words.split(), "."], SAMPLE_RATE, pitch) for pitch, words in sentences]
        for sentences in CHUNKS
    ]
    chunks = [
        write_video(tmp_path / f"{number}.mp4", "320x180", 0, b"".join(speech))
        for number, speech in enumerate(chunk_speech)
    ]
    panel.get_by_label("Title").fill(TITLE)
    panel.get_by_label("Participants").fill("Ann, Bob")
    panel.get_by_label("Tags").fill("team, console")
    panel.get_by_label("Recording: one file").set_input_files(chunks)
    uploads = break_upload_once(page, name="00001.mp4")
    page.get_by_role("button", name="Upload").click()
    expect(panel.get_by_role("alert")).to_contain_text("No answer from")
    assert window.browser_messages.pop() == "Failed to load resource: net::ERR_FAILED", (
        "the browser reports the broken connection"
    )
    page.get_by_role("button", name="Upload").click()
    meeting = page.get_by_role("article", name=TITLE)
    expect(meeting.locator("#meetings-status")).to_have_text("Ready", timeout=60_000)
    assert uploads == ["00000.mp4", "00001.mp4", "00001.mp4", "complete.json"], (
        "chunks that arrived must not be sent again"
    )
    expect(meeting).to_contain_text("spk_0, spk_1 spoke 4 times.")
    action_item = meeting.locator(".finding")
    expect(action_item).to_contain_text("Send the report monday")
    expect(action_item.locator("q")).to_have_text("Please send the report monday")
    expect(action_item.get_by_role("button", name="Play from 0:04")).to_be_visible()
    meeting.get_by_text("Transcript, 0:0").click()  # the recording is shorter than ten seconds
    expect(meeting.locator(".said li")).to_have_count(4)
    expect(meeting.locator("video")).to_be_visible()
    meetings = page.get_by_role("list", name="Meetings, newest first").get_by_role("button")
    page.get_by_label("With", exact=True).fill("BOB")
    page.get_by_label("Tagged").fill("console")
    expect(meetings).to_have_count(1)
    page.get_by_label("With", exact=True).fill("carol")
    expect(meetings).to_have_count(0)
    page.get_by_label("With", exact=True).fill("")
    meeting.get_by_text("Transcript, 0:0").click()
    action_item.get_by_role("button", name="Play from 0:04").click()
    eventually(
        lambda: meeting.locator("video").evaluate("(player) => player.currentTime >= 4 || null"),
        "playback at the quote",
    )
    meeting.locator("video").evaluate("(player) => player.pause()")
    take_screenshots(window, "meetings", meeting)


def test_another_user_sees_only_their_own_meetings(window: ConsoleWindow, page: Page) -> None:
    window.select_tab("Meetings")
    for name in ("user-without-meetings", "ann"):
        sign_in(page, name)
        if name != "ann":
            expect(page.get_by_role("article", name=TITLE)).to_be_hidden()
            expect(find_panel(page, "Meetings").get_by_text("None yet.")).to_be_visible()
