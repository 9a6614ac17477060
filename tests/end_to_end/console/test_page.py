"""The page as a whole: keys, names and sizes, with what the tests of the panels have left in them; and whom it asked."""

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import DESKTOP, PHONE, Visit, foreign, visit
from tests.end_to_end.conftest import Platform
from tests.end_to_end.console.page_visitor import MARKS, panel

pytestmark = MARKS


PANELS = ("Files", "Captions", "Lectures", "Episodes", "Meetings")


WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML)"""


SMALL = """() => [...document.querySelectorAll("button, .button, select, input:not(.unseen)")]
  .filter((one) => one.checkVisibility() && !one.classList.contains("mark") && one.type !== "checkbox")
  .filter((one) => { const box = one.getBoundingClientRect(); return box.width < 24 || box.height < 24; })
  .map((one) => one.outerHTML)"""
"""WCAG 2.2 AA asks for 24 pixels, but for marks of a timeline, whose size says something and whose list is below."""


NAMELESS = """() => [...document.querySelectorAll("button, input, select, textarea, audio, video, meter, progress")]
  .filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim()))
  .map((one) => one.outerHTML)"""


def test_tabs_are_used_by_keys_alone(started: Browser, url: str) -> None:
    with visit(started, url) as other:
        other.open()
        page = other.page
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the panel")).to_be_focused()
        page.keyboard.press("Tab")
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
        assert other.complaints == []


def test_a_backend_that_is_off_is_said_to_be(started: Browser, url: str) -> None:
    def without(route: Route) -> None:
        known = route.fetch().json()
        del known["meetings"], known["voiceQa"]
        route.fulfill(json=known)

    with visit(started, url) as other:
        other.page.route("**/frontend.json", without)
        other.open("meetings")
        expect(other.page.get_by_role("tabpanel")).to_contain_text("Meetings is disabled in this stack.")
        expect(panel(other.page, "Meetings").get_by_label("Title")).to_be_hidden()
        other.tab("Lectures")
        expect(other.page.get_by_role("tabpanel")).to_contain_text("Voice Q&A is disabled in this stack.")
        other.tab("Files")
        expect(other.page.get_by_text("or drop them here")).to_be_visible()
        assert other.complaints == []


def test_every_panel_fits_a_phone(visitor: Visit, page: Page) -> None:
    """With what the tests before have left in them."""
    visitor.resize(PHONE)
    for name in PANELS:
        visitor.tab(name)
        assert page.evaluate(WIDE) == [], f"{name} scrolls sideways"
        small = page.evaluate(SMALL)
        assert small == [], f"{name} has targets that a finger misses"
    visitor.resize(DESKTOP)


def test_every_control_has_a_name(visitor: Visit, page: Page) -> None:
    assert page.evaluate(NAMELESS) == []


def test_nobody_but_this_stack_was_asked(visitor: Visit, page: Page, platform: Platform) -> None:
    endpoint = platform.emulator.endpoint
    login = platform.emulator.services["JWKS_URL"].partition("/.well-known")[0]
    own = {visitor.url.rstrip("/"), endpoint, endpoint.replace("http", "ws", 1), login}
    assert foreign(visitor.asked, own) == []
    assert visitor.asked > {endpoint, login}
