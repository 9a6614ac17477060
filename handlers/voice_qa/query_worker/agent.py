"""Client of the agent, the external service to which the query worker sends questions: over HTTP, or in Bedrock AgentCore.

Request, by `POST <endpoint>/answer` or AgentCore's `InvokeAgentRuntime`: an `AgentQuestion` as JSON. It is repeated up to
three times if no connection is established, or if the status means a transient failure. It is not repeated after any
other failure, because the agent may already be answering. Redirects, compressed responses and the proxy settings of the
environment are not supported.

Response, with status 200: one object per line. A line has at most 120,000 bytes and is ended by a line feed:

- `text` {`text`}: the next part of the answer
- `audio` {`audio` (base64), `format`}: the next part of the spoken answer, all of one format
- `citation` {`startMs`, `endMs`, `quote`}: the section of the lecture that supports the answer
- `transcript` {`text`}: the transcript of the question, which replaces an earlier one
- `done` {}: the answer is complete; nothing after it is read
- `error` {`code`, `retryable`}: there is no complete answer; `code` is `rejected` (the agent does not accept this
  question), `throttled` (too many questions), `unavailable` (for a short time) or `failed` (any other error)

The field `type` names the type of an object. Other types and fields are ignored, so that agents can send more than this
version reads. The lines may also be server-sent events, with `data:` before the object. An object that has no `type`,
but a text in the field `error`, means that the agent failed. The server of AgentCore Runtime sends such an object if
the agent raised an exception.

No exception contains a URL or anything that the agent sent. boto3 is not used for AgentCore, because it would delay the
words of an answer: its body reader fills a buffer of one kilobyte before it returns a line.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlencode

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pydantic import Field, TypeAdapter, ValidationError
from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError, SSLError

from handlers.common.json_models import Message
from handlers.voice_qa.environment import AgentCode
from handlers.voice_qa.messages import (
    PIECES,
    AudioPiece,
    CitationPiece,
    Piece,
    QuestionNotAnswered,
    TextPiece,
    VoiceQaErrorCode,
)

MAX_LINE_BYTES = 120_000
"""Maximum size of a line. The message to the client with its content is hardly longer. API Gateway allows 128 KB."""
MAX_RESPONSE_BYTES = 24 * 1024 * 1024
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

LASTING_FAILURES = frozenset([AgentCode.REFUSED, AgentCode.MALFORMED, AgentCode.REJECTED])
"""Failures after which asking again does not help, unless the agent states that it helps. The worker itself determines
REFUSED (no access to the agent) and MALFORMED (a response that violates this protocol)."""
AGENT_CODES = frozenset([AgentCode.REJECTED, AgentCode.THROTTLED, AgentCode.UNAVAILABLE, AgentCode.FAILED])
"""Failure codes that an agent can send."""
AGENT_MESSAGES = {
    AgentCode.REFUSED: "Questions cannot be answered at the moment.",
    AgentCode.REJECTED: "This question cannot be answered.",
    AgentCode.THROTTLED: "Too many questions are being asked at the moment. Ask again later.",
    AgentCode.UNAVAILABLE: "The answer was interrupted, or the agent is not available at the moment. Ask again.",
    AgentCode.TOO_SLOW: "The answer did not start or end in time. Ask again.",
    AgentCode.MALFORMED: "The answer could not be read.",
    AgentCode.FAILED: "The question could not be answered.",
}
"""Messages for clients by failure of the agent. They contain nothing that the agent sent."""


class AgentFailed(QuestionNotAnswered):
    """The agent has given no complete answer. Pieces that were received remain valid."""

    def __init__(self, cause: AgentCode, *, retryable: bool | None = None) -> None:
        """`retryable` states if asking again may help. If it is None, the cause decides."""
        if retryable is None:
            retryable = cause not in LASTING_FAILURES
        super().__init__(VoiceQaErrorCode.AGENT_FAILED, AGENT_MESSAGES[cause], retryable=retryable, cause=cause)


PrivateText = Annotated[str, Field(repr=False)]
"""Text or URL that must not get into a log by accident."""


class QuestionLecture(Message):
    lecture_id: str
    url: PrivateText
    """Presigned URL with which anyone can fetch the audio."""
    format: str
    """Name of the audio format, such as mp3."""
    duration_ms: int


class SpokenQuery(Message):
    url: PrivateText
    """Presigned URL with which anyone can fetch the audio."""
    format: str
    """Name of the audio format, such as webm."""


class WrittenQuery(Message):
    text: PrivateText


class ContextTurn(Message):
    """An earlier question of the conversation, and its answer."""

    question: PrivateText
    answer: PrivateText


class AgentQuestion(Message):
    """A question with its context, as an agent gets it."""

    schema_version: Literal[1] = 1
    query_id: str
    session_id: str
    """Hash that agents get in place of the conversation's id. Bedrock AgentCore accepts 33 to 256 characters."""
    lecture: QuestionLecture
    query: SpokenQuery | WrittenQuery
    conversation: tuple[ContextTurn, ...]
    language: str


