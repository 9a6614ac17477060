"""The console's server: the page's files and what this machine knows, for its own page alone."""

import http.client
import json
from collections.abc import Iterator, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local import console
from local.http_server import serve_in_thread
from local.platform import emulator, lifecycle
from local.platform.emulator import Emulator

KEYS = "http://127.0.0.1:1234/.well-known/jwks.json"
FRONTEND = {
    "schemaVersion": 1,
    "environment": "local",
    "region": "us-east-1",
    "ingestion": {
        "bucket": "landing",
        "prefix": "incoming/",
        "table": "files",
        "suffixes": [".ndjson"],
        "maxFileBytes": 5,
    },
}


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of a server whose platform does not run, unless the test has it run."""
    with console.listening(tmp_path, 0) as server, serve_in_thread(server):
        yield server.server_port


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A platform that is said to run."""
    there = Emulator(1, 4566, tmp_path)
    monkeypatch.setattr(Emulator, "services", property(lambda _: {"JWKS_URL": KEYS}))
    monkeypatch.setattr(emulator, "find_running", lambda _: there)
    monkeypatch.setattr(lifecycle, "find_running_platform", lambda _: {"outputs": {"frontend": FRONTEND}})


def asked(
    port: int, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    finally:
        connection.close()


def document(port: int, path: str) -> Any:
    status, headers, body = asked(port, path)
    assert (status, headers["content-type"]) == (200, "application/json")
    return json.loads(body)


def test_the_page_is_served_with_its_modules(port: int) -> None:
    status, headers, body = asked(port, "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert body == (console.PAGE / "index.html").read_bytes()
    status, headers, _ = asked(port, "/lib/socket.js")
    assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8"), "or no browser runs it"


@pytest.mark.parametrize(
    "path",
    ["/../README.md", "/%2e%2e/README.md", "//etc/passwd", "/vendor/aws4fetch.LICENSE", "/lib/"],
)
def test_what_is_not_the_page_is_not_served(port: int, path: str) -> None:
    status, _, body = asked(port, path)
    assert (status, body) == (404, b"there is no such file")


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1:1", ""])
def test_a_page_whose_name_was_made_to_lead_here_gets_nothing(port: int, runs: None, host: str) -> None:
    for path in ("/", "/local.json"):
        status, _, body = asked(port, path, {"Host": host})
        assert status == 403
        assert b"test" not in body


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_of_the_browser_get_nothing(port: int, runs: None, site: str) -> None:
    for path in ("/local.json", "/frontend.json"):
        assert asked(port, path, {"Sec-Fetch-Site": site})[0] == 403
    assert asked(port, "/", {"Sec-Fetch-Site": site})[0] == 200, "it may be linked to"
    assert asked(port, "/local.json", {"Sec-Fetch-Site": "same-origin"})[0] == 200


def test_nothing_may_be_sent_to_it(port: int) -> None:
    assert asked(port, "/", method="POST")[0] == 501


def test_the_page_may_reach_this_stack_and_nothing_else(port: int, runs: None) -> None:
    _, headers, _ = asked(port, "/")
    rules = dict(one.strip().split(" ", 1) for one in headers["content-security-policy"].split(";"))
    assert rules["connect-src"] == "'self' http://127.0.0.1:4566 ws://127.0.0.1:4566 http://127.0.0.1:1234/token"
    assert rules["frame-ancestors"] == "'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_the_page_learns_its_stack_and_where_it_is(port: int, runs: None) -> None:
    known = document(port, "/frontend.json")
    assert known["ingestion"]["table"] == "files"
    assert known["schemaVersion"] == 1
    assert document(port, "/local.json") == {
        "endpoint": "http://127.0.0.1:4566",
        "login": "http://127.0.0.1:1234/token",
        "subject": "ann",
        "credentials": {"accessKeyId": "test", "secretAccessKey": "test"},
    }


def test_without_a_platform_it_says_what_starts_one(port: int) -> None:
    for path in ("/frontend.json", "/local.json"):
        status, _, body = asked(port, path)
        assert status == 503
        assert b"make up" in body


def test_a_port_that_is_taken_is_left_to_who_has_it(tmp_path: Path, port: int) -> None:
    with console.listening(tmp_path, port) as other:
        assert other.server_address[1] != port
        assert other.server_address[0] == "127.0.0.1"


def test_the_command_ends_with_an_interrupt(
    runs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
    assert console.command(tmp_path) == 0
    assert "the console is at http://127.0.0.1:" in capsys.readouterr().out
