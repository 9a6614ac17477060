"""Tests of the web server of `make console`, which serves a page, endpoints, sample files, and rows of ingested files."""

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock
from urllib.parse import urlencode

import pytest

from local import console_ingestion, console_server
from local.emulation.glue import spark_process
from local.flows import sample_files
from local.http_server import serve_in_thread
from local.platform import emulator, lifecycle
from local.platform.emulator import Emulator

JWKS_URL = "http://127.0.0.1:1234/.well-known/jwks.json"
FRONTEND = {"schemaVersion": 1, "environment": "local", "region": "us-east-1"}


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve the console, and return its port. The platform runs only if the test uses `running_platform`."""
    with console_server.create_server(tmp_path, 0) as server, serve_in_thread(server):
        yield server.server_port


@pytest.fixture
def running_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make the platform seem to run."""
    running = Emulator(1, 4566, tmp_path)
    monkeypatch.setattr(Emulator, "services", property(lambda _: {"JWKS_URL": JWKS_URL}))
    monkeypatch.setattr(emulator, "find_running", lambda _: running)
    ids = {"ingestion-lake-bucket": "lake", "ingestion-sweeper-function": "sweeper"}
    platform = {"endpoint": running.endpoint, "outputs": {"frontend": FRONTEND}, "ids": ids}
    monkeypatch.setattr(lifecycle, "find_running_platform", lambda _: platform)


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def send(port: int, path: str, request_headers: Mapping[str, str] | None = None, method: str = "GET") -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=dict(request_headers or {}))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status, headers, response.read())
    finally:
        connection.close()


def get_json(port: int, path: str) -> Any:
    status, headers, body = send(port, path)
    assert (status, headers["content-type"]) == (200, "application/json")
    return json.loads(body)


