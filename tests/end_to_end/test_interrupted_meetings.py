"""End-to-end tests of meetings whose processing stops for a while or for ever.

Causes are missing capacity for the media job, and a model without a usable answer.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from handlers.common.ids import timestamp
from handlers.meetings.record import MeetingStatus
from handlers.meetings.recording_files import MeetingReason
from handlers.meetings.s3_keys import MeetingId, Recording
from local import ACCOUNT, REGION, ROOT
from local.emulation.faults import Fault
from local.flows import eventually
from local.flows.meetings_user import NewMeeting
from local.flows.speech_clips import clip_texts
from local.platform.emulator import ROOT_ACCESS_KEY
from tests.end_to_end.backends import DeployedMeetings
from tests.end_to_end.meeting_recorder import SPOT, Recorder
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("platform")]
READY = MeetingStatus.READY


@pytest.fixture
def no_capacity(platform: Platform) -> Iterator[None]:
    """Keep every media job waiting for capacity until the test clears the faults."""
    for fault in (Fault.SPOT_FULL, Fault.ON_DEMAND_FULL):
        platform.deployment.faults.set(fault)
    yield
    platform.deployment.faults.clear()


def wait_for_job(meetings: DeployedMeetings, meeting_id: str) -> dict[str, Any]:
    """Wait until the meeting's job waits for capacity; return it."""
    batch = meetings.client("batch")

    def find_job() -> dict[str, Any] | None:
        waiting_jobs = batch.list_jobs(jobQueue=SPOT, jobStatus="RUNNABLE")["jobSummaryList"]
        return next((dict(job) for job in waiting_jobs if meeting_id in job["jobName"]), None)

    return eventually(find_job, "a job that waits")


def list_executions(meetings: DeployedMeetings, meeting_id: str) -> list[str]:
    summaries = meetings.client("stepfunctions").list_executions(stateMachineArn=meetings.workflow)["executions"]
    return [entry["executionArn"] for entry in summaries if entry["name"].startswith(meeting_id)]


@pytest.mark.usefixtures("no_capacity")
def test_a_recording_that_is_replaced_while_its_job_waits_is_superseded(
    platform: Platform, meetings: DeployedMeetings, ann: Recorder
) -> None:
    meeting, first, second = NewMeeting(), ann.record_speech("welcome"), ann.record_speech("goodbye")
    first_content = ann.client.upload(meeting, first)
    wait_for_job(meetings, meeting.meeting_id)
    second_content = ann.client.upload(meeting, second)
    platform.deployment.faults.clear()
    ready = ann.wait_for_status(meeting.meeting_id, READY, content=second_content)
    said = ann.client.read_transcript(ready).said
    assert " ".join(segment.text for segment in said) == " ".join(clip_texts("goodbye"))
    result_key = Recording(MeetingId(ready.user, ready.meeting_id), first_content).media_result_key
    s3 = platform.client("s3")

    def read_result() -> Any:
        objects = s3.list_objects_v2(Bucket=meetings.bucket, Prefix=result_key).get("Contents")
        return json.loads(s3.get_object(Bucket=meetings.bucket, Key=result_key)["Body"].read()) if objects else None

    assert eventually(read_result, "the result of the first job")["reason"] == MeetingReason.INCOMPLETE
    assert ann.wait_for_status(meeting.meeting_id, READY).content == second_content


@pytest.mark.usefixtures("no_capacity")
def test_the_execution_of_a_deleted_meeting_ends_quietly(
    platform: Platform, meetings: DeployedMeetings, ann: Recorder
) -> None:
    meeting_id = ann.upload(ann.record_speech("welcome"))
    wait_for_job(meetings, meeting_id)
    assert meetings.delete_meeting("bob", meeting_id).status == 404
    for _ in range(2):
        assert meetings.delete_meeting("ann", meeting_id).status == 204
    platform.deployment.faults.clear()  # before the workflow gives the job up
    record = ann.client.find(meeting_id)
    assert record is not None
    assert (record.status, record.title) == (MeetingStatus.DELETED, "")
    assert meeting_id not in [meeting.meeting_id for meeting in ann.client.list_newest_first()]
    meetings.wait_until_removed(MeetingId(record.user, record.meeting_id))
    [execution] = list_executions(meetings, meeting_id)
    step_functions = meetings.client("stepfunctions")

    def find_end() -> str | None:
        status = step_functions.describe_execution(executionArn=execution)["status"]
        return None if status == "RUNNING" else str(status)

    assert eventually(find_end, "the end of the execution", 60) == "SUCCEEDED"
    assert ann.client.find(meeting_id) == record


AWS_CLI_SUBSTITUTE = """\
#!{python}
import json, sys
import boto3, jmespath
service, operation, *words = sys.argv[1:]
options = {{name[2:].title().replace("-", ""): value for name, value in zip(words[::2], words[1::2])}}
query, _ = options.pop("Query", "@"), options.pop("Output", "text")
options = {{name: json.loads(value) if value.startswith("{{") else value for name, value in options.items()}}
answer = getattr(boto3.client(service.removesuffix("api")), operation.replace("-", "_"))(**options)
if query != "@":
    print("\\n".join("\\t".join(row) for row in jmespath.search(query, answer)))
"""
"""Program with the parts of the AWS CLI that the runbook's command uses. The project does not install the AWS CLI."""


def restart_failed_meetings(platform: Platform, folder: Path, since: str) -> None:
    """Run the runbook's command for meetings that failed since a time."""
    page = (ROOT / "docs" / "runbooks" / "meetings.md").read_text()
    [script] = re.findall(r"^## Restart meetings$.*?```sh\n(.*?)```", page, re.MULTILINE | re.DOTALL)
    command_text = script.replace("<stack>", "local").replace("<account>", ACCOUNT)
    (folder / "aws").write_text(AWS_CLI_SUBSTITUTE.format(python=sys.executable))
    (folder / "aws").chmod(0o700)
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "AWS_ENDPOINT_URL": platform.emulator.endpoint,
        "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
    }
    command = ["/bin/bash", "-euo", "pipefail", "-c", re.sub("<2026-.*?>", since, command_text)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def test_a_meeting_without_a_summary_keeps_its_transcript_and_the_runbooks_command_restarts_it(
    platform: Platform, ann: Recorder, tmp_path: Path
) -> None:
    since, faults = timestamp(datetime.now(UTC)), platform.deployment.faults
    faults.set(Fault.MODEL_REPEATING, 99)
    try:
        failed = ann.wait_for_status(ann.upload(ann.record_speech("budget")))
    finally:
        faults.clear()
    assert (failed.status, failed.reason) == (MeetingStatus.FAILED, MeetingReason.SUMMARY_FAILED)
    assert [segment.text for segment in ann.client.read_transcript(failed).said] == clip_texts("budget")
    assert failed.summary_key is None
    restart_failed_meetings(platform, tmp_path, since)
    assert ann.wait_for_status(failed.meeting_id, READY).attempt == 2
