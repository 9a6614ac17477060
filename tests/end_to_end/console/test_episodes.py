"""Test of the episodes panel: an episode with its transcript and video, and the timeline of the claims."""

from pathlib import Path

from playwright.sync_api import Page, expect

from local.flows import sample_files
from local.flows.livestream_flow import TRANSCRIPT
from tests.browser import ConsoleWindow
from tests.end_to_end.console.harness import MARKS, find_panel, take_screenshots

pytestmark = MARKS
PADDING_BYTES = 10_500_000
"""Size of a box in the video that players ignore. It makes the video large enough for an upload in parts."""


def test_the_claims_of_an_episode_appear_on_the_timeline_and_play_the_chunks_of_its_video(
    window: ConsoleWindow, page: Page, tmp_path: Path
) -> None:
    window.select_tab("Episodes")
    find_panel(page, "Episodes").get_by_label("Title").fill("Harbour news")
    page.get_by_role("button", name="Create").click()
    episode = page.get_by_role("article", name="Harbour news")
    expect(episode).to_be_visible()
    page.get_by_label("Choose a transcript").set_input_files(
        {"name": "harbour.srt", "mimeType": "", "buffer": TRANSCRIPT}
    )
    expect(episode.locator("#episodes-transcript .done").last).to_contain_text("Checked")
    video = tmp_path / "video.mp4"
    box = PADDING_BYTES.to_bytes(4, "big") + b"free" + bytes(PADDING_BYTES - 8)
    video.write_bytes((sample_files.read_sample("episode.mp4") or b"") + box)
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
    page.locator("#episodes-player").evaluate("(player) => { player.pause(); player.currentTime = 4; }")
    take_screenshots(window, "episodes", height=1310)
