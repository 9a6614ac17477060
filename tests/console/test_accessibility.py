"""Tests of every panel for people who use a keyboard, a screen reader or a phone. The stack is a fake local one, so
that the parts for the local platform are shown too.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import ConsoleWindow
from tests.console.fake_stack import FRONTEND, OpenPanel, run_script

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
PANELS = ("files", "captions", "lectures", "episodes", "meetings")
NAMED_ROLES = (
    *("button", "checkbox", "combobox", "DisclosureTriangle", "link", "list", "meter", "progressbar", "region"),
    *("searchbox", "slider", "spinbutton", "tab", "tabpanel", "textbox", "Audio", "Video"),
)
"""Roles of the accessibility tree whose nodes need a name. Lists need one, because the page has several."""
MIN_OUTLINE_PIXELS = 2
NUMBER_CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((node) => node.checkVisibility({ visibilityProperty: true }) && !node.disabled && (node.tabIndex >= 0 || node.role !== "tab"))
  .map((node) => (node.tabNumber ??= (window.tabCount = (window.tabCount ?? 0) + 1)))"""
"""Number all elements that the keyboard must reach, and return the numbers in document order. Of the tabs, it reaches only
the selected one, and the arrow keys select others.
"""
DESCRIBE_FOCUSED_ELEMENT = """() => {
  const node = document.activeElement;
  if (node === document.body) return null;
  const shown = node.classList.contains("unseen") ? node.previousElementSibling : node;
  const { outlineStyle, outlineWidth } = getComputedStyle(shown);
  const { width, height } = shown.getBoundingClientRect();
  const outline = outlineStyle === "none" ? 0 : parseFloat(outlineWidth);
  return { number: node.tabNumber, html: node.outerHTML.slice(0, 120), outline, width, height };
}"""
"""Return number, HTML, outline and size of the focused element. The label of a file input shows its focus."""

FIND_TOO_SMALL = """() => [...document.querySelectorAll("button, .button, select, input:not(.unseen)")]
  .filter((node) => node.checkVisibility() && !node.classList.contains("mark") && node.type !== "checkbox")
  .filter((node) => { const { width, height } = node.getBoundingClientRect(); return Math.min(width, height) < 24; })
  .map((node) => node.outerHTML)"""
"""Find controls below 24 pixels, the minimum of WCAG 2.2 AA. Marks of a timeline are exempt: their width shows a
duration, and the list below has the same entries.
"""


@pytest.fixture(scope="module")
def page(open_panel: OpenPanel) -> Iterator[Page]:
    """Page of a fake local stack, which the tests of all panels share."""
    with open_panel("files", local=True) as window:
        yield window.page


def select_panel(page: Page, panel: str) -> None:
    """Select a panel by its fragment, which leaves the keyboard focus where it is."""
    page.evaluate("(panel) => { location.hash = panel; }", panel)
    expect(page.locator(f"#panel-{panel}")).to_be_visible()


@pytest.mark.parametrize("panel", PANELS)
def test_the_keyboard_reaches_every_control_in_order_with_a_visible_focus(page: Page, panel: str) -> None:
    select_panel(page, panel)
    page.evaluate('for (const details of document.querySelectorAll("details")) details.open = true;')
    expected = page.evaluate(NUMBER_CONTROLS)
    reached: list[int] = []
    page.keyboard.press("Tab")
    while (focused := page.evaluate(DESCRIBE_FOCUSED_ELEMENT)) and len(reached) <= len(expected):
        assert focused["outline"] >= MIN_OUTLINE_PIXELS, f"the focus is invisible on {focused['html']}"
        assert min(focused["width"], focused["height"]) > 1, f"{focused['html']} is invisible"
        if reached[-1:] != [focused["number"]]:  # A date field has a tab stop for each of its parts.
            reached.append(focused["number"])
        page.keyboard.press("Tab")
    assert len(expected) > len(PANELS)
    assert reached == expected, "the tab order must be the order of the document"


def test_arrow_keys_select_the_tabs(page: Page) -> None:
    select_panel(page, "files")
    page.get_by_role("tab", name="Files").focus()
    for key, name in [("ArrowRight", "Captions"), ("End", "Meetings"), ("ArrowRight", "Files")]:
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()


def test_screen_readers_announce_every_error_and_state(page: Page) -> None:
    select_panel(page, "meetings")
    error = page.locator("#meetings-problem")
    expect(error).to_contain_text("No answer from 127.0.0.1:9. The local platform has probably stopped")
    expect(error).to_have_role("alert")
    unannounced_errors = page.locator(".problem:not([role='alert'])")
    assert [node.get_attribute("id") for node in unannounced_errors.all()] == []
    for state in ("captions-state", "lectures-state", "episodes-status", "meetings-status", "files-flushed"):
        assert page.locator(f"#{state}").get_attribute("role") == "status"
    assert page.locator("#spoken").get_attribute("aria-live") == "polite"


