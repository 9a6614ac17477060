"""Lambda function `start`: it processes the S3 events of uploaded objects, and starts the workflow of a recording when
all of its objects have arrived.

The function gets the events from an SQS queue. If the processing of an event fails, SQS delivers the event again, up to
the queue's limit, and then moves it to the dead-letter queue. An operator returns it from there with
`aws sqs start-message-move-task`.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from handlers.common.events import BatchFailures
from handlers.meetings.meeting_gateways import create_gateways
from handlers.meetings.start.environment import StartEnvironment
from handlers.meetings.start.upload_event_processing import UploadEvents


@cache
def _upload_events() -> UploadEvents:
    environment = StartEnvironment.read()
    gateways = create_gateways(environment)
    return UploadEvents(gateways.table, gateways.upload_processor, bucket=environment.bucket_name, log=gateways.log)


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    return _upload_events().handle(event["Records"])


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _upload_events()  # Lambda gives the initialisation more CPU than an invocation
