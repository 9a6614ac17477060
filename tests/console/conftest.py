"""What tests of the console's modules and panels act on: made once for all of them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from local import LOOPBACK, console
from local.http_server import serve_in_thread
from tests.browser import PATIENCE_MS, Visit, browser, spoken, visit

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone hears words."""
    with browser(spoken(tmp_path_factory.mktemp("microphone") / "heard.wav", "tones and captions .")) as made:
        yield made


@pytest.fixture(scope="package")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A console without a platform."""
    with console.create_server(tmp_path_factory.mktemp("nothing"), 0) as server, serve_in_thread(server):
        yield f"http://{LOOPBACK}:{server.server_port}/"


@pytest.fixture(scope="package")
def page(started: Browser, url: str) -> Iterator[Visit]:
    """Its page: the modules are there all the same."""
    with visit(started, url) as made:
        made.open()
        yield made
