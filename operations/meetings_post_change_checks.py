"""Command `checklist`: check a stack's meetings backend after a change.

The checks are those of the requirements (docs/requirements.md). The command makes those that need no person: alarms,
errors in logs, failed executions, and metrics. It prints the other checks as a list. The command only reads, unless the
options name a sample recording. It then uploads this recording. From the logs it prints only the numbers of errors.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from clients.meetings import MeetingsClient, MeetingsError, NewMeeting
from components.blocks.naming.physical_names import Kind, stack_part
from handlers.common.time_and_ids import clock
from handlers.meetings.metrics import FFMPEG_RATIO, NAMESPACE, PROCESSING_DURATION, STACK
from operations.aws_account import get_caller
from operations.aws_errors import translate_errors
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed
from operations.function_target import PROJECT, build_name

SUMMARY = "check a stack's meetings backend after a change"
SUBSYSTEM = "meetings"
ERROR_PATTERN = (
    '{ ($.level = "ERROR") || ($.level = "CRITICAL") || ($.record.status = "error") || ($.record.status = "timeout") }'
)
"""Filter for error lines of the handlers, and for Lambda's reports of failed and timed-out invocations."""
FAILED_STATUSES = ("FAILED", "TIMED_OUT", "ABORTED")
"""Statuses of Step Functions executions that ended without success."""
MAX_COUNTED_LINES = 1_000
"""Counting of a log group stops at this number of lines."""
MANUAL_CHECKS = (
    "the change ran in dev before: name the day and the person who checked it",
    "latency is unchanged: compare the numbers above, the dashboard (S3 first byte, table latency) and X-Ray traces",
    "expected savings, if any, appear in Cost Explorer: `.venv/bin/python -m operations savings`, after two weeks",
    "the findings are documented in the pull request of the change",
    "the owner of the budget has approved",
)
"""Checks that no command can make."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hours", type=float, default=24.0, help="number of past hours to check (default: %(default)s)"
    )
    parser.add_argument(
        "--recording", type=Path, help="recording to upload as a sample; requires --token and --api-url"
    )
    parser.add_argument("--token", type=Path, help="file with a token of the identity provider")
    parser.add_argument("--api-url", help="frontend.meetings.apiUrl in the stack's outputs")


def run(
    context: CommandContext, options: argparse.Namespace, create_client: Callable[..., MeetingsClient] = MeetingsClient
) -> int:
    """Run the automatic checks, and print their results and the manual checks.

    Return 0 if no automatic check found a problem, otherwise 1.
    """
    stack, hours = options.stack, options.hours
    if hours <= 0:
        raise CommandFailed(f"--hours {hours:g}: give a number above 0.")
    _check_options(options)
    machine = build_name(Kind.STATE_MACHINE, stack, SUBSYSTEM, "workflow")
    prefix = f"{PROJECT}-{stack_part(stack)}-{SUBSYSTEM}-"
    since = clock.now() - timedelta(hours=hours)
    problems = [
        *_check_alarms(context, prefix),
        *_check_logs(context, prefix, since),
        *_check_executions(context, machine, since),
    ]
    for line in _measurements(context.clients("cloudwatch"), stack_part(stack), since, timedelta(hours=hours)):
        context.print_line(f"measured  {line}")
    problems += _check_sample(context, options, create_client)
    for line in problems:
        context.print_line(f"FOUND     {line}")
    for line in MANUAL_CHECKS:
        context.print_line(f"confirm   {line}")
    return 1 if problems else 0


def _check_options(options: argparse.Namespace) -> None:
    sample_options = (options.recording, options.token, options.api_url)
    if any(sample_options) and not all(sample_options):
        raise CommandFailed("A sample requires all three options: --recording, --token and --api-url.")
    for path in sample_options[:2]:
        if path is not None and not path.is_file():
            raise CommandFailed(f"{path} is not a file.")


def _check_alarms(context: CommandContext, prefix: str) -> Iterator[str]:
    alarms = context.gateway.list_alarms(prefix)
    if not alarms:
        raise CommandFailed(
            f"No alarm name begins with {prefix}. Check --stack, account and Region, and that the stack is deployed."
        )
    if count := sum(alarm.has_no_data for alarm in alarms):
        context.print_line(f"measured  {count} of {len(alarms)} alarms have no data yet")
    if names := [alarm.name for alarm in alarms if alarm.is_in_alarm]:
        yield f"alarms in state ALARM: {', '.join(names)}"
    else:
        context.print_line(f"ok        none of {len(alarms)} alarms is in state ALARM")


def _check_logs(context: CommandContext, prefix: str, since: datetime) -> Iterator[str]:
    logs = context.clients("logs")
    groups: list[str] = []
    for group_prefix in (f"/aws/lambda/{prefix}", f"/aws/batch/{prefix}"):
        with translate_errors("logs:DescribeLogGroups", f"{group_prefix}*"):
            pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group_prefix)
            groups += [group["logGroupName"] for page in pages for group in page["logGroups"]]
    groups_with_errors = 0
    for group in groups:
        count = 0
        with translate_errors("logs:FilterLogEvents", group):
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=ERROR_PATTERN
            )
            for page in pages:
                count += len(page["events"])
                if count >= MAX_COUNTED_LINES:
                    break
        if count:
            groups_with_errors += 1
            yield f"{count}{' or more' if count >= MAX_COUNTED_LINES else ''} errors in {group}"
    if not groups_with_errors:
        context.print_line(f"ok        no error in {len(groups)} log groups since {since:%Y-%m-%d %H:%M}Z")


def _check_executions(context: CommandContext, machine: str, since: datetime) -> Iterator[str]:
    states = context.clients("stepfunctions")
    arn = get_caller(context.clients).arn("states", states.meta.region_name, f"stateMachine:{machine}")
    failed = 0
    for status in FAILED_STATUSES:
        with translate_errors("states:ListExecutions", machine):
            # The newest executions come first. One page of a thousand is enough for a report.
            listed = states.list_executions(stateMachineArn=arn, statusFilter=status, maxResults=1000)["executions"]
        if count := sum(execution["stopDate"] >= since for execution in listed):
            failed += count
            yield f"{count} executions of {machine}: {status}"
    if not failed:
        context.print_line(f"ok        no execution of {machine} failed")


def _measurements(cloudwatch: Any, label: str, since: datetime, period: timedelta) -> Iterator[str]:
    """Yield one line for each metric, with its 95th percentile in the period and in the preceding period."""
    for name in (PROCESSING_DURATION, FFMPEG_RATIO):
        values = []
        for start in (since, since - period):
            with translate_errors("cloudwatch:GetMetricStatistics", name):
                points = cloudwatch.get_metric_statistics(
                    Namespace=NAMESPACE,
                    MetricName=name,
                    Dimensions=[{"Name": STACK, "Value": label}],
                    StartTime=start,
                    EndTime=start + period,
                    Period=max(60, int(period.total_seconds()) // 60 * 60),
                    ExtendedStatistics=["p95"],
                )["Datapoints"]
            values.append(f"{max(point['ExtendedStatistics']['p95'] for point in points):.1f}" if points else "no data")
        yield f"{name}, p95: {values[0]}; in the period before: {values[1]}"


def _check_sample(
    context: CommandContext, options: argparse.Namespace, create_client: Callable[..., MeetingsClient]
) -> Iterator[str]:
    """Upload the sample recording, if the options name one, and yield a problem if it is not processed."""
    if options.recording is None:
        context.print_line("skipped   a sample recording: give --recording, --token and --api-url")
        return
    started = time.monotonic()
    try:
        client = create_client(options.api_url, lambda: options.token.read_text().strip(), "checklist")
        uploaded = client.upload(NewMeeting(title="Checklist", started_at=clock.now()), [options.recording])
        context.print_line(f"uploaded  {uploaded.meeting_id}; waiting for it")
        record = client.wait_until_ready(uploaded.meeting_id, content=uploaded.content)
    except (MeetingsError, ClientError, BotoCoreError) as error:
        # Only the type of the error is printed, because a service's message may repeat the request.
        yield f"the sample was not processed: {type(error).__name__}"
        return
    context.print_line(f"ok        the sample is {record.status} after {time.monotonic() - started:.0f} s")
