"""Tests of the meetings panel: resumed uploads, summaries, and separate users."""

import re
from pathlib import Path

from playwright.sync_api import Page, Request, expect

from local.emulation.speech import tone_words
from local.flows import eventually
from local.flows.meetings_flow import CHUNKS
from tests.browser import SAMPLE_RATE, Visit
from tests.end_to_end.console.page_visitor import MARKS, filmed, panel, pictured

pytestmark = MARKS
TITLE = "Weekly report"
"""Differs from the flow's title, because the flow records as Ann on the same platform too."""


def broken_off(page: Page, at: str) -> list[str]:
    """Break the connection at the upload of one chunk, once; return the list of later uploads."""
    sent: list[str] = []

    def noted(request: Request) -> None:
        if request.method == "PUT":
            sent.append(request.url.partition("?")[0].rpartition("/")[2])

    page.route(re.compile(rf"/{re.escape(at)}$"), lambda route: route.abort(), times=1)
    page.on("request", noted)
    return sent


def become(page: Page, name: str) -> None:
    """Sign in with a user name."""
    page.locator("#who").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Name").press("Enter")
    expect(page.locator("#who")).to_have_text(name)


def test_the_page_shows_a_meetings_summary_and_action_items(visitor: Visit, page: Page, tmp_path: Path) -> None:
    visitor.tab("Meetings")
    here = panel(page, "Meetings")
    spoke = [[tone_words.speech([*words.split(), "."], SAMPLE_RATE, pitch) for pitch, words in said] for said in CHUNKS]
    chunks = [filmed(tmp_path / f"{at}.mp4", "320x180", 0, b"".join(words)) for at, words in enumerate(spoke)]
    here.get_by_label("Title").fill(TITLE)
    here.get_by_label("Participants").fill("Ann, Bob")
    here.get_by_label("Tags").fill("team, console")
    here.get_by_label("Recording: one file").set_input_files(chunks)
    sent = broken_off(page, at="00001.mp4")
    page.get_by_role("button", name="Upload").click()
    expect(here.get_by_role("alert")).to_contain_text("No answer from")
    assert visitor.complaints.pop() == "Failed to load resource: net::ERR_FAILED", (
        "the browser reports the broken connection"
    )
    page.get_by_role("button", name="Upload").click()
    meeting = page.get_by_role("article", name=TITLE)
    expect(meeting.locator("#meetings-status")).to_have_text("ready", timeout=60_000)
    assert sent == ["00000.mp4", "00001.mp4", "00001.mp4", "complete.json"], (
        "chunks that arrived must not be sent again"
    )
    expect(meeting).to_contain_text("spk_0, spk_1 spoke 4 times.")
    todo = meeting.locator(".finding")
    expect(todo).to_contain_text("Send the report monday")
    expect(todo.locator("q")).to_have_text("Please send the report monday")
    expect(todo.get_by_role("button", name="Play from 0:04")).to_be_visible()
    meeting.get_by_text("Transcript, 0:0").click()
    expect(meeting.locator(".said li")).to_have_count(4)
    expect(meeting.locator("video")).to_be_visible()
    found = page.get_by_role("list", name="Meetings, newest first").get_by_role("button")
    page.get_by_label("With", exact=True).fill("BOB")
    page.get_by_label("Tagged").fill("console")
    expect(found).to_have_count(1)
    page.get_by_label("With", exact=True).fill("carol")
    expect(found).to_have_count(0)
    page.get_by_label("With", exact=True).fill("")
    meeting.get_by_text("Transcript, 0:0").click()
    todo.get_by_role("button", name="Play from 0:04").click()
    eventually(lambda: meeting.locator("video").evaluate("(one) => one.currentTime >= 4 || null"), "the quote's place")
    meeting.locator("video").evaluate("(one) => one.pause()")
    pictured(visitor, "meetings", meeting)


def test_another_user_sees_only_their_own_meetings(visitor: Visit, page: Page) -> None:
    visitor.tab("Meetings")
    for name in ("nobody-yet", "ann"):
        become(page, name)
        if name != "ann":
            expect(page.get_by_role("article", name=TITLE)).to_be_hidden()
            expect(panel(page, "Meetings").get_by_text("None yet.")).to_be_visible()
