"""Client of the agent, the external service that answers questions, against a server on the loopback address.

The server sends fixed bytes to each connection. So the tests show which bytes become which pieces or failure, which
requests are repeated, and that no exception contains a URL, a credential or a text of the agent.
"""

import base64
import contextlib
import gzip
import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Self

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.credentials import Credentials
from werkzeug.serving import make_ssl_devcert

from handlers.voice_qa.environment import AgentCode
from handlers.voice_qa.messages import AnswerAudioFormat, AudioPiece, CitationPiece, Piece, TextPiece, TranscriptPiece
from handlers.voice_qa.query_worker import agent as agent_module
from handlers.voice_qa.query_worker.agent import (
    HEADERS,
    MAX_LINE_BYTES,
    Agent,
    AgentFailed,
    AgentQuestion,
    ContextTurn,
    QuestionLecture,
    WrittenQuery,
    read_pieces,
)

CANARY = "canary-7d1f"
"""Text in URLs, headers and answers, which must not appear in any exception."""
DURATION_MS = 60_000
QUESTION = AgentQuestion(
    query_id="query-01",
    session_id="a1" * 32,
    lecture=QuestionLecture(lecture_id="lecture-1", url=f"http://{CANARY}", format="mp3", duration_ms=DURATION_MS),
    query=WrittenQuery(text=f"What is a {CANARY}?"),
    conversation=(ContextTurn(question="Who speaks?", answer="Nobody."),),
    language="en-US",
)
HELLO: dict[str, Any] = {"type": "text", "text": "Hello."}
DONE: dict[str, Any] = {"type": "done"}