AGENTCORE = "bedrock-agentcore"
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"

# For each request that it repeats, urllib3 would log a warning with the URL.
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
        """Send the question, and return the pieces of the answer as they arrive. Raises AgentFailed.

        Reading the pieces raises AgentFailed too, if the answer is not complete. The pieces carry the number `attempt`. At
        the end of the caller's `with` block, the connection is closed.
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
                    read=False,  # no retry after the request was sent
                    allowed_methods=None,  # retries for POST too
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
            raise AgentFailed(_judge_failure(error.reason if isinstance(error, MaxRetryError) else error)) from None


def _read_lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    size, rest = 0, b""
    try:
        while data := response.read1(READ_BYTES):  # the bytes that have arrived, or none at the end of the body
            size += len(data)
            *lines, rest = (rest + data).split(b"\n")
            if size > MAX_RESPONSE_BYTES or max(map(len, (*lines, rest))) > MAX_LINE_BYTES:
                raise AgentFailed(AgentCode.MALFORMED)
            yield from lines
    except HTTPError as error:
        raise AgentFailed(_judge_failure(error)) from None


def _judge_failure(error: Exception | None) -> AgentCode:
    if isinstance(error, ReadTimeoutError):
        return AgentCode.TOO_SLOW
    return AgentCode.REFUSED if isinstance(error, SSLError) else AgentCode.UNAVAILABLE


def _judge_status(status: int) -> AgentCode:
    others = AgentCode.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else AgentCode.REFUSED
    return STATUSES.get(status, others)


_OBJECT = TypeAdapter(dict[str, Any])
_EVENT_FIELDS = (b":", b"event:", b"id:", b"retry:")
"""Prefixes of those lines of server-sent events that contain no object: comments, and fields other than `data`."""


def read_pieces(lines: Iterable[bytes], query_id: str, attempt: int, duration_ms: int) -> Iterator[Piece]:
    """Yield the numbered pieces of an answer until the line `done`. Raises AgentFailed.

    `duration_ms` is the duration of the lecture. Empty pieces, and citations of a section outside the lecture, are left
    out.
    """
    try:
        yield from _parse_lines(lines, query_id, attempt, duration_ms)
    except ValidationError:  # it may quote the agent
        raise AgentFailed(AgentCode.MALFORMED) from None


def _parse_lines(lines: Iterable[bytes], query_id: str, attempt: int, duration_ms: int) -> Iterator[Piece]:
    count, audio_format = 0, None
    for line in map(bytes.strip, lines):
        if not line or line.startswith(_EVENT_FIELDS):
            continue
        message = _OBJECT.validate_json(line.removeprefix(b"data:"))
        match message.get("type", "error" if isinstance(message.get("error"), str) else None):
            case "text" | "audio" | "citation" | "transcript":
                numbers = {"queryId": query_id, "attempt": attempt, "number": count}
                piece = PIECES.validate_python({**message, **numbers})
                if isinstance(piece, AudioPiece):
                    if audio_format not in {None, piece.format}:
                        raise AgentFailed(AgentCode.MALFORMED)
                    audio_format = piece.format
                if not _is_left_out(piece, duration_ms):
                    count += 1
                    yield piece
            case "done":
                return
            case "error":
                code = next((known for known in AGENT_CODES if known == message.get("code")), AgentCode.FAILED)
                retryable = message.get("retryable")
                raise AgentFailed(code, retryable=retryable if isinstance(retryable, bool) else None)
            case str():
                pass  # a type that this version does not read
            case _:
                raise AgentFailed(AgentCode.MALFORMED)
    raise AgentFailed(AgentCode.UNAVAILABLE)


def _is_left_out(piece: Piece, duration_ms: int) -> bool:
    match piece:
        case TextPiece(text="") | AudioPiece(audio=""):
            return True
        case CitationPiece(start_ms=start, end_ms=end):
            return not 0 <= start < end <= duration_ms
    return False
