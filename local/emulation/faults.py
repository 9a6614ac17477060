"""Faults of the local speech and model services and of Batch, which a test switches on over a control server on loopback.

A fault has a number of times. A service takes a fault when it begins a stream, job, answer or request, which reduces
the number by one, and then fails in this way.
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
    """A media job waits for capacity of Fargate Spot. It waits for as long as this fault is switched on."""
    ON_DEMAND_FULL = "on-demand-full"
    """A media job waits for on-demand capacity in the same way."""
    SPOT_RECLAIMED = "spot-reclaimed"
    """An attempt on Fargate Spot is interrupted when it has probed the chunks."""
    MODEL_REPEATING = "model-repeating"
    """The second half of a model's answer is missing, as if it had repeated itself up to its token limit."""


class Faults:
    """Faults that are switched on."""

    def __init__(self) -> None:
        self._times: Counter[Fault] = Counter()
        self._lock = threading.Lock()

    def set(self, fault: Fault, times: int = 1) -> None:
        """Let a fault happen the next few times. Zero switches it off."""
        with self._lock:
            self._times[fault] = times

    def is_on(self, fault: Fault) -> bool:
        """Return True if the fault is switched on."""
        with self._lock:
            return self._times[fault] > 0

    def take(self, fault: Fault) -> bool:
        """Return True if the fault must happen now. It then happens once less."""
        with self._lock:
            happens = self._times[fault] > 0
            self._times[fault] -= happens
            return happens


def serve(faults: Faults) -> AbstractContextManager[int]:
    """Let tests switch on the faults over HTTP while the block runs, and yield the port."""

    def respond(request: HttpRequest) -> HttpResponse:
        if (request.method, request.path) != ("PUT", "/faults"):
            return HttpResponse({}, HTTPStatus.NOT_FOUND)
        for name, times in json.loads(request.body).items():
            faults.set(Fault(name), times)
        return HttpResponse({})

    return serve_json(respond)


class FaultClient:
    """Client of the control server, with which a test switches on faults."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def set(self, fault: Fault, times: int = 1) -> None:
        """Let a fault happen the next few times. Zero switches it off."""
        self._send({fault: times})

    def clear(self) -> None:
        """Switch off all faults."""
        self._send(dict.fromkeys(Fault, 0))

    def _send(self, times: Mapping[Fault, int]) -> None:
        body = json.dumps(times).encode()
        self._opener.open(urllib.request.Request(f"{self._url}/faults", body, method="PUT")).close()  # noqa: S310
