"""Helpers for tests of the console's panels: screenshots, sign-ins and sample videos.

With `CONSOLE_PICTURES=docs/console` in the environment, the tests also renew the screenshots of the documents.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from local.ffmpeg import pcm_input, run_ffmpeg
from tests.browser import DESKTOP, PHONE, SAMPLE_RATE, ConsoleWindow

MARKS = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.xdist_group("platform")]
PICTURES = os.environ.get("CONSOLE_PICTURES")


def take_screenshots(
    window: ConsoleWindow, name: str, on_phone: Locator | None = None, height: int = DESKTOP[1]
) -> None:
    """Save a screenshot of the desktop layout with this height if `CONSOLE_PICTURES` is set.

    If `on_phone` is given, also save a screenshot in phone size and dark mode, scrolled to this element.
    """
    if PICTURES is None:
        return
    window.resize((DESKTOP[0], height))
    window.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    window.page.mouse.move(0, 0)
    window.page.screenshot(path=f"{PICTURES}/{name}.png")
    window.resize(DESKTOP)
    if on_phone is not None:
        window.resize(PHONE)
        window.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        on_phone.evaluate("(element) => element.scrollIntoView()")
        window.page.screenshot(path=f"{PICTURES}/{name}-phone.png")
        window.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        window.resize(DESKTOP)


def find_panel(page: Page, name: str) -> Locator:
    return page.get_by_role("tabpanel", name=name)


def sign_in(page: Page, name: str) -> None:
    """Sign in at the local platform, whose identity provider signs a token for any name."""
    page.locator("#who").click()
    field = page.get_by_role("dialog").get_by_label("Name")
    field.fill(name)
    field.press("Enter")
    expect(page.locator("#who")).to_have_text(name)


COLOURS = "c0=0x14233f:c1=0x0b7f81:c2=0xf2a35a:c3=0x5348d8:nb_colors=4:seed=7"


def write_video(path: Path, size: str, grain: int, pcm: bytes) -> Path:
    """Write an MP4 video with moving colours and this sound. Noise of the strength `grain` after six seconds makes the file large."""
    seconds = len(pcm) / 2 / SAMPLE_RATE
    pictures = f"gradients=size={size}:rate=8:duration={seconds}:{COLOURS},format=yuv420p,noise=alls={grain}:allf=t:enable='gt(t,6)'"
    video_encoder = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "8", "-pix_fmt", "yuv420p")
    audio_encoder = ("-c:a", "aac", "-b:a", "96k")
    run_ffmpeg(
        *pcm_input(SAMPLE_RATE), "-f", "lavfi", "-i", pictures, *video_encoder, *audio_encoder, str(path), data=pcm
    )
    return path
