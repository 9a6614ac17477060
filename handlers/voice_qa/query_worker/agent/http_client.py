"""An agent that is an HTTP service, in a private network or behind TLS.

It decides where a question goes and what the service's refusals mean. The service's address is the deployment's: checked
in its settings and once more here, and never changed by an answer.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from handlers.common.aws.retry import Timing
from handlers.voice_qa.environment import parse_endpoint
from handlers.voice_qa.query_worker.agent.agent_protocol import ACCEPTED, CONTENT_TYPE, request_body
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentQuestion
from handlers.voice_qa.query_worker.agent.http_connection import HttpRequest
from handlers.voice_qa.query_worker.agent.streamed_answer import (
    AnswerLimits,
    ResponseVerdict,
    StreamedAnswer,
    start_answer,
)

PATH = "/answer"
_PORTS = {"http": 80, "https": 443}
_BUSY = ResponseVerdict(AgentCode.UNAVAILABLE, passes=True)
_CLOSED = ResponseVerdict(AgentCode.REFUSED)
_VERDICTS: Mapping[int, ResponseVerdict] = {
    HTTPStatus.UNAUTHORIZED: _CLOSED,
    HTTPStatus.FORBIDDEN: _CLOSED,
    HTTPStatus.NOT_FOUND: _CLOSED,
    HTTPStatus.METHOD_NOT_ALLOWED: _CLOSED,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: _CLOSED,
    HTTPStatus.TOO_MANY_REQUESTS: ResponseVerdict(AgentCode.THROTTLED, passes=True),
    HTTPStatus.BAD_GATEWAY: _BUSY,
    HTTPStatus.SERVICE_UNAVAILABLE: _BUSY,
    HTTPStatus.GATEWAY_TIMEOUT: _BUSY,
}


@dataclass(frozen=True)
class AgentAddress:
    """Where a service is."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    path: str
    """Without a slash at its end."""

    @property
    def authority(self) -> str:
        """Host and port as signatures and HTTP have them: the usual port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["http" if self.tls is None else "https"] else f"{host}:{self.port}"

    @classmethod
    def of(cls, endpoint: str, tls: ssl.SSLContext | None = None) -> Self:
        """The address that an endpoint names; raises ValueError. `tls` is used instead of what is usual."""
        parts = parse_endpoint(endpoint)
        context = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        return cls(parts.hostname or "", parts.port or _PORTS[parts.scheme], context, parts.path.rstrip("/"))


class HttpAgent:
    """Asks a service."""

    def __init__(
        self, endpoint: str, limits: AnswerLimits, timing: Timing | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = AgentAddress.of(endpoint, tls)
        self._limits = limits
        self._timing = timing or Timing()

    def answer(self, question: AgentQuestion) -> StreamedAnswer:
        """Asks, and waits until the answer begins; raises AgentFailed if it does not."""
        address = self._address
        headers = {"Host": address.authority, "Content-Type": CONTENT_TYPE, "Accept": ACCEPTED}
        target, body = address.path + PATH, request_body(question)
        request = HttpRequest(address.host, address.port, address.tls, target, headers, body)
        return start_answer(lambda: request, _VERDICTS, question.lecture.duration_ms, self._limits, self._timing)
