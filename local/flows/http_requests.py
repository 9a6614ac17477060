"""HTTP requests as a browser page sends them: with a JSON body, with any bytes, or as a form."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """HTTP response, of any status."""

    status: int
    headers: Mapping[str, str]
    """Headers with case-insensitive names."""
    data: bytes

    @property
    def body(self) -> Any:
        """Content of the response, which must be JSON."""
        return json.loads(self.data)


def ask(method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a request with a JSON body, or without a body."""
    content_type = {} if body is None else {"Content-Type": "application/json"}
    return send(method, url, None if body is None else json.dumps(body).encode(), {**content_type, **(headers or {})})


def send(method: str, url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a request with these bytes as body."""
    return _request(method, url, body=data, headers=headers)


def post_form(url: str, fields: Mapping[str, str], data: bytes) -> Answer:
    """Upload a file by a form with these fields, for example a presigned POST of S3."""
    file_name = "a"  # a form must state a name, which S3 ignores
    return _request("POST", url, fields={**fields, "file": (file_name, data)})


def _request(method: str, url: str, **content: Any) -> Answer:
    with urllib3.PoolManager(retries=False, timeout=TIMEOUT_SECONDS) as pool:
        answer = pool.request(method, url, **content)
        return Answer(answer.status, answer.headers, answer.data)
