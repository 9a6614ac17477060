"""Tests of the meetings panel: resumed uploads, summaries and deletion."""

import re
from pathlib import Path

from playwright.sync_api import Page, Request, expect

from local.flows import eventually
from local.flows.meetings_flow import CHUNKS
from local.flows.speech_clips import join_clips
from tests.browser import ConsoleWindow
from tests.end_to_end.console.harness import MARKS, find_panel, take_screenshots, write_video

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
    chunks = [
        write_video(tmp_path / f"{number}.mp4", "320x180", 0, join_clips(*clips)) for number, clips in enumerate(CHUNKS)
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
    expect(meeting).to_contain_text("Speaker 1, Speaker 2 spoke")
    expect(meeting.locator(".finding")).to_have_count(2)
    action_item = meeting.locator(".finding").first
    expect(action_item).to_contain_text("Send the report to Anna")
    expect(action_item.locator("q")).to_have_text("Please send the report to Anna by Friday")
    play = action_item.get_by_role("button", name="Play from 0:0")
    expect(play).to_be_visible()
    meeting.get_by_text("Transcript, 0:1").click()
    expect(meeting.locator(".said li").first).to_be_visible()
    expect(meeting.locator("video")).to_be_visible()
    meetings = page.get_by_role("list", name="Meetings, newest first").get_by_role("button")
    page.get_by_label("With", exact=True).fill("BOB")
    page.get_by_label("Tagged").fill("console")
    expect(meetings).to_have_count(1)
    page.get_by_label("With", exact=True).fill("carol")
    expect(meetings).to_have_count(0)
    page.get_by_label("With", exact=True).fill("")
    play.click()
    eventually(
        lambda: meeting.locator("video").evaluate("(player) => player.currentTime >= 7 || null"),
        "playback at the quote",
    )
    meeting.locator("video").evaluate("(player) => player.pause()")
    take_screenshots(window, "meetings", meeting, height=1480)


def test_a_deleted_meeting_disappears(window: ConsoleWindow, page: Page) -> None:
    window.select_tab("Meetings")
    listed = page.get_by_role("list", name="Meetings, newest first").get_by_role("button", name=TITLE)
    listed.click()
    meeting = page.get_by_role("article", name=TITLE)
    page.once("dialog", lambda dialog: dialog.accept())
    meeting.get_by_role("button", name="Delete").click()
    expect(meeting).to_be_hidden()
    expect(listed).to_have_count(0)
