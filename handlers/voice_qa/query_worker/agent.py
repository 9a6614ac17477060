"""Client of the agent, the external service that answers questions: an HTTP service, or Bedrock AgentCore Runtime.

`agent_protocol` defines the body of the request and the lines of the response. A request is repeated up to three times if
no connection is established, or if the status means a transient failure. It is not repeated after any other failure,
because the agent may already be answering. Redirects, compressed responses and the proxy settings of the environment are
not supported. No exception contains a URL or anything that the agent sent.

boto3 is not used for AgentCore, because its body reader fills a buffer of one kilobyte before it returns a line, which
would delay the words of an answer.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Self
from urllib.parse import quote, urlencode

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError, SSLError

from handlers.voice_qa.environment import AgentCode
from handlers.voice_qa.messages import Piece
from handlers.voice_qa.query_worker.agent_protocol import AgentFailed, AgentQuestion, read_pieces

MAX_LINE_BYTES = 120_000
"""Maximum size of a line. The message to the client with its content is hardly longer. API Gateway allows 128 KB."""
MAX_ANSWER_BYTES = 24 * 1024 * 1024
"""Maximum size of a response. The worker keeps the answer in memory until it has ended."""
CONNECT_SECONDS = 2
SILENCE_SECONDS = 20
"""Maximum time in which nothing of the response arrives."""
MAX_RETRIES = 3
MAX_PAUSE_SECONDS = 10
"""Maximum pause before a retry, if the agent asks for a pause with the header `Retry-After`."""
READ_BYTES = 64 * 1024
"""Maximum size of one read, which returns as soon as some bytes have arrived."""

RETRIED_STATUSES: Mapping[int, AgentCode] = {
    HTTPStatus.PAYMENT_REQUIRED: AgentCode.THROTTLED,  # of AgentCore, for too many sessions at once
    HTTPStatus.TOO_MANY_REQUESTS: AgentCode.THROTTLED,
    HTTPStatus.CONFLICT: AgentCode.UNAVAILABLE,  # of AgentCore, while a session is being started or ended
    HTTPStatus.BAD_GATEWAY: AgentCode.UNAVAILABLE,
    HTTPStatus.SERVICE_UNAVAILABLE: AgentCode.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: AgentCode.UNAVAILABLE,
}
STATUSES: Mapping[int, AgentCode] = {
    **RETRIED_STATUSES,
    HTTPStatus.BAD_REQUEST: AgentCode.REJECTED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: AgentCode.REJECTED,
    HTTPStatus.UNPROCESSABLE_ENTITY: AgentCode.REJECTED,
    HTTPStatus.FAILED_DEPENDENCY: AgentCode.FAILED,  # of AgentCore, if the agent itself failed
}
"""Meanings of statuses. Others mean that the agent failed, from 500 on, or that it answers no question of this stack."""

AGENTCORE = "bedrock-agentcore"
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"

# urllib3 warns with the URL of each request that it repeats.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


HEADERS = {"Content-Type": "application/json", "Accept": "application/jsonl, text/event-stream"}


class Agent:
    """A service that answers questions."""

    def __init__(
        self, url: str, create_headers: Callable[[AgentQuestion, bytes], Mapping[str, str]] = lambda *_: HEADERS
    ) -> None:
        """`create_headers` returns the headers for a question and the body of its request."""
        self._url = url
        self._create_headers = create_headers
        self._pool = urllib3.PoolManager()

    @classmethod
    def at_endpoint(cls, endpoint: str) -> Self:
        """Return an agent that is an HTTP service."""
        return cls(f"{endpoint.rstrip('/')}/answer")

    @classmethod
    def in_agentcore(cls, arn: str, qualifier: str, credentials: Credentials, origin: str | None = None) -> Self:
        """Return an agent in AgentCore Runtime. `origin` replaces the URL of AgentCore in the runtime's region."""
        region = arn.split(":")[3]
        path = f"/runtimes/{quote(arn, safe='')}/invocations?{urlencode({'qualifier': qualifier})}"
        url = (origin or f"https://{AGENTCORE}.{region}.amazonaws.com") + path

        def sign(question: AgentQuestion, body: bytes) -> Mapping[str, str]:
            request = AWSRequest("POST", url, {**HEADERS, SESSION_HEADER: question.session_id}, body)
            # A refresh of the credentials between two reads would mix old and new values, so a frozen copy is used.
            SigV4Auth(credentials.get_frozen_credentials(), AGENTCORE, region).add_auth(request)
            return dict(request.headers)

        return cls(url, sign)

    @contextmanager
    def answer(self, question: AgentQuestion, attempt: int) -> Iterator[Iterator[Piece]]:
        """Send the question, and return the pieces of this attempt's answer as they arrive. Raises AgentFailed.

        Reading the pieces raises AgentFailed too, if the answer is not complete. At the end of the block, the connection
        is closed.
        """
        response = self._send(question)
        try:
            if response.status != HTTPStatus.OK:
                raise AgentFailed(_judge_status(response.status))
            yield read_pieces(_read_lines(response), question.query_id, attempt, question.lecture.duration_ms)
        finally:
            response.close()

    def _send(self, question: AgentQuestion) -> urllib3.BaseHTTPResponse:
        body = question.model_dump_json(by_alias=True).encode()
        try:
            return self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=self._create_headers(question, body),
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS),
                retries=urllib3.Retry(
                    MAX_RETRIES,
                    read=False,
                    allowed_methods=None,
                    status_forcelist=RETRIED_STATUSES,
                    backoff_factor=0.2,
                    raise_on_status=False,
                    retry_after_max=MAX_PAUSE_SECONDS,
                ),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            code = _judge_failure(error.reason if isinstance(error, MaxRetryError) else error)
        raise AgentFailed(code)


def _read_lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    size, rest = 0, b""
    while data := _read_bytes(response):
        size += len(data)
        *lines, rest = (rest + data).split(b"\n")
        if size > MAX_ANSWER_BYTES or max(map(len, (*lines, rest))) > MAX_LINE_BYTES:
            raise AgentFailed(AgentCode.MALFORMED)
        yield from lines


def _read_bytes(response: urllib3.BaseHTTPResponse) -> bytes:
    """Return the bytes of the body that have arrived, or none at its end. Raises AgentFailed."""
    try:
        return response.read1(READ_BYTES)
    except HTTPError as error:
        code = _judge_failure(error)
    raise AgentFailed(code)


def _judge_failure(error: Exception | None) -> AgentCode:
    if isinstance(error, ReadTimeoutError):
        return AgentCode.TOO_SLOW
    return AgentCode.REFUSED if isinstance(error, SSLError) else AgentCode.UNAVAILABLE


def _judge_status(status: int) -> AgentCode:
    others = AgentCode.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else AgentCode.REFUSED
    return STATUSES.get(status, others)
