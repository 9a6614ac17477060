"""Lambda function that validates uploaded lectures, the recordings about which guests ask questions.

A queue of S3 notifications invokes it with new uploads. A schedule invokes it with `{"kind": "sweep"}`. In such a
sweep, the function validates the uploads whose notification was lost.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Literal

import boto3
from pydantic import BaseModel

from handlers.common.audio.probe_result import AudioFormat
from handlers.common.aws.client_config import CONFIG, MAX_WORKERS, SHORT_TIMEOUT_CONFIG
from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.aws.sqs_batches import BatchFailures
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.common.websocket.message_sender import WebSocketConnections
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.lecture_upload_rules import LectureLimits
from handlers.voice_qa.validate_lecture.environment import ValidatorEnvironment
from handlers.voice_qa.validate_lecture.lecture_bucket import LectureBucket
from handlers.voice_qa.validate_lecture.lecture_sweep import LectureSweep
from handlers.voice_qa.validate_lecture.lecture_validation import LectureValidator


class LectureSweepEvent(BaseModel):
    """Event that the schedule sends."""

    kind: Literal["sweep"]


@cache
def _validator_and_sweep() -> tuple[LectureValidator, LectureSweep]:
    environment = ValidatorEnvironment.read()
    log, parallel = EventLog(environment.log_level), ParallelCalls(MAX_WORKERS)
    bucket = LectureBucket(boto3.client("s3", config=CONFIG), environment.s3_bucket)
    validator = LectureValidator(
        bucket,
        LectureTable(boto3.client("dynamodb", config=CONFIG), environment.dynamodb_table),
        LectureLimits(
            environment.lecture_min_seconds,
            environment.lecture_max_seconds,
            environment.lecture_max_bytes,
            frozenset(map(AudioFormat, environment.lecture_formats.split(","))),
        ),
        parallel=parallel,
        connections=WebSocketConnections(boto3.client("apigatewaymanagementapi", config=SHORT_TIMEOUT_CONFIG)),
        log=log,
        clock=clock.now,
    )
    sweep = LectureSweep(
        bucket,
        validator,
        parallel=parallel,
        log=log,
        clock=clock.now,
        look_back=timedelta(hours=environment.sweep_hours),
        budget=timedelta(seconds=environment.sweep_seconds),
    )
    return validator, sweep


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures | dict[str, int]:
    validator, sweep = _validator_and_sweep()
    if "Records" in event:
        return validator.handle(event["Records"])
    LectureSweepEvent.model_validate(event)
    return sweep.run()