def test_the_local_platform_is_explained_and_offers_samples(page: Page) -> None:
    expect(page.get_by_text("it understands English speech")).to_be_visible()
    page.locator("details.local").evaluate("(details) => { details.open = true; }")
    expect(page.get_by_text("A small speech model on this machine")).to_be_visible()
    for panel in PANELS:
        select_panel(page, panel)
        expect(page.get_by_role("button", name=re.compile("^Try the sample"))).to_have_count(1)


def test_a_stack_on_aws_offers_no_samples_and_reports_a_disabled_backend(open_panel: OpenPanel) -> None:
    frontend = {name: value for name, value in FRONTEND.to_output().items() if name != "meetings"}
    with open_panel(
        "meetings", set_up=lambda page: page.route("**/frontend.json", lambda route: route.fulfill(json=frontend))
    ) as window:
        expect(window.page.get_by_role("tabpanel")).to_contain_text("Meetings is disabled in this stack.")
        expect(window.page.locator("#meetings-title")).to_be_hidden()
        window.select_tab("Captions")
        expect(window.page.get_by_text("it understands English speech")).to_be_hidden()
        expect(window.page.get_by_role("button", name=re.compile("^Try the sample"))).to_have_count(0)


@pytest.fixture(scope="module")
def full_page(page: Page) -> Page:
    """The page with its hidden parts too, such as lists and players, but without the notes on disabled backends.

    No test above may use it, because it is the shared page.
    """
    page.evaluate("""() => {
      for (const details of document.querySelectorAll("details")) details.open = true;
      for (const node of document.querySelectorAll("[role='tabpanel'] [hidden]")) node.hidden = node.classList.contains("off");
    }""")
    return page


@pytest.mark.parametrize("panel", PANELS)
def test_every_control_has_a_name_in_the_accessibility_tree(full_page: Page, panel: str) -> None:
    select_panel(full_page, panel)
    session = full_page.context.new_cdp_session(full_page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    shown = [node for node in nodes if not node["ignored"] and node["role"]["value"] in NAMED_ROLES]
    # Chromium's own parts of a field, such as the digits of a date, belong to a named field.
    unnamed = [node for node in shown if not node.get("name", {}).get("value") and "backendDOMNodeId" in node]
    assert len(shown) > len(PANELS)
    assert [(node["role"]["value"], node["backendDOMNodeId"]) for node in unnamed] == []


@pytest.mark.parametrize("panel", PANELS)
def test_no_panel_scrolls_sideways_or_has_controls_that_are_too_small(full_page: Page, panel: str) -> None:
    select_panel(full_page, panel)
    for width in (320, 390, 1280):
        full_page.set_viewport_size({"width": width, "height": 844})
        assert full_page.evaluate("document.documentElement.scrollWidth") <= width
    assert full_page.evaluate(FIND_TOO_SMALL) == []


DRAW_TIMELINE = """
const node = module.timeline(input, ["Claims", "Clips"], () => {});
document.getElementById("main").append(node);
const boxOf = (element) => { const { left, top, right, bottom } = element.getBoundingClientRect(); return [left, top, right, bottom]; };
const row = node.querySelector(".track");
const boxes = [boxOf(row), ...[...row.children].map(boxOf)];
node.remove();
return boxes;
"""
"""Draw a timeline with rows for claims and clips. Return the box of the first row, and the boxes of its marks."""


def test_marks_of_a_timeline_do_not_overlap(window: ConsoleWindow) -> None:
    spans_in_seconds = [(0, 9), (5, 8), (5, 8), (60, 60), (61, 61), (99, 100), (100, 100)]
    fields = {"row": 0, "kind": "good", "label": "a"}
    claims = [{"startMs": 1000 * start, "endMs": 1000 * end, **fields} for start, end in spans_in_seconds]
    (_, row_top, _, row_bottom), *claim_marks = run_script(window, "timeline", DRAW_TIMELINE, claims)
    assert len(claim_marks) == len(claims)
    for index, (left, top, right, bottom) in enumerate(claim_marks):
        assert row_top <= top < bottom <= row_bottom, "a mark must be inside its row"
        for other_left, other_top, other_right, other_bottom in claim_marks[:index]:
            is_beside = left >= other_right - 0.5 or other_left >= right - 0.5  # tolerates rounding
            assert is_beside or top >= other_bottom or other_top >= bottom
