"""Faults of the local speech and model services and of Batch, which tests switch on over a control server on loopback.

A fault has the number of times that it will still happen. A service takes a fault when it begins a stream, job, answer
or request. This reduces the number by one, and the service then fails in this way. SPOT_FULL and ON_DEMAND_FULL are not
taken: they last until a test switches them off.
"""

import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from http import HTTPStatus

from local.http_server import HttpRequest, HttpResponse, serve_json

VARIABLE = "EMULATION_FAULTS_URL"
"""Name of the control server's URL among the URLs of the local services."""


class Fault(StrEnum):
    """Way in which a service fails."""

    STREAM_DROPPED = "stream-dropped"
    """The connection of a Transcribe stream is closed without a message after its first result."""
    JOB_THROTTLED = "job-throttled"
    """The start of a transcription job is refused with LimitExceededException."""
    ANSWER_THROTTLED = "answer-throttled"
    """The voice Q&A agent answers with status 429 and the header Retry-After."""
    MODEL_THROTTLED = "model-throttled"
    """Bedrock refuses a request with ThrottlingException."""
    SPOT_FULL = "spot-full"
    """A Batch job waits for capacity of Fargate Spot, as long as this fault is switched on."""
    ON_DEMAND_FULL = "on-demand-full"
    """A Batch job waits for on-demand capacity of Fargate in the same way."""
    SPOT_RECLAIMED = "spot-reclaimed"
    """An attempt of meetings' media job on Fargate Spot is interrupted when it has read all chunks of the recording."""
    MODEL_REPEATING = "model-repeating"
    """The second half of a model's answer is missing, as if it had repeated itself up to its token limit."""


class Faults:
    """Faults that are switched on."""

    def __init__(self) -> None:
        self._times: Counter[Fault] = Counter()
        self._lock = threading.Lock()

    def set(self, fault: Fault, times: int = 1) -> None:
        """Let a fault happen the next `times` times. Zero switches it off."""
        with self._lock:
            self._times[fault] = times

    def is_on(self, fault: Fault) -> bool:
        """Return True if the fault is switched on. The number of times stays the same."""
        with self._lock:
            return self._times[fault] > 0

    def take(self, fault: Fault) -> bool:
        """Return True if the fault must happen now. It then happens once less."""
        with self._lock:
            happens = self._times[fault] > 0
            self._times[fault] -= 1 if happens else 0
            return happens


def serve(faults: Faults) -> AbstractContextManager[int]:
    """Let tests switch on the faults over HTTP while the `with` block runs, and yield the port."""

    def respond(request: HttpRequest) -> HttpResponse:
        if (request.method, request.path) != ("PUT", "/faults"):
            return HttpResponse({}, HTTPStatus.NOT_FOUND)
        for name, times in json.loads(request.body).items():
            faults.set(Fault(name), times)
        return HttpResponse({})

    return serve_json(respond)


class FaultClient:
    """Client of the control server, with which a test calls `Faults.set`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy can reach loopback

    def set(self, fault: Fault, times: int = 1) -> None:
        self._send({fault: times})

    def clear(self) -> None:
        """Switch off all faults."""
        self._send(dict.fromkeys(Fault, 0))

    def _send(self, times: Mapping[Fault, int]) -> None:
        body = json.dumps(times).encode()
        self._opener.open(urllib.request.Request(f"{self._url}/faults", body, method="PUT")).close()  # noqa: S310
