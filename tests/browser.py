"""Chromium for tests of the console. It is found by its usual names, never downloaded, and uses loopback only.

Its microphone plays a file in a loop. Console messages and requested hosts are recorded, so that tests can check them.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, WebSocket, sync_playwright

from local.audio_formats import encode_audio
from local.flows.speech_clips import PAUSE_SECONDS, join_clips

NAMES: Final = (
    *("chromium-headless-shell", "chrome-headless-shell"),
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"),
)
"""Names of browsers in order of preference. The headless shell is first, because it takes half of the processor time.
"""
FLAGS: Final = (
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--no-proxy-server"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
SAMPLE_RATE: Final = 16_000
TIMEOUT_MS: Final = 60_000
DESKTOP: Final = (1280, 860)
PHONE: Final = (360, 740)


def find_browser() -> str:
    """Return the path of a browser. Skip the test if there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser found with a name of {', '.join(NAMES)}, so the console is not tested in a browser")
    return path


@contextmanager
def launch_browser(microphone_file: Path) -> Iterator[Browser]:
    """Start a browser. Its microphone plays the file in a loop."""
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone_file}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    browser = find_browser()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser, args=flags)
        try:
            yield launched
        finally:
            launched.close()


def write_speech(path: Path, *clips: str, pause_seconds: float = PAUSE_SECONDS) -> Path:
    """Write a WAV file in which clips are spoken, with a pause after each."""
    path.write_bytes(encode_audio(join_clips(*clips, pause_seconds=pause_seconds), "wav"))
    return path


@dataclass
class ConsoleWindow:
    """Browser window that shows the console."""

    page: Page
    url: str
    browser_messages: list[str] = field(default_factory=list)
    """Errors and warnings of the browser's console, and uncaught exceptions."""
    requested_hosts: set[str] = field(default_factory=set)
    """Scheme and host of all requests, without those for URLs that the page itself created."""

    def open(self, panel: str = "files") -> None:
        """Open the page at a panel, and wait until it has loaded the stack's outputs."""
        self.page.goto(f"{self.url}#{panel}")
        self.page.locator("html[data-ready]").wait_for()

    def select_tab(self, name: str) -> None:
        """Click on the tab of a panel."""
        self.page.get_by_role("tab", name=name).click()

    def resize(self, size: tuple[int, int]) -> None:
        """Resize the window."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """Return the result of a script in the page."""
        return self.page.evaluate(script, argument)


@contextmanager
def open_window(browser: Browser, url: str, **context_options: Any) -> Iterator[ConsoleWindow]:
    """Open a new window that permits the use of the microphone."""
    context = browser.new_context(
        viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
        locale="en-GB",
        timezone_id="UTC",
        permissions=["microphone"],
        **context_options,
    )
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    opened = ConsoleWindow(page, url)

    def record_message(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            opened.browser_messages.append(message.text)

    page.on("console", record_message)
    page.on("pageerror", lambda error: opened.browser_messages.append(str(error)))

    def record_host(request: Request | WebSocket) -> None:
        if not request.url.startswith(("blob:", "data:")):
            opened.requested_hosts.add("/".join(request.url.split("/", 3)[:3]))

    page.on("request", record_host)
    page.on("websocket", record_host)
    try:
        yield opened
    finally:
        context.close()
