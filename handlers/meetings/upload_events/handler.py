"""Lambda function that starts the workflow of a meeting when its recording is complete.

It gets the events of new objects below `raw/` from an SQS queue. SQS retries each event separately, up to the queue's
limit. Events that still fail go to the dead-letter queue, from which `aws sqs start-message-move-task` returns them.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from handlers.common.aws.sqs_batches import BatchFailures
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
    _upload_events()  # the initialisation phase is faster, and no event waits for it
