"""Benchmark of presigned uploads: time of the functions that sign a form or URLs, without emulator and API Gateway.

Each function runs in a new process, with the real botocore. It starts as Lambda starts it: the handler's module creates
all clients when it is imported. Then the handler answers events one after another. Another process acts as DynamoDB and
S3 (`fake_aws_process`).
"""

import importlib
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeVar

from benchmarks.benchmark_report import WrongResult, percentile, print_heading, print_table
from benchmarks.fake_aws_process import start_fake_aws

PROCESSES = 5
"""Number of processes per row. The two columns about starts are medians over them."""
REQUESTS = 100
"""Number of requests to each process after its first request."""
T = TypeVar("T")
ULID = "01M7W8GQNQY865WCQPRM59D2J7"
GUEST = {"identity": {"S": "us-east-1:aaaaaaaa-0000-4000-8000-00000000000a"}, "guestId": {"S": "A" * 32}}
AWS_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "x" * 20,
    "AWS_SECRET_ACCESS_KEY": "x" * 40,
    "AWS_SESSION_TOKEN": "x" * 900,  # about the length of a role's token, which is a part of each form and URL
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_LAMBDA_RUNTIME_API": "started",  # handlers create their clients at import only if Lambda's runtime sets it
    "LOG_LEVEL": "ERROR",
}
NOW = {"S": "2026-01-01T00:00:00.000Z"}
TRACK = {"M": {"state": {"S": "requested"}, "since": NOW}}
"""Processing state of an episode's video, and of its transcript: the upload was requested."""
EPISODE = {
    "owner": {"S": "A" * 32},
    "episodeId": {"S": ULID},
    "title": {"S": "A stream"},
    "language": {"S": "en-US"},
    "video": TRACK,
    "transcript": TRACK,
    "createdAt": NOW,
    "updatedAt": NOW,
    "revision": {"S": "0123456789abcdef"},
}
ANSWERS = {
    "GetItem": json.dumps({"Item": {**EPISODE, **GUEST}}),
    "PutItem": "{}",
    "": f"<InitiateMultipartUploadResult><UploadId>{'u' * 100}</UploadId></InitiateMultipartUploadResult>",
}
"""Answers by operation of DynamoDB. The item has the attributes of a guest's connection and of an episode (a broadcast), so
that it answers both functions. The answer with the empty name is for S3, which gets only one kind of call."""


@dataclass(frozen=True)
class MeasuredUploadRequest:
    """A request for a presigned upload, and the Lambda function that answers it."""

    module: str
    environment: Mapping[str, str]
    event: Mapping[str, Any]
    required: str = ""
    """Required time in milliseconds, for example `< 50`; empty if none is required."""


def _episodes_request(content: Mapping[str, object]) -> MeasuredUploadRequest:
    return MeasuredUploadRequest(
        "handlers.livestream.episodes.handler",
        {
            "TABLE_NAME": "t",
            "BUCKET_NAME": "b",
            "DELETIONS_QUEUE_URL": "q",
            "ENCRYPTION_KEY": "k",
            "ORIGIN": "*",
            "MAX_VIDEO_GIGABYTES": "20",
            "MAX_TRANSCRIPT_MEGABYTES": "10",
            "MULTIPART_MEGABYTES": "100",
        },
        {
            "resource": "/episodes/{episodeId}/uploads",
            "httpMethod": "POST",
            "pathParameters": {"episodeId": ULID},
            "queryStringParameters": None,
            "body": json.dumps(content),
            "isBase64Encoded": False,
            "requestContext": {"requestId": "r", "authorizer": {"user": "A" * 32}},
        },
    )