def test_the_page_and_its_modules_are_served_with_their_content_types(port: int) -> None:
    status, headers, body = send(port, "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert body == (console_server.PAGE / "index.html").read_bytes()
    status, headers, _ = send(port, "/lib/socket.js")
    assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")


@pytest.mark.parametrize(
    "path", ["/../README.md", "/%2e%2e/README.md", "//etc/passwd", "/vendor/aws4fetch.LICENSE", "/lib/"]
)
def test_other_files_are_not_served(port: int, path: str) -> None:
    status, _, body = send(port, path)
    assert (status, body) == (404, b"There is no such file.")


PRIVATE_REQUESTS = [
    *(("/local.json", "GET"), ("/frontend.json", "GET"), ("/rows.json", "GET"), ("/samples/sentence.wav", "GET")),
    ("/flush", "POST"),
]
"""Requests that only the page itself may send."""


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1:1", ""])
def test_a_request_with_another_host_header_is_rejected(port: int, running_platform: None, host: str) -> None:
    for path, method in (("/", "GET"), *PRIVATE_REQUESTS):
        status, _, body = send(port, path, {"Host": host}, method)
        assert status == 403
        assert b"test" not in body, "the response must not contain the emulator's test credentials"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_from_another_website_is_rejected(port: int, running_platform: None, site: str) -> None:
    for path, method in PRIVATE_REQUESTS:
        assert send(port, path, {"Sec-Fetch-Site": site}, method).status == 403
    assert send(port, "/", {"Sec-Fetch-Site": site}).status == 200, "a website may link to the page"
    assert send(port, "/local.json", {"Sec-Fetch-Site": "same-origin"}).status == 200


def test_post_requests_to_other_addresses_are_rejected(port: int) -> None:
    for path in ("/", "/local.json"):
        assert send(port, path, method="POST").status == 405


def test_sample_files_are_served(port: int) -> None:
    status, headers, body = send(port, "/samples/sentence.wav")
    assert (status, headers["content-type"]) == (200, "audio/wav")
    assert body == sample_files.read_sample("sentence.wav")
    assert send(port, "/samples/../README.md").status == 404


def test_every_sample_that_the_page_names_exists() -> None:
    panels = "".join(path.read_text() for path in (console_server.PAGE / "panels").glob("*.js"))
    names = re.findall(r'"([a-z0-9-]+\.(?:wav|ogg|srt|mp4|ndjson|ndjson\.gz))"', panels)
    assert len(names) >= 7
    assert set(names) <= set(sample_files.SAMPLES)


def test_the_rows_of_a_file_are_read_by_its_manifest_key_and_version(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_ingestion, "read_file_rows", lambda _, *names: {"rows": [names], "total": 1})
    path = f"/rows.json?{urlencode({'manifest': 'm', 'key': 'incoming/ü b', 'version': 'v'})}"
    assert get_json(port, path) == {"rows": [["m", "incoming/ü b", "v"]], "total": 1}


def test_the_error_about_rows_that_cannot_be_read_contains_no_traceback(
    port: int, running_platform: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed_start = Mock(side_effect=spark_process.SparkSessionEnded("a traceback"))
    monkeypatch.setattr(spark_process, "spark_environment", lambda *_, **__: {})
    monkeypatch.setattr(spark_process, "start_session", failed_start)
    status, _, body = send(port, "/rows.json?manifest=m&key=k&version=v")
    assert status == 503
    assert body == b"The rows cannot be read, because the process that reads them has failed."


def test_a_flush_request_invokes_the_sweeper_and_returns_its_counts(
    port: int, running_platform: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush makes ingestion process the files that it has collected, without waiting for more."""
    calls: list[dict[str, str]] = []

    def invoke(_: object, function: str, **event: str) -> dict[str, int]:
        calls.append({"function": function, **event})
        return {"manifests": 1, "files": 2, "closed": 0}

    monkeypatch.setattr(console_ingestion, "invoke", invoke)
    status, _, body = send(port, "/flush", {"Sec-Fetch-Site": "same-origin"}, "POST")
    assert (status, json.loads(body)) == (200, {"manifests": 1, "files": 2})
    assert calls == [{"function": "sweeper:live", "kind": "flush"}]


def test_a_flush_request_returns_an_error_if_the_sweeper_fails(
    port: int, running_platform: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_ingestion, "invoke", lambda *_, **__: {"errorType": "KeyError"})
    assert send(port, "/flush", method="POST").status == 503


def test_the_security_headers_allow_connections_only_to_this_platform(port: int, running_platform: None) -> None:
    headers = send(port, "/").headers
    rules = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert rules["connect-src"] == "'self' blob: http://127.0.0.1:4566 ws://127.0.0.1:4566 http://127.0.0.1:1234/token"
    assert rules["frame-ancestors"] == "'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_the_page_can_read_the_frontend_output_and_the_local_endpoints(port: int, running_platform: None) -> None:
    assert get_json(port, "/frontend.json") == FRONTEND
    assert get_json(port, "/local.json") == {
        "endpoint": "http://127.0.0.1:4566",
        "login": "http://127.0.0.1:1234/token",
        "subject": "ann",
        "credentials": {"accessKeyId": "test", "secretAccessKey": "test"},
    }


def test_the_error_without_a_running_platform_names_the_command_that_starts_it(port: int) -> None:
    for path, method in (("/frontend.json", "GET"), ("/local.json", "GET"), ("/rows.json", "GET"), ("/flush", "POST")):
        status, _, body = send(port, path, method=method)
        assert status == 503
        assert b"make up" in body


def test_another_port_is_used_if_the_port_is_taken(tmp_path: Path, port: int) -> None:
    with console_server.create_server(tmp_path, port) as second_server:
        host, second_port = second_server.server_address[:2]
        assert host == "127.0.0.1"
        assert second_port != port


def test_the_command_ends_on_ctrl_c(
    running_platform: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", Mock(side_effect=KeyboardInterrupt))
    assert console_server.command(tmp_path) == 0
    assert "The console is at http://127.0.0.1:" in capsys.readouterr().out
