"""The requirement's checklist for a change of the meetings backend: what can be checked is, the rest is a person's.

Reads alone, but for the sample, which is uploaded where a recording and a token are given. Of logs only numbers are
printed.
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
from operations.aws_gateway import caller, told
from operations.command_context import Desk
from operations.command_errors import Refused
from operations.function_target import PROJECT, named

SUMMARY = "check what can be checked of a stack's meetings"
SUBSYSTEM = "meetings"
TROUBLE = (
    '{ ($.level = "ERROR") || ($.level = "CRITICAL") || ($.record.status = "error") || ($.record.status = "timeout") }'
)
"""Lines of ours, and Lambda's own reports of calls that crashed or took too long."""
BAD_ENDS = ("FAILED", "TIMED_OUT", "ABORTED")
ENOUGH = 1_000
"""Lines after which a log is counted no further."""
CONFIRM = (
    "it ran in dev before this stack: name the day and who looked",
    "latency is as it was: compare the numbers above, the dashboard (S3's first byte, the table) and X-Ray's traces",
    "savings appear in Cost Explorer: `.venv/bin/python -m operations savings`, two weeks after the change",
    "what was found is written down, in the change's pull request",
    "whoever pays for it has approved",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--hours", type=float, default=24.0, help="how far back to look (default: %(default)s)")
    parser.add_argument("--recording", type=Path, help="a recording to upload as a sample; needs --token and --api-url")
    parser.add_argument("--token", type=Path, help="a file with a token of the identity provider")
    parser.add_argument("--api-url", help="frontend.meetings.apiUrl of the stack's outputs")


def run(desk: Desk, options: argparse.Namespace, client: Callable[..., MeetingsClient] = MeetingsClient) -> int:
    """0 when nothing was found, 1 when something was."""
    stack, hours = options.stack, options.hours
    if hours <= 0:
        raise Refused(f"--hours {hours:g}: give more than 0")
    _check_sample(options)
    machine = named(Kind.STATE_MACHINE, stack, SUBSYSTEM, "workflow")
    prefix = f"{PROJECT}-{stack_part(stack)}-{SUBSYSTEM}-"
    since = clock.now() - timedelta(hours=hours)
    found = [*_alarms(desk, prefix), *_logs(desk, prefix, since), *_executions(desk, machine, since)]
    for line in _numbers(desk.clients("cloudwatch"), stack_part(stack), since, timedelta(hours=hours)):
        desk.say(f"measured  {line}")
    found += _went_through(desk, options, client)
    for line in found:
        desk.say(f"FOUND     {line}")
    for line in CONFIRM:
        desk.say(f"confirm   {line}")
    return 1 if found else 0


def _check_sample(options: argparse.Namespace) -> None:
    given = (options.recording, options.token, options.api_url)
    if any(given) and not all(given):
        raise Refused("a sample needs --recording, --token and --api-url, all three")
    for path in given[:2]:
        if path is not None and not path.is_file():
            raise Refused(f"{path} is no file")


def _alarms(desk: Desk, prefix: str) -> Iterator[str]:
    alarms = desk.gateway.alarms(prefix)
    if not alarms:
        raise Refused(f"no alarm's name begins with {prefix}: is it deployed there? Check --stack, account and region")
    if silent := sum(alarm.has_no_data for alarm in alarms):
        desk.say(f"measured  {silent} of {len(alarms)} alarms have no data yet")
    if loud := [alarm.name for alarm in alarms if alarm.is_ringing]:
        yield f"alarms that ring: {', '.join(loud)}"
    else:
        desk.say(f"ok        none of {len(alarms)} alarms rings")


def _logs(desk: Desk, prefix: str, since: datetime) -> Iterator[str]:
    logs = desk.clients("logs")
    groups: list[str] = []
    for begin in (f"/aws/lambda/{prefix}", f"/aws/batch/{prefix}"):
        with told("logs:DescribeLogGroups", f"{begin}*"):
            pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=begin)
            groups += [one["logGroupName"] for page in pages for one in page["logGroups"]]
    bad = 0
    for group in groups:
        count = 0
        with told("logs:FilterLogEvents", group):
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=TROUBLE
            )
            for page in pages:
                count += len(page["events"])
                if count >= ENOUGH:
                    break
        if count:
            bad += 1
            yield f"{count}{' or more' if count >= ENOUGH else ''} errors in {group}"
    if not bad:
        desk.say(f"ok        no error in {len(groups)} log groups since {since:%Y-%m-%d %H:%M}Z")


def _executions(desk: Desk, machine: str, since: datetime) -> Iterator[str]:
    states = desk.clients("stepfunctions")
    arn = caller(desk.clients).arn("states", states.meta.region_name, f"stateMachine:{machine}")
    bad = 0
    for status in BAD_ENDS:
        with told("states:ListExecutions", machine):
            # The newest come first; a thousand of one kind are enough to be told.
            listed = states.list_executions(stateMachineArn=arn, statusFilter=status, maxResults=1000)["executions"]
        if count := sum(one["stopDate"] >= since for one in listed):
            bad += count
            yield f"{count} executions of {machine}: {status}"
    if not bad:
        desk.say(f"ok        no execution of {machine} failed")


def _numbers(cloudwatch: Any, label: str, since: datetime, period: timedelta) -> Iterator[str]:
    """95 in 100, in the period and in the one before it."""
    for name in (PROCESSING_DURATION, FFMPEG_RATIO):
        values = []
        for start in (since, since - period):
            with told("cloudwatch:GetMetricStatistics", name):
                points = cloudwatch.get_metric_statistics(
                    Namespace=NAMESPACE,
                    MetricName=name,
                    Dimensions=[{"Name": STACK, "Value": label}],
                    StartTime=start,
                    EndTime=start + period,
                    Period=max(60, int(period.total_seconds()) // 60 * 60),
                    ExtendedStatistics=["p95"],
                )["Datapoints"]
            values.append(f"{max(one['ExtendedStatistics']['p95'] for one in points):.1f}" if points else "no data")
        yield f"{name}, p95: {values[0]}; before that {values[1]}"


def _went_through(desk: Desk, sample: argparse.Namespace, client: Callable[..., MeetingsClient]) -> Iterator[str]:
    """What is wrong, where it does not."""
    if sample.recording is None:
        desk.say("skipped   a sample recording: give --recording, --token and --api-url")
        return
    begun = time.monotonic()
    try:
        user = client(sample.api_url, lambda: sample.token.read_text().strip(), "checklist")
        uploaded = user.upload(NewMeeting(title="Checklist", started_at=clock.now()), [sample.recording])
        desk.say(f"uploaded  {uploaded.meeting_id}; waiting for it")
        record = user.wait_until_ready(uploaded.meeting_id, content=uploaded.content)
    except (MeetingsError, ClientError, BotoCoreError) as error:
        # What a service says may repeat what it was sent.
        yield f"the sample did not go through: {type(error).__name__}"
        return
    desk.say(f"ok        the sample is {record.status} after {time.monotonic() - begun:.0f} s")
