"""What tests of all panels have in common: whoever looks, and what is laid before him.

With `CONSOLE_PICTURES=docs/console` in the environment, what is seen is also kept as pictures, for the documents.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute

from local.emulation.speech.audio_files import pcm_input, run_ffmpeg
from tests.browser import DESKTOP, PHONE, SAMPLE_RATE, Visit

MARKS = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.xdist_group("platform")]


PICTURES = os.environ.get("CONSOLE_PICTURES")


def pictured(visitor: Visit, name: str, on_phone: Locator | None = None) -> None:
    """Keeps what is seen on a desk, and from some place on in a hand at night, if pictures are asked for."""
    if PICTURES is None:
        return
    visitor.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    visitor.page.mouse.move(0, 0)
    visitor.page.screenshot(path=f"{PICTURES}/{name}.png")
    if on_phone is not None:
        visitor.resize(PHONE)
        visitor.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        on_phone.evaluate("(one) => one.scrollIntoView()")
        visitor.page.screenshot(path=f"{PICTURES}/{name}-phone.png")
        visitor.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        visitor.resize(DESKTOP)


def panel(page: Page, name: str) -> Locator:
    """A backend's panel."""
    return page.get_by_role("tabpanel", name=name)


COLOURS = "c0=0x14233f:c1=0x0b7f81:c2=0xf2a35a:c3=0x5348d8:nb_colors=4:seed=7"


def filmed(path: Path, size: str, grain: int, sound: bytes) -> Path:
    """Colours that drift behind a sound, as browsers can play it; grain makes it large."""
    lasts = len(sound) / 2 / SAMPLE_RATE
    pictures = f"gradients=size={size}:rate=8:duration={lasts}:{COLOURS},format=yuv420p,noise=alls={grain}:allf=t:enable='gt(t,1)'"
    encoders = (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-qp",
        "8",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-b:a",
        "96k",
    )
    run_ffmpeg(*pcm_input(SAMPLE_RATE), "-f", "lavfi", "-i", pictures, *encoders, str(path), data=sound)
    return path


def broken_once(page: Page, url: str, after: str) -> list[str]:
    """Breaks the first connection when its server says something; gives what every connection was told to send."""
    sent: list[str] = []

    def handle(socket: WebSocketRoute) -> None:
        first = not sent
        sent.append("")
        server = socket.connect_to_server()
        place = len(sent) - 1

        def from_page(message: str | bytes) -> None:
            sent[place] += f"{message!r}\n"
            server.send(message)

        def from_server(message: str | bytes) -> None:
            if first and after in str(message):
                socket.close(code=1001)
                server.close()
                return
            socket.send(message)

        socket.on_message(from_page)
        server.on_message(from_server)

    page.route_web_socket(f"{url}**", handle)
    return sent
