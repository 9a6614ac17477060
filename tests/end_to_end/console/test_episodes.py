"""Test of the episodes panel: uploads, processing, playback of the chunks, and the timeline of the claims."""

from pathlib import Path

from playwright.sync_api import Page, expect

from local.flows.livestream_flow import TRANSCRIPT
from local.flows.sample_files import EPISODE
from local.flows.speech_clips import join_clips
from tests.browser import ConsoleWindow
from tests.end_to_end.console.harness import MARKS, find_panel, take_screenshots, write_video

pytestmark = MARKS


def test_the_claims_of_an_episode_appear_on_the_timeline_and_play_the_chunks_of_its_video(
    window: ConsoleWindow, page: Page, tmp_path: Path
) -> None:
    window.select_tab("Episodes")
    panel = find_panel(page, "Episodes")
    panel.get_by_label("Title").fill("Harbour news")
    panel.get_by_label("Speakers").fill("Ann, Bob")
    page.get_by_role("button", name="Create").click()
    episode = page.get_by_role("article", name="Harbour news")
    expect(episode).to_be_visible()
    video = write_video(tmp_path / "video.mp4", "640x360", 7, join_clips(*EPISODE))
    assert video.stat().st_size > 10_000_000, "the video must be large enough for an upload in parts"
    page.get_by_label("Choose a transcript").set_input_files(
        {"name": "harbour.srt", "mimeType": "", "buffer": TRANSCRIPT}
    )
    expect(episode.locator("#episodes-transcript .done").last).to_contain_text("Checked")
    page.get_by_label("Choose a video").set_input_files(video)
    expect(episode.locator("#episodes-video .done").last).to_contain_text("Cut")
    expect(episode.locator("#episodes-status")).to_have_text("Ready")
    marks = episode.get_by_role("group", name="Timeline").get_by_role("button")
    expect(marks).to_have_count(3)  # two claims and a clip
    expect(marks.first).to_have_accessible_name(
        "Claim at 0:03, unverified: It is the longest bridge in the whole country"
    )
    marks.nth(1).press("Enter")
    expect(episode.locator(".finding", has_text="The river has never been so high").first).to_be_focused()
    page.wait_for_function(
        "(player) => player.readyState >= 3 && player.currentTime > 6.2",
        arg=page.locator("#episodes-player").element_handle(),
    )
    expect(page.get_by_role("list", name="Episodes, newest first").get_by_role("button").first).to_contain_text("Ready")
    page.locator("#episodes-player").evaluate("(player) => { player.pause(); player.currentTime = 4; }")
    take_screenshots(window, "episodes", height=1310)
