"""What every function that moves meetings on is made of: table, bucket, workflow, log and clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import boto3

from handlers.common.aws.clients import CONFIG
from handlers.common.aws.workflow_executions import WorkflowExecutions
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.meetings.environment import MeetingsEnvironment
from handlers.meetings.meeting_store import MeetingStore
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.uploaded_recording import Uploads
from handlers.meetings.workflow_start import Starting


@dataclass(frozen=True)
class Gateways:
    """On clients of this container's."""

    store: MeetingStore
    table: MeetingTable
    executions: WorkflowExecutions
    starting: Starting
    log: EventLog
    clock: Callable[[], datetime]


def gateways(environment: MeetingsEnvironment) -> Gateways:
    """Made once a container."""
    s3, log = boto3.client("s3", config=CONFIG), EventLog(environment.log_level)
    table = MeetingTable(boto3.client("dynamodb", config=CONFIG), environment.table_name)
    executions = WorkflowExecutions(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn)
    starting = Starting(table, Uploads(s3, environment.bucket_name), executions, clock=clock.now, log=log)
    return Gateways(MeetingStore(s3, environment.bucket_name), table, executions, starting, log, clock.now)
