"""Fixtures for tests of the console's modules and panels. The whole package shares one browser."""

from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, expect

from local import LOOPBACK, console_server
from local.http_server import serve_in_thread
from tests.browser import TIMEOUT_MS, ConsoleWindow, launch_browser, open_window, write_speech
from tests.console import fake_stack

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser whose microphone plays speech."""
    speech = write_speech(tmp_path_factory.mktemp("microphone") / "microphone.wav", "slowly")
    with launch_browser(speech) as browser:
        yield browser


@pytest.fixture(scope="package")
def console_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the console without a local platform and return its URL."""
    with console_server.create_server(tmp_path_factory.mktemp("no-platform"), 0) as server, serve_in_thread(server):
        yield f"http://{LOOPBACK}:{server.server_port}/"


@pytest.fixture(scope="package")
def window(chromium: Browser, console_url: str) -> Iterator[ConsoleWindow]:
    """Open the console. It shows an error, because it has no stack, but its modules can be imported."""
    with open_window(chromium, console_url) as opened:
        opened.open()
        yield opened


@pytest.fixture(scope="package")
def open_panel(chromium: Browser, console_url: str) -> fake_stack.OpenPanel:
    """Return the function that opens a panel of the fake stack in a new window."""
    return partial(fake_stack.open_panel, chromium, console_url)
