"""Fixtures for tests of the console against the local platform. All panels share one window."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from local import LOOPBACK, console_server
from local.http_server import serve_in_thread
from tests.browser import TIMEOUT_MS, ConsoleWindow, launch_browser, open_window, write_speech
from tests.end_to_end.platform_under_test import Platform

MICROPHONE_CLIP = "sugar"
"""Clip that the microphone plays in a loop: a question about the lecture of the flow."""
MICROPHONE_PAUSE_SECONDS = 8
"""Pause before the clip is played again, which is longer than a test records."""


expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="package")
def chromium(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser. The platform starts first, because no other event loop can run in this thread beside a browser."""
    speech = write_speech(
        tmp_path_factory.mktemp("microphone") / "microphone.wav",
        MICROPHONE_CLIP,
        pause_seconds=MICROPHONE_PAUSE_SECONDS,
    )
    with launch_browser(speech) as browser:
        yield browser


@pytest.fixture(scope="package")
def console_url(platform: Platform) -> Iterator[str]:
    """Serve the console for the running platform and return its URL."""
    with console_server.create_server(platform.emulator.folder, 0) as server, serve_in_thread(server):
        yield f"http://{LOOPBACK}:{server.server_port}/"


@pytest.fixture(scope="package")
def window(chromium: Browser, console_url: str) -> Iterator[ConsoleWindow]:
    """Open the console once for all panels, so a test sees what earlier tests left on the page."""
    with open_window(chromium, console_url) as opened:
        opened.open()
        yield opened


@pytest.fixture
def page(window: ConsoleWindow) -> Iterator[Page]:
    """Return the page of the shared window. The test fails if the browser reported an error or warning."""
    del window.browser_messages[:]
    yield window.page
    assert window.browser_messages == []