def lines(*messages: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


EMPTY = "Content-Length: 0\r\nConnection: close\r\n"
"""Headers of a response without a body. The server closes each connection, and the client must not try to use it again."""


def response(*body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """Return a response whose body ends with the connection."""
    return f"HTTP/1.1 {status}\r\nX-Agent: {CANARY}\r\n{headers}\r\n".encode() + b"".join(body)


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return response(body, end, headers="Transfer-Encoding: chunked\r\n")


ANSWER = response(lines(HELLO, DONE))
COMMON: dict[str, Any] = {"query_id": "query-01", "attempt": 2}
PIECES: list[Piece] = [TextPiece(**COMMON, number=0, text="Hello.")]


class Server:
    """Server that answers each connection with the next response, and the last response again and again."""

    def __init__(self, *responses: bytes | Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[str, bytes]] = []
        """Headers and body of each request."""
        self._responses, self._tls = responses, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        for number in count():
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            with contextlib.suppress(OSError), contextlib.closing(connection):
                connection.settimeout(20)
                stream = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
                with stream, stream.makefile("rb") as file:
                    head = "".join(iter(lambda: file.readline().decode().replace("\r\n", "\n"), "\n"))
                    length = int(head.lower().partition("content-length: ")[2].partition("\n")[0])
                    self.requests.append((head, file.read(length)))
                    answer = self._responses[min(number, len(self._responses) - 1)]
                    if callable(answer):
                        answer(stream)
                    else:
                        stream.sendall(answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses between the tries, which take no time here."""
    waited: list[float] = []

    def sleep(retry: urllib3.Retry, answer: urllib3.BaseHTTPResponse | None = None) -> None:
        waited.append((retry.get_retry_after(answer) if answer else None) or retry.get_backoff_time())

    monkeypatch.setattr(urllib3.Retry, "sleep", sleep)
    return waited


pytestmark = pytest.mark.usefixtures("pauses")


def ask(endpoint: str) -> list[Piece]:
    with Agent.at_endpoint(endpoint).answer(QUESTION, 2) as pieces:
        return list(pieces)


def failure(endpoint: str) -> AgentFailed:
    """Ask a question that fails. Return the failure, which must contain nothing of the request and the response."""
    with pytest.raises(AgentFailed) as failed:
        ask(endpoint)
    printed = "".join(traceback.format_exception(failed.value))
    assert [text for text in (CANARY, endpoint, "ValidationError", "HTTPError") if text in printed] == []
    return failed.value


def audio(data: bytes, audio_format: object = "ogg-opus") -> dict[str, Any]:
    return {"type": "audio", "audio": base64.b64encode(data).decode(), "format": audio_format}


def citation(start: Any, end: Any) -> dict[str, Any]:
    return {"type": "citation", "startMs": start, "endMs": end, "quote": "said"}


MESSAGES: list[dict[str, Any]] = [
    {"type": "transcript", "text": "what is a stream"},
    {"type": "waiting", "text": 1},
    {**HELLO, "other": [1], "queryId": "query-02", "attempt": 9, "number": 9},
    audio(b"audio"),
    audio(b""),
    citation(0, DURATION_MS),
    citation(0, DURATION_MS + 1),
    {"type": "text", "text": ""},
    DONE,
]
MESSAGE_PIECES = [
    TranscriptPiece(**COMMON, number=0, text="what is a stream"),
    TextPiece(**COMMON, number=1, text="Hello."),
    AudioPiece(**COMMON, number=2, audio="YXVkaW8=", format=AnswerAudioFormat.OGG_OPUS),
    CitationPiece(**COMMON, number=3, start_ms=0, end_ms=DURATION_MS, quote="said"),
]
EVENT = b": comment\r\nid: 1\r\nevent: message\r\nretry: 1\r\ndata: %b\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        response(lines(*MESSAGES), b"nothing after done is read\n"),
        chunked(*(bytes([byte]) for byte in lines(*MESSAGES))),
        response(b"\n\r\n  \n", *(EVENT % lines(message).strip() for message in MESSAGES)),
        response(lines(*MESSAGES), headers=f"Content-Length: {len(lines(*MESSAGES))}\r\n"),
    ],
)
def test_lines_become_pieces_until_the_line_done(answer: bytes) -> None:
    with Server(answer) as server:
        assert ask(server.endpoint) == MESSAGE_PIECES
    texts = ("what is a stream", "Hello.", "YXVkaW8=", "said")
    assert not [text for text in texts if text in repr(MESSAGE_PIECES)], "no log gets them by accident"


def parse(*message_lines: bytes) -> list[Piece]:
    return list(read_pieces(message_lines, "query-01", 2, DURATION_MS))


MALFORMED_LINES = [
    *(b"no json", b"[]", b"{}", b'{"type": ["text"]}', b'{"type": "text", "text": "\xff"}'),
    *(b'{"type": "text", "text": "\\ud800"}', b'{"type": "audio", "audio": "YQ==YQ==", "format": "mp3"}'),
    *(lines(audio(b"a", "wma")), lines(audio(b"a"), audio(b"b", "mp3"))),
    *(lines(citation(*times)) for times in ((0.5, 1), ("0", 1), (False, True))),
]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        *((response(line + b"\n"), AgentCode.MALFORMED) for line in MALFORMED_LINES),
        *((response(b" " * 1_001 + end), AgentCode.MALFORMED) for end in (b"", b"\n" + lines(DONE))),
        (response(b"\n" * 5_001), AgentCode.MALFORMED),  # an answer that is too long
        (response(gzip.compress(lines(DONE)), b"\n", headers="Content-Encoding: gzip\r\n"), AgentCode.MALFORMED),
        (response(b'{"type": "done"}'), AgentCode.UNAVAILABLE),
        (response(lines(HELLO), headers="Content-Length: 900\r\n"), AgentCode.UNAVAILABLE),
        *((chunked(lines(HELLO), end=end), AgentCode.UNAVAILABLE) for end in (b"", b"5\r\nab", b"zz\r\n")),
        *((response(status=f"{status} {CANARY}"), AgentCode.REFUSED) for status in (204, 307, 403, 404, 499)),
        *((response(status=f"{status} {CANARY}"), AgentCode.REJECTED) for status in (400, 413, 422)),
        *((response(status=f"{status} {CANARY}"), AgentCode.FAILED) for status in (424, 500)),
    ],
)
def test_an_answer_that_is_not_complete_fails_with_a_code_and_is_not_requested_again(
    answer: bytes, code: AgentCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "MAX_LINE_BYTES", 1_000)
    monkeypatch.setattr(agent_module, "MAX_RESPONSE_BYTES", 5_000)
    with Server(answer) as server:
        assert failure(server.endpoint).cause is code
        assert len(server.requests) == 1


def test_a_line_and_an_answer_may_have_their_maximum_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b" " * 1_000 + b"\n" + lines(HELLO, DONE)
    monkeypatch.setattr(agent_module, "MAX_LINE_BYTES", 1_000)
    monkeypatch.setattr(agent_module, "MAX_RESPONSE_BYTES", len(body))
    with Server(response(body)) as server:
        assert ask(server.endpoint) == PIECES


@pytest.mark.parametrize(
    ("message", "code", "retryable"),
    [
        ({"type": "error", "code": "rejected"}, AgentCode.REJECTED, False),
        ({"type": "error", "code": "rejected", "retryable": True}, AgentCode.REJECTED, True),
        ({"type": "error", "code": "unavailable", "retryable": "no"}, AgentCode.UNAVAILABLE, True),
        ({"type": "error", "code": "refused", "retryable": False}, AgentCode.FAILED, False),
        ({"type": "error", "code": [CANARY]}, AgentCode.FAILED, True),
        # The server of Bedrock AgentCore's own library ends an answer like this if its agent raised an exception.
        ({"error": CANARY, "error_type": "EventError"}, AgentCode.FAILED, True),
    ],
)
def test_an_agent_can_report_its_own_failure(message: dict[str, Any], code: AgentCode, retryable: bool) -> None:
    with pytest.raises(AgentFailed) as failed:
        parse(lines(message))
    assert (failed.value.cause, failed.value.retryable) == (code, retryable)
    assert CANARY not in "".join(traceback.format_exception(failed.value))


def test_pieces_arrive_before_the_answer_is_complete() -> None:
    received, closed = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(response(lines(HELLO)))
        assert received.wait(20)
        connection.sendall(lines(HELLO))
        assert connection.recv(1) == b"", "the caller stops, which closes the connection"
        closed.set()

    with Server(script) as server:
        with Agent.at_endpoint(server.endpoint).answer(QUESTION, 2) as pieces:
            assert next(pieces) == PIECES[0]
            received.set()
            assert next(pieces) == PIECES[0].model_copy(update={"number": 1})
        assert closed.wait(20)


@pytest.mark.parametrize("status", [402, 409, 429, 502, 503, 504])
def test_a_transient_failure_is_retried(status: int, pauses: list[float]) -> None:
    busy = response(status=f"{status} {CANARY}", headers=EMPTY)
    with Server(busy, busy, ANSWER) as server:
        assert ask(server.endpoint) == PIECES
        assert len(server.requests) == 3
    with Server(busy) as server:
        expected = AgentCode.THROTTLED if status in {402, 429} else AgentCode.UNAVAILABLE
        assert failure(server.endpoint).cause is expected
        assert len(server.requests) == 4
    assert pauses == [0, 0.4, 0, 0.4, 0.8]


def test_only_a_connection_that_cannot_be_established_is_tried_again(
    pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """After the request was sent, the agent may be answering, although no response arrives."""
    with Server(b"HTTP/1.1 2") as server:
        assert failure(server.endpoint).cause is AgentCode.UNAVAILABLE
        assert (len(server.requests), pauses) == (1, [])
    assert failure(server.endpoint).cause is AgentCode.UNAVAILABLE, "the server does not listen any more"
    assert len(pauses) == 3
    assert caplog.text == "", "a warning would contain the URL"


def test_the_agent_can_ask_for_a_pause_of_limited_length(pauses: list[float]) -> None:
    busy = [response(status="429 Busy", headers=f"Retry-After: {seconds}\r\n{EMPTY}") for seconds in (3, 11)]
    with Server(*busy, ANSWER) as server:
        assert ask(server.endpoint) == PIECES
    assert pauses == [3, 10]


@pytest.mark.parametrize("data", [b"", response(lines(HELLO))])
def test_an_agent_that_stays_silent_is_too_slow_and_not_asked_again(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "SILENCE_SECONDS", 0.05)
    failed = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(data)
        failed.wait(20)

    with Server(script) as server:
        assert failure(server.endpoint).cause is AgentCode.TOO_SLOW
        failed.set()
        assert len(server.requests) == 1


def test_an_agent_without_a_trusted_certificate_gets_no_question(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_ssl_devcert(str(tmp_path / "server"), host="localhost"))
    with Server(ANSWER, tls=context) as server:
        assert failure(server.endpoint.replace("http://127.0.0.1", "https://localhost")).cause is AgentCode.REFUSED
        assert server.requests == []


def test_redirects_and_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(ANSWER) as other:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, other.endpoint)
        monkeypatch.setenv("no_proxy", "")
        redirect = response(status="307 Moved", headers=f"Location: {other.endpoint}/\r\nRetry-After: 1\r\n")
        with Server(redirect) as server:
            assert failure(server.endpoint).cause is AgentCode.REFUSED
        assert other.requests == []


def test_a_question_is_sent_as_the_protocol_defines() -> None:
    with Server(ANSWER) as server:
        ask(server.endpoint + "/base/")
        [(head, body)] = server.requests
    assert head.startswith("POST /base/answer HTTP/1.1\n")
    assert {"Accept-Encoding: identity", *(f"{name}: {value}" for name, value in HEADERS.items())} <= set(
        head.splitlines()
    )
    assert json.loads(body) == {
        "schemaVersion": 1,
        "queryId": "query-01",
        "sessionId": "a1" * 32,
        "lecture": {"lectureId": "lecture-1", "url": f"http://{CANARY}", "format": "mp3", "durationMs": DURATION_MS},
        "query": {"text": f"What is a {CANARY}?"},
        "conversation": [{"question": "Who speaks?", "answer": "Nobody."}],
        "language": "en-US",
    }


def test_api_gateway_accepts_the_message_with_the_content_of_the_longest_line() -> None:
    part = 'a"\\\n€🐤'
    length = len(json.dumps(part, ensure_ascii=False).encode()) - 2
    text = part * ((MAX_LINE_BYTES - len(lines(HELLO))) // length)
    [piece] = parse(json.dumps({**HELLO, "text": text}, ensure_ascii=False).encode(), lines(DONE))
    assert MAX_LINE_BYTES - 100 < len(piece.model_dump_json(by_alias=True).encode()) < 128 * 1024


ARN = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/lectures-AbC123"
CREDENTIALS = Credentials("AKIDEXAMPLE", f"secret-{CANARY}", f"token-{CANARY}")


def ask_with_boto3(endpoint: str, body: bytes) -> None:
    client: Any = boto3.client(
        "bedrock-agentcore",
        region_name="eu-west-1",
        endpoint_url=endpoint,
        aws_access_key_id=CREDENTIALS.access_key,
        aws_secret_access_key=CREDENTIALS.secret_key,
        aws_session_token=CREDENTIALS.token,
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.invoke_agent_runtime(
        agentRuntimeArn=ARN,
        runtimeSessionId=QUESTION.session_id,
        qualifier="blue_1",
        contentType=HEADERS["Content-Type"],
        accept=HEADERS["Accept"],
        payload=body,
    )["response"].read()
    client.close()


def test_the_request_to_agentcore_equals_that_of_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    # Equal times give equal signatures.
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))
    with Server(ANSWER) as server:
        agent = Agent.in_agentcore(ARN, "blue_1", CREDENTIALS, server.endpoint)
        with agent.answer(QUESTION, 2) as pieces:
            assert list(pieces) == PIECES
        ask_with_boto3(server.endpoint, server.requests[0][1])
        (our_head, our_body), (boto3_head, boto3_body) = server.requests
    assert our_body == boto3_body
    names = ("post ", "host:", "content-type:", "accept:", "x-amz", "authorization:")
    ours, theirs = (
        {line for line in head.lower().splitlines() if line.startswith(names)} for head in (our_head, boto3_head)
    )
    assert ours == {line for line in theirs if not line.startswith("x-amzn-trace")}
