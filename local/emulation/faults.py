"""Faults of the local speech and model services, which a test switches on over a control server on loopback.

A fault has a number of times. A service takes a fault when it begins a stream, job, answer or request, which reduces
the number by one, and then fails in this way.
"""

import json
import threading
import urllib.request
from collections import Counter
from contextlib import AbstractContextManager
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol

from local.http_server import HttpRequest, HttpResponse, serve_json

VARIABLE = "EMULATION_FAULTS_URL"
"""Name of the control server's URL among the URLs of the local services."""


class Fault(StrEnum):
    """Way in which a service fails."""

    STREAM_THROTTLED = "stream-throttled"
    """A Transcribe stream ends with LimitExceededException after its first result. The next three faults come then, too."""
    STREAM_DROPPED = "stream-dropped"
    """The connection is closed without a message."""
    STREAM_MALFORMED = "stream-malformed"
    """A result is sent in a frame with a wrong checksum."""
    STREAM_BROKEN = "stream-broken"
    """The stream ends with InternalFailureException."""
    STREAM_UNFLAGGED = "stream-unflagged"
    """Only the first result of a stream has `Stable` flags."""
    STREAM_REPEATING = "stream-repeating"
    """Each final result of a stream is sent twice with the same id and times. The second has an additional word."""
    JOB_THROTTLED = "job-throttled"
    """The start of a transcription job is refused with LimitExceededException."""
    JOB_BROKEN = "job-broken"
    """A transcription job fails."""
    JOB_MALFORMED = "job-malformed"
    """The second half of a job's transcript is missing."""
    ANSWER_THROTTLED = "answer-throttled"
    """The voice Q&A agent answers with status 429 and the header Retry-After."""
    ANSWER_DROPPED = "answer-dropped"
    """The agent closes the connection in the middle of an answer."""
    ANSWER_MALFORMED = "answer-malformed"
    """A line that is not valid JSON is added in the middle of an answer."""
    MODEL_THROTTLED = "model-throttled"
    """Bedrock refuses a request with ThrottlingException."""
    MODEL_REPEATING = "model-repeating"
    """The second half of a model's answer is missing, as if it had repeated itself up to its token limit."""


class FaultSource(Protocol):
    def take(self, fault: Fault) -> bool:
        """Return True if the fault must happen now. It then happens once less."""
        ...


class Faults:
    """Faults in this process."""

    def __init__(self) -> None:
        self._times: Counter[Fault] = Counter()
        self._lock = threading.Lock()

    def set(self, fault: Fault, times: int = 1) -> None:
        """Let a fault happen the next few times. Zero switches it off."""
        with self._lock:
            self._times[fault] = times

    def take(self, fault: Fault) -> bool:
        """Return True if the fault must happen now. It then happens once less."""
        with self._lock:
            happens = self._times[fault] > 0
            self._times[fault] -= happens
            return happens


def serve(faults: Faults) -> AbstractContextManager[int]:
    """Serve the faults to tests and to services in other processes while the block runs, and yield the port."""

    def respond(request: HttpRequest) -> HttpResponse:
        body = json.loads(request.body)
        match request.method, request.path:
            case "PUT", "/faults":
                faults.set(Fault(body["fault"]), body["times"])
                return HttpResponse({})
            case "POST", "/taken-faults":
                return HttpResponse({"happens": faults.take(Fault(body["fault"]))})
            case _:
                return HttpResponse({}, HTTPStatus.NOT_FOUND)

    return serve_json(respond)


class FaultClient:
    """Client of the control server: a test sets faults, and a service of another process takes them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def set(self, fault: Fault, times: int = 1) -> None:
        """Let a fault happen the next few times. Zero switches it off."""
        self._send("PUT", "/faults", {"fault": fault, "times": times})

    def clear(self) -> None:
        """Switch off all faults."""
        for fault in Fault:
            self.set(fault, 0)

    def take(self, fault: Fault) -> bool:
        """Return True if the fault must happen now. It then happens once less."""
        return bool(self._send("POST", "/taken-faults", {"fault": fault})["happens"])

    def _send(self, method: str, path: str, body: dict[str, object]) -> dict[str, object]:
        request = urllib.request.Request(f"{self._url}{path}", json.dumps(body).encode(), method=method)  # noqa: S310
        with self._opener.open(request) as response:
            answer: dict[str, object] = json.load(response)
            return answer
