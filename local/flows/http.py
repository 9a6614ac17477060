"""HTTP as a browser's page would speak it: requests with JSON, uploads as forms and as parts."""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What came back, good or bad."""

    status: int
    headers: Mapping[str, str]
    """By lower-case names."""
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
    request = urllib.request.Request(url, data=data, headers=dict(headers or {}), method=method)  # noqa: S310 - ours
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return Answer(answer.status, _lower(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _lower(error.headers), error.read())


def post_form(url: str, fields: Mapping[str, str], data: bytes) -> Answer:
    """An upload as a browser's form does it: the fields, then the file."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode() + data)
    whole = b"".join(parts) + f"\r\n--{boundary}--\r\n".encode()
    return send("POST", url, whole, {"Content-Type": f"multipart/form-data; boundary={boundary}"})


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
