"""Objects that several Lambda functions of the meetings backend need: gateways to AWS, upload processor, log and clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.executions import WorkflowExecutions
from handlers.common.logging import EventLog
from handlers.meetings.environment import MeetingsEnvironment
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.upload_processing import UploadProcessor
from handlers.meetings.upload_reader import UploadReader


@dataclass(frozen=True)
class MeetingGateways:
    """Gateways of one Lambda function, and its upload processor, log and clock."""

    bucket: MeetingBucket
    table: MeetingTable
    upload_processor: UploadProcessor
    log: EventLog
    clock: Callable[[], datetime]


def create_gateways(environment: MeetingsEnvironment) -> MeetingGateways:
    """Create the gateways, the upload processor and the log. A Lambda function calls this once per container."""
    s3, log = boto3.client("s3", config=CONFIG), EventLog(environment.log_level)
    table = MeetingTable(boto3.client("dynamodb", config=CONFIG), environment.table_name)
    executions = WorkflowExecutions(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn)
    upload_processor = UploadProcessor(
        table, UploadReader(s3, environment.bucket_name), executions, clock=ids.now, log=log
    )
    return MeetingGateways(MeetingBucket(s3, environment.bucket_name), table, upload_processor, log, ids.now)