UPLOAD_REQUESTS = {
    "voice Q&A: form": MeasuredUploadRequest(
        "handlers.voice_qa.websocket_handler.handler",
        {
            "S3_BUCKET": "b",
            "DYNAMODB_TABLE": "t",
            "WORKER": "w",
            "TIME_LIMIT_QUEUE": "q",
            "IDENTITY_POOL": "p",
            "GUEST_ID_KEY": "k",
            "LECTURE_UPLOADS": "off",
            "ACCELERATED": "false",
            **dict.fromkeys(("SESSION_DAYS", "MAX_LECTURE_BYTES", "LECTURES_PER_DAY", "QUERIES_PER_HOUR"), "1"),
            **dict.fromkeys(("ANSWER_SECONDS", "URL_SECONDS"), "60"),
        },
        {
            "requestContext": {"connectionId": "c", "eventType": "MESSAGE", "routeKey": "upload", "requestId": "r"},
            "body": json.dumps({"action": "upload", "id": "m", "kind": "query", "contentType": "audio/ogg"}),
        },
        "< 50",
    ),
    "livestream: form": _episodes_request({"kind": "transcript", "contentType": "text/vtt", "bytes": 1_000}),
    "livestream: URLs of 100 parts": _episodes_request(
        {"kind": "video", "contentType": "video/mp4", "bytes": 20_000_000_000}
    ),
}
"""Requests by the name of their row."""


def answer_call(call: BaseHTTPRequestHandler, _body: bytes) -> bytes:
    """Answer a call as DynamoDB or S3."""
    return ANSWERS[call.headers.get("X-Amz-Target", "").rpartition(".")[2]].encode()


class Duration(NamedTuple):
    """Duration of one step."""

    elapsed_ms: float
    processor_ms: float
    """Processor time, which depends little on other processes of the machine."""


def time_step(step: Callable[[], T]) -> tuple[Duration, T]:
    """Return the duration of a step, and its result."""
    started, busy_before = time.perf_counter(), time.process_time()
    result = step()
    ended, busy_after = time.perf_counter(), time.process_time()
    return Duration(1000 * (ended - started), 1000 * (busy_after - busy_before)), result


def time_function(name: str, endpoint: str, pipe: Connection) -> None:
    """Import a function's handler and call it, in a new process. Send the durations of the import and of each call."""
    request = UPLOAD_REQUESTS[name]
    os.environ |= {**AWS_VARIABLES, **request.environment}
    os.environ |= {"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_ENDPOINT_URL_S3": endpoint}
    start, module = time_step(lambda: importlib.import_module(request.module))
    durations = [start]
    for _ in range(1 + REQUESTS):
        duration, answer = time_step(lambda: module.handler(request.event, None))
        durations.append(duration)
        # The names of a form's field and of a URL's parameter differ in case.
        if "x-amz-signature" not in answer["body"].lower():
            raise WrongResult(answer["body"])
    pipe.send(durations)


def measure(name: str, endpoint: str) -> dict[str, float | str]:
    """Run a function in several processes, and return the figures of its row."""
    durations: list[list[Duration]] = []
    for _ in range(PROCESSES):
        receiver, sender = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=time_function, args=(name, endpoint, sender))
        process.start()
        sender.close()  # so that `recv` raises an error if the process ends without a result
        durations.append(receiver.recv())
        process.join()
    starts, firsts, *rounds = zip(*durations, strict=True)
    others = [duration for calls in rounds for duration in calls]
    elapsed_ms = [duration.elapsed_ms for duration in others]
    return {
        "start, processor": round(percentile([duration.processor_ms for duration in starts], 0.5)),
        "first request, processor": round(percentile([duration.processor_ms for duration in firsts], 0.5)),
        "median": round(percentile(elapsed_ms, 0.5)),
        "of it processor": round(percentile([duration.processor_ms for duration in others], 0.5)),
        "p95": round(percentile(elapsed_ms, 0.95)),
        "required": UPLOAD_REQUESTS[name].required,
    }


def main() -> None:
    """Print one row per request."""
    print_heading(f"Presigned uploads, milliseconds: {PROCESSES} processes, {REQUESTS} requests each")
    with start_fake_aws(answer_call) as endpoint:
        print_table({name: measure(name, endpoint) for name in UPLOAD_REQUESTS})


if __name__ == "__main__":
    main()
