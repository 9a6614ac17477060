"""Client of an agent that is an HTTP service, for example at a private address.

This module builds the request and maps the service's error statuses to failure codes. `agent_call` sends the request.
The stack settings name the endpoint. Redirects are not followed, so no response can change the endpoint.
"""

import ssl
from collections.abc import Mapping
from http import HTTPStatus

from handlers.voice_qa.query_worker.agent.agent_call import (
    AnswerLimits,
    ResponseVerdict,
    RetryTiming,
    StreamedAnswer,
    start_answer,
)
from handlers.voice_qa.query_worker.agent.agent_protocol import ACCEPTED, CONTENT_TYPE, request_body
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentQuestion
from handlers.voice_qa.query_worker.agent.http_connection import AgentAddress, HttpRequest

PATH = "/answer"
"""Path of the request below the endpoint's own path."""
_BUSY = ResponseVerdict(AgentCode.UNAVAILABLE, retryable=True)
_NO_ACCESS = ResponseVerdict(AgentCode.NO_ACCESS)
# `agent_call` knows the meaning of statuses that are not in this table.
_VERDICTS: Mapping[int, ResponseVerdict] = {
    HTTPStatus.UNAUTHORIZED: _NO_ACCESS,
    HTTPStatus.FORBIDDEN: _NO_ACCESS,
    HTTPStatus.NOT_FOUND: _NO_ACCESS,
    HTTPStatus.METHOD_NOT_ALLOWED: _NO_ACCESS,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: _NO_ACCESS,
    HTTPStatus.TOO_MANY_REQUESTS: ResponseVerdict(AgentCode.THROTTLED, retryable=True),
    HTTPStatus.BAD_GATEWAY: _BUSY,
    HTTPStatus.SERVICE_UNAVAILABLE: _BUSY,
    HTTPStatus.GATEWAY_TIMEOUT: _BUSY,
}


class HttpAgent:
    def __init__(
        self, endpoint: str, limits: AnswerLimits, timing: RetryTiming | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = AgentAddress.from_endpoint(endpoint, tls)
        self._limits = limits
        self._timing = timing or RetryTiming()

    def answer(self, question: AgentQuestion) -> StreamedAnswer:
        address = self._address
        headers = {"Host": address.authority, "Content-Type": CONTENT_TYPE, "Accept": ACCEPTED}
        request = HttpRequest(address, address.path + PATH, headers, request_body(question))
        return start_answer(lambda: request, _VERDICTS, question.lecture.duration_ms, self._limits, self._timing)
