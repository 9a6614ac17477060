"""Signing in: what is pasted is the visitor's alone, and no mistake repeats it. In a browser, its network played."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import Visit
from tests.console.fake_page import becomes, played, token
from tests.console.javascript_modules import run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
SECRET = "secret-of-ann"


@pytest.mark.parametrize("before", ["", "Bearer ", "bearer  ", " \n"])
def test_a_token_is_taken_as_people_copy_it(page: Visit, before: str) -> None:
    assert run(page, "visitor", "return it.tokenOf(given);", f"{before}{token('ann')}\n") == token("ann")


@pytest.mark.parametrize("text", [f"token: {SECRET}", f'"{SECRET}"', f"{SECRET} {SECRET}", f"{SECRET}/="])
def test_what_is_no_token_is_refused_without_repeating_it(started: Browser, url: str, text: str) -> None:
    with played(started, url, "captions") as other:
        other.page.locator("#who").click()
        other.page.get_by_label("Token of the identity provider").evaluate("(one, text) => { one.value = text; }", text)
        other.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
        told = other.page.locator("#sign-in-problem")
        expect(told).to_contain_text("This is not a token")
        assert SECRET not in told.inner_text()
        assert other.complaints == []


def test_a_token_of_a_header_signs_in(started: Browser, url: str) -> None:
    with played(started, url, "captions") as other:
        becomes(other.page, f"Bearer {token('ann')}", "ann")


def test_a_connection_that_a_browser_does_not_open_is_told_without_what_was_offered(page: Visit) -> None:
    script = """
    const url = location.href.replace("http", "ws").replace(/#.*/, "");
    const open = it.Socket.open(url, { protocols: [`bearer.${given}`], refused: "Sign in.", onMessage() {} });
    return open.then(() => "open", (problem) => [problem.constructor.name, problem.message, problem.todo]);
    """
    kind, message, todo = run(page, "socket", script, f"{SECRET} {SECRET}")
    assert (kind, todo) == ("Problem", "Sign in.")
    assert SECRET not in message


def test_a_connection_that_the_pages_policy_forbids_is_told(page: Visit) -> None:
    script = """
    const open = it.Socket.open("wss://elsewhere.example.com/", { refused: "Try again.", onMessage() {} });
    const late = new Promise((resolve) => { setTimeout(resolve, 5000, "never told"); });
    return Promise.race([late, open.then(() => "open", (problem) => problem.code)]);
    """
    assert run(page, "socket", script) == "REFUSED"


def test_of_a_mistake_of_the_pages_own_only_its_name_is_shown_and_logged(started: Browser, url: str) -> None:
    script = """
    const node = document.createElement("p");
    it.show(node, new TypeError(given));
    return node.textContent;
    """
    with played(started, url, "captions") as other:
        told = run(other, "problems", script, SECRET)
        assert "TypeError" in told
        assert "Reload the page." in told
        assert SECRET not in told
        assert other.complaints == ["TypeError"]
