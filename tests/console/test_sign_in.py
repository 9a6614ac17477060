"""Tests of signing in: accepted forms of a token, and errors of connections, which never contain the token."""

import pytest
from playwright.sync_api import expect

from tests.browser import ConsoleWindow
from tests.console.fake_stack import OpenPanel, make_token
from tests.console.javascript_modules import run_script

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
SECRET = "secret-of-ann"


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer  ", " \n"])
def test_a_token_is_accepted_with_prefix_and_spaces(window: ConsoleWindow, prefix: str) -> None:
    token = make_token("ann")
    assert run_script(window, "visitor", "return module.parseToken(input);", f"{prefix}{token}\n") == token


def test_an_invalid_token_is_refused_without_showing_it(open_panel: OpenPanel) -> None:
    with open_panel("captions") as window:
        window.page.locator("#who").click()
        problem = window.page.locator("#sign-in-problem")
        for text in (f"token: {SECRET}", f'"{SECRET}"', f"{SECRET} {SECRET}", f"{SECRET}/="):
            problem.evaluate("(node) => { node.textContent = ''; }")
            window.page.get_by_label("Token of the identity provider").fill(text)
            window.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
            expect(problem).to_contain_text("This is not a token")
            assert SECRET not in problem.inner_text()
        assert window.browser_messages == []


def test_a_connection_error_does_not_contain_the_token(window: ConsoleWindow) -> None:
    script = """
    const url = location.href.replace("http", "ws").replace(/#.*/, "");
    const open = module.Socket.open(url, { protocols: [`bearer.${input}`], refused: "Sign in.", onMessage() {} });
    return open.then(() => "open", (problem) => [problem.constructor.name, problem.message, problem.todo]);
    """
    kind, message, todo = run_script(window, "socket", script, f"{SECRET} {SECRET}")
    assert (kind, todo) == ("Problem", "Sign in.")
    assert SECRET not in message


def test_a_connection_that_the_content_security_policy_blocks_fails_with_an_error(window: ConsoleWindow) -> None:
    script = """
    const open = module.Socket.open("wss://elsewhere.example.com/", { refused: "Try again.", onMessage() {} });
    const timeout = new Promise((resolve) => { setTimeout(resolve, 5000, "no error"); });
    return Promise.race([timeout, open.then(() => "open", (problem) => problem.code)]);
    """
    assert run_script(window, "socket", script) == "UNREACHABLE"


@pytest.mark.parametrize(("is_reachable", "code"), [(True, "REFUSED"), (False, "UNREACHABLE")])
def test_an_unreachable_host_is_not_reported_as_an_invalid_token(
    open_panel: OpenPanel, code: str, *, is_reachable: bool
) -> None:
    """A browser does not report why a WebSocket handshake failed, so the page also sends an HTTP request to the host."""
    script = """async () => {
      const { Socket } = await import("/lib/socket.js");
      const open = Socket.open("ws://127.0.0.1:9/", { refused: "Sign in.", onMessage() {} });
      return open.then(() => [], (problem) => [problem.code, problem.todo]);
    }"""
    with open_panel("captions") as window:
        respond = (lambda route: route.fulfill(status=403)) if is_reachable else (lambda route: route.abort())
        window.page.route("http://127.0.0.1:9/", respond)
        found_code, advice = window.evaluate(script)
    assert found_code == code
    assert advice == "Sign in." if is_reachable else "make up" in advice


def test_only_the_name_of_an_unexpected_error_is_shown_and_logged(open_panel: OpenPanel) -> None:
    script = """
    const node = document.createElement("p");
    module.showProblem(node, new TypeError(input));
    return node.textContent;
    """
    with open_panel("captions") as window:
        text = run_script(window, "problems", script, SECRET)
        assert "TypeError" in text
        assert "Reload the page." in text
        assert SECRET not in text
        assert window.browser_messages == ["TypeError"]
