"""A browser before the local platform, and one visitor for all panels."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from local import LOOPBACK, console
from local.http_server import serve_in_thread
from tests.browser import PATIENCE_MS, Visit, browser, spoken, visit
from tests.end_to_end.conftest import Platform

HEARD = "tones and captions ."
"""What the microphone hears, over and over."""


expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def started(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser, when the platform is up: while one is there, no other event loop runs in this thread."""
    with browser(spoken(tmp_path_factory.mktemp("microphone") / "heard.wav", HEARD)) as made:
        yield made


@pytest.fixture(scope="package")
def url(platform: Platform) -> Iterator[str]:
    with console.create_server(platform.emulator.folder, 0) as server, serve_in_thread(server):
        yield f"http://{LOOPBACK}:{server.server_port}/"


@pytest.fixture(scope="package")
def visitor(started: Browser, url: str) -> Iterator[Visit]:
    """One visitor for all panels: what they did before is still there."""
    with visit(started, url) as made:
        made.open()
        yield made


@pytest.fixture
def page(visitor: Visit) -> Iterator[Page]:
    """The visitor's page; nothing may be complained of in the end."""
    del visitor.complaints[:]
    yield visitor.page
    assert visitor.complaints == []
