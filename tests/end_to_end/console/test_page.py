"""Tests of the page as a whole: keyboard control, accessible names, sizes, and contacted hosts.

Tests with the shared window check the content that the tests of the panels added to it.
"""

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import DESKTOP, PHONE, ConsoleWindow, find_foreign_hosts, open_window
from tests.end_to_end.conftest import Platform
from tests.end_to_end.console.harness import MARKS, find_panel

pytestmark = MARKS
PANELS = ("Files", "Captions", "Lectures", "Episodes", "Meetings")
FIND_TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > innerWidth).map((element) => element.outerHTML)"""
FIND_TOO_SMALL = """() => [...document.querySelectorAll("button, .button, select, input:not(.unseen)")]
  .filter((element) => element.checkVisibility() && !element.classList.contains("mark") && element.type !== "checkbox")
  .filter((element) => { const box = element.getBoundingClientRect(); return box.width < 24 || box.height < 24; })
  .map((element) => element.outerHTML)"""
"""Find controls below 24 pixels, the minimum of WCAG 2.2 AA. Marks of a timeline are exempt: their width shows a
duration, and the list below has the same entries.
"""
FIND_UNNAMED = """() => [...document.querySelectorAll("button, input, select, textarea, audio, video, meter, progress")]
  .filter((element) => !(element.labels?.length || element.getAttribute("aria-label") || element.textContent.trim()))
  .map((element) => element.outerHTML)"""


def test_tabs_can_be_used_with_the_keyboard(chromium: Browser, console_url: str) -> None:
    with open_window(chromium, console_url) as window:
        window.open()
        page = window.page
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the panel")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.get_by_text("it understands English speech")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("tab", name="Files")).to_be_focused()
        for key, name in [
            ("ArrowRight", "Captions"),
            ("ArrowDown", "Lectures"),
            ("End", "Meetings"),
            ("ArrowRight", "Files"),
        ]:
            page.keyboard.press(key)
            tab = page.get_by_role("tab", name=name)
            expect(tab).to_be_focused()
            expect(tab).to_have_attribute("aria-selected", "true")
            expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
            assert page.get_by_role("tabpanel").count() == 1
        page.keyboard.press("Tab")
        expect(page.get_by_role("tabpanel", name="Files")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_label("Choose files")).to_be_focused()
        assert window.browser_messages == []


def test_a_disabled_backend_is_reported_in_its_panel(chromium: Browser, console_url: str) -> None:
    def remove_backends(route: Route) -> None:
        frontend = route.fetch().json()
        del frontend["meetings"], frontend["voiceQa"]
        route.fulfill(json=frontend)

    with open_window(chromium, console_url) as window:
        window.page.route("**/frontend.json", remove_backends)
        window.open("meetings")
        expect(window.page.get_by_role("tabpanel")).to_contain_text("Meetings is disabled in this stack.")
        expect(find_panel(window.page, "Meetings").get_by_label("Title")).to_be_hidden()
        window.select_tab("Lectures")
        expect(window.page.get_by_role("tabpanel")).to_contain_text("Voice Q&A is disabled in this stack.")
        window.select_tab("Files")
        expect(window.page.get_by_text("or drop them here")).to_be_visible()
        assert window.browser_messages == []


def test_every_panel_fits_a_phone(window: ConsoleWindow, page: Page) -> None:
    window.resize(PHONE)
    for name in PANELS:
        window.select_tab(name)
        assert page.evaluate(FIND_TOO_WIDE) == [], f"the panel {name} scrolls sideways"
        assert page.evaluate(FIND_TOO_SMALL) == [], f"the panel {name} has controls that are too small for a finger"
    window.resize(DESKTOP)


def test_every_control_has_a_name(window: ConsoleWindow, page: Page) -> None:
    assert page.evaluate(FIND_UNNAMED) == []


def test_the_page_contacts_only_the_hosts_of_its_stack(window: ConsoleWindow, page: Page, platform: Platform) -> None:
    endpoint = platform.emulator.endpoint
    login = platform.emulator.services["JWKS_URL"].partition("/.well-known")[0]
    own_hosts = {window.url.rstrip("/"), endpoint, endpoint.replace("http", "ws", 1), login}
    assert find_foreign_hosts(window.requested_hosts, own_hosts) == []
    assert window.requested_hosts > {endpoint, login}
