"""Test of the meetings panel: the summary of a recording, its playback, and its deletion."""

from playwright.sync_api import Page, expect

from tests.browser import ConsoleWindow
from tests.end_to_end.console.harness import MARKS, take_screenshots

pytestmark = MARKS


def test_the_summary_of_a_recording_is_shown_until_the_meeting_is_deleted(window: ConsoleWindow, page: Page) -> None:
    window.select_tab("Meetings")
    page.get_by_role("button", name="Try the sample recording").click()
    meeting = page.get_by_role("article", name="Sample meeting")
    expect(meeting.locator("#meetings-status")).to_have_text("Ready")
    expect(meeting).to_contain_text("Speaker 1, Speaker 2 spoke")
    expect(meeting.locator(".finding")).to_have_count(2)
    action_item = meeting.locator(".finding").first
    expect(action_item).to_contain_text("Send the report to Anna")
    expect(action_item.locator("q")).to_have_text("Please send the report to Anna by Friday")
    meeting.get_by_text("Transcript, 0:1").click()
    expect(meeting.locator(".said li").first).to_be_visible()
    action_item.get_by_role("button", name="Play from 0:0").click()
    page.wait_for_function("document.getElementById('meetings-player').currentTime >= 7")
    meeting.locator("video").evaluate("(player) => player.pause()")
    take_screenshots(window, "meetings", meeting, height=1480)
    page.once("dialog", lambda dialog: dialog.accept())
    meeting.get_by_role("button", name="Delete").click()
    expect(meeting).to_be_hidden()
    expect(page.get_by_role("list", name="Meetings, newest first").get_by_text("Sample meeting")).to_have_count(0)
