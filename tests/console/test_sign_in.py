"""Tests of signing in: accepted forms of a token, and errors of connections, which never contain the token."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import ConsoleWindow
from tests.console.fake_stack import OpenPanel, make_token, run_script

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
SECRET = "secret-of-ann"


@pytest.fixture(scope="module")
def panel(open_panel: OpenPanel) -> Iterator[ConsoleWindow]:
    with open_panel("captions") as window:
        yield window


@pytest.mark.parametrize("prefix", ["", "bearer  ", " \n"])
def test_a_token_is_accepted_with_prefix_and_spaces(window: ConsoleWindow, prefix: str) -> None:
    token = make_token("ann")
    assert run_script(window, "visitor", "return module.parseToken(input);", f"{prefix}{token}\n") == token


def test_an_invalid_token_is_refused_without_showing_it(panel: ConsoleWindow) -> None:
    panel.page.locator("#who").click()
    problem = panel.page.locator("#sign-in-problem")
    for text in (f"token: {SECRET}", f'"{SECRET}"', f"{SECRET} {SECRET}", f"{SECRET}/="):
        problem.evaluate("(node) => { node.textContent = ''; }")
        panel.page.get_by_label("Token of the identity provider").fill(text)
        panel.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
        expect(problem).to_contain_text("This is not a token")
        assert SECRET not in problem.inner_text()
    assert panel.browser_messages == []


OPEN_SOCKET = """
const open = module.Socket.open(input.url, { protocols: input.protocols, refused: "Sign in.", onMessage() {} });
return open.then(() => "open", ({ message, code, todo }) => [message, code, todo]);
"""


def test_a_connection_error_does_not_contain_the_token(window: ConsoleWindow) -> None:
    invalid = {"url": window.url.replace("http", "ws"), "protocols": [f"bearer.{SECRET} {SECRET}"]}
    message, code, todo = run_script(window, "socket", OPEN_SOCKET, invalid)
    assert (code, todo) == ("", "Sign in.")
    assert SECRET not in message


@pytest.mark.parametrize(("is_reachable", "code"), [(True, "REFUSED"), (False, "UNREACHABLE")])
def test_an_unreachable_host_is_not_reported_as_an_invalid_token(
    panel: ConsoleWindow, code: str, *, is_reachable: bool
) -> None:
    """A browser does not report why a WebSocket handshake failed, so the page also sends an HTTP request to the host."""
    respond = (lambda route: route.fulfill(status=403)) if is_reachable else (lambda route: route.abort())
    panel.page.route("http://127.0.0.1:9/", respond)
    _, found_code, advice = run_script(panel, "socket", OPEN_SOCKET, {"url": "ws://127.0.0.1:9/", "protocols": []})
    assert found_code == code
    assert advice == "Sign in." if is_reachable else "make up" in advice


def test_only_the_name_of_an_unexpected_error_is_shown_and_logged(panel: ConsoleWindow) -> None:
    script = """
    const node = document.createElement("p");
    module.showProblem(node, new TypeError(input));
    return node.textContent;
    """
    text = run_script(panel, "problems", script, SECRET)
    assert "TypeError" in text
    assert "Reload the page." in text
    assert SECRET not in text
    assert "TypeError" in panel.browser_messages
    assert SECRET not in str(panel.browser_messages)
