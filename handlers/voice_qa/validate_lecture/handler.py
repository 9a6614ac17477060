"""Lambda function that validates uploaded lectures, the recordings about which guests ask questions.

A queue of S3 notifications invokes it with new uploads. It delivers a notification again if the validation fails.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG, MAX_WORKERS, SHORT_TIMEOUT_CONFIG, ParallelCalls
from handlers.common.events import BatchFailures
from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.lecture_upload_rules import AudioFormat, LectureLimits
from handlers.voice_qa.validate_lecture.environment import ValidatorEnvironment
from handlers.voice_qa.validate_lecture.lecture_bucket import LectureBucket
from handlers.voice_qa.validate_lecture.lecture_validation import LectureValidator


@cache
def _validator() -> LectureValidator:
    environment = ValidatorEnvironment.read()
    return LectureValidator(
        LectureBucket(boto3.client("s3", config=CONFIG), environment.s3_bucket),
        LectureTable(boto3.client("dynamodb", config=CONFIG), environment.dynamodb_table),
        LectureLimits(
            environment.lecture_min_seconds,
            environment.lecture_max_seconds,
            environment.lecture_max_bytes,
            frozenset(map(AudioFormat, environment.lecture_formats.split(","))),
        ),
        parallel=ParallelCalls(MAX_WORKERS),
        connections=WebSocketConnections(boto3.client("apigatewaymanagementapi", config=SHORT_TIMEOUT_CONFIG)),
        log=EventLog(environment.log_level),
        clock=ids.now,
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    return _validator().handle(event["Records"])
