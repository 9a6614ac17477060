"""The function behind the rule for what arrives below `raw/`, fed by a queue.

A queue, because an event is then delivered as often as its settings say, without the others of its batch, and what
still fails is parked where one command sends it back.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from handlers.common.aws.sqs_batches import BatchFailures
from handlers.meetings.gateways import create_gateways
from handlers.meetings.start.environment import StartEnvironment
from handlers.meetings.start.upload_events import UploadEvents


@cache
def _upload_events() -> UploadEvents:
    """Made once a container."""
    environment = StartEnvironment.read()
    made = create_gateways(environment)
    return UploadEvents(made.table, made.starter, bucket=environment.bucket_name, log=made.log)


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    """The entry point of the function."""
    return _upload_events().handle(event["Records"])


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _upload_events()  # while the container starts, which is faster and comes before anybody waits
