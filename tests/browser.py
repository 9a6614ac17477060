"""A real Chromium, if there is one: found by its usual names, never downloaded, and speaking with this machine alone.

Its microphone hears a file, over and over. What a page complains of, and whom it asks, is kept: tests look at the end.
"""

import os
import shutil
import wave
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from local.emulation.speech import tone_words

NAMES: Final = (
    *("chromium-headless-shell", "chrome-headless-shell"),
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"),
)
"""The shell first: the same engine without a desktop's windows, for half of the processor time."""
FLAGS: Final = (
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--no-proxy-server"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
    "--autoplay-policy=no-user-gesture-required",
)
SAMPLE_RATE: Final = 16_000
PATIENCE_MS: Final = 20_000
DESKTOP: Final = (1280, 860)
PHONE: Final = (360, 740)


def found() -> str:
    """Where a browser is; skips the test where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser is found as any of {', '.join(NAMES)}: the console is not tried in one")
    return path


@contextmanager
def browser(heard: Path | None = None) -> Iterator[Browser]:
    """A browser; its microphone hears the file."""
    path = found()
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    if heard is not None:
        flags.append(f"--use-file-for-fake-audio-capture={heard}")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield made
        finally:
            made.close()


def spoken(path: Path, words: str) -> Path:
    """A recording of words, which are tones."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(tone_words.speech(words.split(), SAMPLE_RATE) + tone_words.silence(0.6, SAMPLE_RATE))
    return path


@dataclass
class Visit:
    """A page that somebody looks at."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the browser's console, and exceptions that nobody caught."""
    asked: set[str] = field(default_factory=set)
    """Whom it asked: scheme and host."""

    def open(self, panel: str = "files") -> None:
        """Opens the page at a panel, and waits until it knows its stack."""
        self.page.goto(f"{self.url}#{panel}")
        self.page.locator("html[data-ready]").wait_for()

    def tab(self, name: str) -> None:
        """Goes to a panel by a click."""
        self.page.get_by_role("tab", name=name).click()

    def resize(self, size: tuple[int, int]) -> None:
        """Gives the window another size."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """What a script in the page gives."""
        return self.page.evaluate(script, argument)


@contextmanager
def visit(browser: Browser, url: str, size: tuple[int, int] = DESKTOP, **how: Any) -> Iterator[Visit]:
    """A visitor with a window of its own, who lets the page use the microphone."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        locale="en-GB",
        timezone_id="UTC",
        permissions=["microphone"],
        **how,
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    made = Visit(page, url)

    def complains(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            made.complaints.append(message.text)

    page.on("console", complains)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.on("request", lambda request: made.asked.add(_host(request.url)))
    page.on("websocket", lambda socket: made.asked.add(_host(socket.url)))
    try:
        yield made
    finally:
        context.close()


def _host(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def foreign(asked: Iterable[str], own: Iterable[str]) -> list[str]:
    """Those who were asked and are not one's own; what is made in the page itself is nobody's."""
    return sorted(item for item in asked if not item.startswith(("blob:", "data:")) and item not in set(own))
