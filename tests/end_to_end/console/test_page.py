"""Test of the page as a whole: the hosts that all panels together contact."""

from playwright.sync_api import Page

from tests.browser import ConsoleWindow
from tests.end_to_end.console.harness import MARKS
from tests.end_to_end.platform_under_test import Platform

pytestmark = MARKS


def test_the_page_contacts_only_the_hosts_of_its_stack(window: ConsoleWindow, page: Page, platform: Platform) -> None:
    endpoint = platform.emulator.endpoint
    login = platform.emulator.services["JWKS_URL"].partition("/.well-known")[0]
    own_hosts = {window.url.rstrip("/"), endpoint, endpoint.replace("http", "ws", 1), login}
    assert {endpoint, login} < window.requested_hosts <= own_hosts
