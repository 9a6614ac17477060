"""HTTP as a browser's page would speak it: requests with JSON, uploads as forms and as parts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What came back, good or bad."""

    status: int
    headers: Mapping[str, str]
    """By names in any case."""
    data: bytes

    @property
    def body(self) -> Any:
        """Its JSON."""
        return json.loads(self.data)


def ask(method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
    """A request whose body, if it has one, is JSON."""
    told = {} if body is None else {"Content-Type": "application/json"}
    return send(method, url, None if body is None else json.dumps(body).encode(), {**told, **(headers or {})})


def send(method: str, url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """A request with whatever body."""
    return _sent(method, url, body=data, headers=headers)


def post_form(url: str, fields: Mapping[str, str], data: bytes) -> Answer:
    """An upload as a browser's form does it: the fields, then the file."""
    return _sent("POST", url, fields={**fields, "file": ("a", data)})


def _sent(method: str, url: str, **content: Any) -> Answer:
    with urllib3.PoolManager(retries=False, timeout=TIMEOUT_SECONDS) as pool:
        answer = pool.request(method, url, **content)
        return Answer(answer.status, answer.headers, answer.data)
