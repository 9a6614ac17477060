"""Helpers for tests of the console's panels: screenshots and sign-ins.

With `CONSOLE_PICTURES=docs/console` in the environment, the tests also renew the screenshots of the documents.
"""

import os

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import DESKTOP, PHONE, ConsoleWindow

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
