"""Tests of the console's web server."""

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from local import console_ingestion, console_server
from local.emulation.glue import spark_process
from local.flows import sample_files
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
    """Serve the console and return the port. The platform does not run, unless the test uses `runs`."""
    with console_server.create_server(tmp_path, 0) as server, serve_in_thread(server):
        yield server.server_port


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make the platform appear to run."""
    there = Emulator(1, 4566, tmp_path)
    monkeypatch.setattr(Emulator, "services", property(lambda _: {"JWKS_URL": KEYS}))
    monkeypatch.setattr(emulator, "find_running", lambda _: there)
    ids = {"ingestion-lake-bucket": "lake", "ingestion-sweeper-function": "sweeper"}
    platform = {"endpoint": there.endpoint, "outputs": {"frontend": FRONTEND}, "ids": ids}
    monkeypatch.setattr(lifecycle, "find_running_platform", lambda _: platform)


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
    assert body == (console_server.PAGE / "index.html").read_bytes()
    status, headers, _ = asked(port, "/lib/socket.js")
    assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8"), "or no browser runs it"


@pytest.mark.parametrize(
    "path",
    ["/../README.md", "/%2e%2e/README.md", "//etc/passwd", "/vendor/aws4fetch.LICENSE", "/lib/"],
)
def test_other_files_are_not_served(port: int, path: str) -> None:
    status, _, body = asked(port, path)
    assert (status, body) == (404, b"There is no such file.")


PRIVATE = [
    *(("/local.json", "GET"), ("/frontend.json", "GET"), ("/rows.json", "GET"), ("/samples/sentence.wav", "GET")),
    ("/flush", "POST"),
]
"""Requests that only the page itself may send."""


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1:1", ""])
def test_a_request_with_another_host_header_is_rejected(port: int, runs: None, host: str) -> None:
    for path, method in (("/", "GET"), *PRIVATE):
        status, _, body = asked(port, path, {"Host": host}, method)
        assert status == 403
        assert b"test" not in body


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_from_another_website_is_rejected(port: int, runs: None, site: str) -> None:
    for path, method in PRIVATE:
        assert asked(port, path, {"Sec-Fetch-Site": site}, method)[0] == 403
    assert asked(port, "/", {"Sec-Fetch-Site": site})[0] == 200, "it may be linked to"
    assert asked(port, "/local.json", {"Sec-Fetch-Site": "same-origin"})[0] == 200


def test_post_requests_to_other_addresses_are_rejected(port: int) -> None:
    for path in ("/", "/local.json"):
        assert asked(port, path, method="POST")[0] == 405


def test_sample_files_are_served(port: int) -> None:
    status, headers, body = asked(port, "/samples/sentence.wav")
    assert (status, headers["content-type"]) == (200, "audio/wav")
    assert body == sample_files.read_sample("sentence.wav")
    assert asked(port, "/samples/../README.md")[0] == 404


def test_the_samples_of_the_page_exist() -> None:
    panels = "".join(path.read_text() for path in (console_server.PAGE / "panels").glob("*.js"))
    names = re.findall(r'"([a-z0-9-]+\.(?:wav|ogg|srt|mp4|ndjson|ndjson\.gz))"', panels)
    assert len(names) >= 7
    assert set(names) <= set(sample_files.SAMPLES)


def test_the_rows_of_a_file_are_read_by_its_manifest_key_and_version(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_ingestion, "read_file_rows", lambda _, *names: {"rows": [names], "total": 1})
    path = f"/rows.json?{urlencode({'manifest': 'm', 'key': 'incoming/ü b', 'version': 'v'})}"
    assert document(port, path) == {"rows": [["m", "incoming/ü b", "v"]], "total": 1}


def test_rows_that_cannot_be_read_are_an_error(port: int, runs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*_: object) -> None:
        raise spark_process.SparkSessionEnded("a traceback")

    monkeypatch.setattr(spark_process, "spark_environment", lambda *_, **__: {})
    monkeypatch.setattr(spark_process, "SparkChildSession", end)
    status, _, body = asked(port, "/rows.json?manifest=m&key=k&version=v")
    assert status == 503
    assert body == b"The rows cannot be read, because the process that reads them has failed."


def test_waiting_files_are_processed_on_request(port: int, runs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, str]] = []

    def invoke(_: object, function: str, **event: str) -> dict[str, int]:
        calls.append({"function": function, **event})
        return {"manifests": 1, "files": 2, "released": 0}

    monkeypatch.setattr(console_ingestion, "invoke", invoke)
    status, _, body = asked(port, "/flush", {"Sec-Fetch-Site": "same-origin"}, "POST")
    assert (status, json.loads(body)) == (200, {"manifests": 1, "files": 2})
    assert calls == [{"function": "sweeper:live", "kind": "flush"}]


def test_a_failed_sweeper_is_an_error(port: int, runs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_ingestion, "invoke", lambda *_, **__: {"errorType": "KeyError"})
    assert asked(port, "/flush", method="POST")[0] == 503


def test_the_content_security_policy_only_allows_this_stack(port: int, runs: None) -> None:
    _, headers, _ = asked(port, "/")
    rules = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert rules["connect-src"] == "'self' http://127.0.0.1:4566 ws://127.0.0.1:4566 http://127.0.0.1:1234/token"
    assert rules["frame-ancestors"] == "'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_the_page_can_read_the_frontend_output_and_the_local_endpoints(port: int, runs: None) -> None:
    frontend = document(port, "/frontend.json")
    assert frontend["ingestion"]["table"] == "files"
    assert frontend["schemaVersion"] == 1
    assert document(port, "/local.json") == {
        "endpoint": "http://127.0.0.1:4566",
        "login": "http://127.0.0.1:1234/token",
        "subject": "ann",
        "credentials": {"accessKeyId": "test", "secretAccessKey": "test"},
    }


def test_without_a_running_platform_the_response_names_the_command_to_start_one(port: int) -> None:
    for path, method in (("/frontend.json", "GET"), ("/local.json", "GET"), ("/rows.json", "GET"), ("/flush", "POST")):
        status, _, body = asked(port, path, method=method)
        assert status == 503
        assert b"make up" in body


def test_another_port_is_used_if_the_port_is_taken(tmp_path: Path, port: int) -> None:
    with console_server.create_server(tmp_path, port) as other:
        assert other.server_address[1] != port
        assert other.server_address[0] == "127.0.0.1"


def test_the_command_ends_on_ctrl_c(
    runs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
    assert console_server.command(tmp_path) == 0
    assert "The console is at http://127.0.0.1:" in capsys.readouterr().out
