"""Calls of AWS' own SDK in a workflow: in its role's name, with names as Step Functions has them. Transcribe is one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import emulator
from local.aws import EmulatorClients
from local.iam.decisions import read
from local.iam.evaluator import Verdict
from local.preview_provider import ACCOUNT, REGION
from tests.end_to_end.machines import ended, grant, make_role, start, statement
from tests.local.services.transcribe_serving import BUCKET, recording
from tests.tables import create_table

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("sdk-calls")]

JOB = f"arn:aws:transcribe:{REGION}:{ACCOUNT}:transcription-job/*"
GRANTS = [
    statement("transcribe:StartTranscriptionJob", "*"),
    statement("transcribe:GetTranscriptionJob", JOB),
    statement("s3:GetObject", [f"arn:aws:s3:::{BUCKET}/audio/*", f"arn:aws:s3:::{BUCKET}/transcripts/*"]),
    statement("s3:PutObject", f"arn:aws:s3:::{BUCKET}/transcripts/*"),
    statement("dynamodb:PutItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/items"),
]
DONE = {"Type": "Succeed"}
CATCH = [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Done"}]


@dataclass
class Site:
    """A bucket, a table, and a role for machines."""

    folder: Path
    clients: EmulatorClients

    def call(self, action: str, **arguments: Any) -> dict[str, Any]:
        """One call; its result, or its error."""
        resource = f"arn:aws:states:::aws-sdk:{action}"
        task = {"Type": "Task", "Resource": resource, "Arguments": arguments, "Catch": CATCH, "Next": "Done"}
        return ended(self.clients, start(self.clients, "Call", {"Call": task, "Done": DONE}))

    def refused(self) -> set[tuple[str, str]]:
        """Who may not do what."""
        decisions = read(self.folder)
        return {(one.role, one.action) for one in decisions if one.verdict is not Verdict.ALLOW}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("sdk-calls")
    with emulator.start(folder) as started:
        one = Site(folder, EmulatorClients(started.emulator.endpoint))
        make_role(one.clients, "machine", "states.amazonaws.com")
        one.clients("s3").create_bucket(Bucket=BUCKET)
        one.clients("s3").put_object(
            Bucket=BUCKET, Key="audio/one.flac", Body=recording((150, "hello"), (300, "world"))
        )
        create_table(one.clients("dynamodb"), "items", "id")
        yield one


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: this site has an emulator of its own, and roles without their grants."""


@pytest.fixture(autouse=True)
def _as_granted(site: Site) -> None:
    grant(site.clients, "machine", GRANTS)


def job(name: str, **more: Any) -> dict[str, Any]:
    return {
        "TranscriptionJobName": name,
        "LanguageCode": "en-US",
        "Media": {"MediaFileUri": f"s3://{BUCKET}/audio/one.flac"},
        "OutputBucketName": BUCKET,
        "OutputKey": f"transcripts/{name}.json",
        "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 2},
        **more,
    }


def test_a_transcription_is_started_waited_for_in_a_loop_and_read(site: Site) -> None:
    status = "$states.input.TranscriptionJob.TranscriptionJobStatus"
    sdk = "arn:aws:states:::aws-sdk"
    get = {"TranscriptionJobName": "{% $states.context.Execution.Input.name %}"}
    read_back = {"Bucket": BUCKET, "Key": "transcripts/whole.json"}
    states = {
        "Start": {"Type": "Task", "Resource": f"{sdk}:transcribe:startTranscriptionJob", "Arguments": job("whole"), "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 15, "Next": "Get"},
        "Get": {"Type": "Task", "Resource": f"{sdk}:transcribe:getTranscriptionJob", "Arguments": get, "Next": "Ended"},
        "Ended": {
            "Type": "Choice",
            "Choices": [{"Condition": f"{{% {status} = 'COMPLETED' %}}", "Next": "Read"}],
            "Default": "Wait",
        },
        "Read": {"Type": "Task", "Resource": f"{sdk}:s3:getObject", "Arguments": read_back, "Next": "Done"},
        "Done": DONE,
    }  # fmt: skip
    found = ended(site.clients, start(site.clients, "Start", states, {"name": "whole"}))
    results = json.loads(found["Body"])["results"]
    assert results["transcripts"] == [{"transcript": "Hello. World."}]
    assert results["speaker_labels"]["speakers"] == 2


def test_what_is_answered_is_json_in_pascal_case(site: Site) -> None:
    started = site.call("transcribe:startTranscriptionJob", **job("answered"))["TranscriptionJob"]
    assert (started["TranscriptionJobStatus"], started["LanguageCode"]) == ("IN_PROGRESS", "en-US")
    assert started["CreationTime"].endswith("Z")


def test_an_error_has_the_services_name_before_its_own(site: Site) -> None:
    site.call("transcribe:startTranscriptionJob", **job("twice"))
    assert site.call("transcribe:startTranscriptionJob", **job("twice"))["Error"] == "Transcribe.ConflictException"
    assert site.call("transcribe:getTranscriptionJob", TranscriptionJobName="nobody")["Error"] == (
        "Transcribe.BadRequestException"
    )
    missing = {"Bucket": BUCKET, "Key": "audio/none"}
    assert site.call("s3:getObject", **missing)["Error"] == "S3.NoSuchKeyException"


def test_a_service_of_the_emulators_judges_the_machines_role(site: Site) -> None:
    item = {"TableName": "items", "Item": {"id": {"S": "one"}}}
    assert "Error" not in site.call("dynamodb:putItem", **item)
    grant(site.clients, "machine", GRANTS, without="dynamodb:PutItem")
    assert site.call("dynamodb:putItem", **item)["Error"] == "DynamoDb.DynamoDbException"
    assert ("machine", "dynamodb:PutItem") in site.refused()


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("transcribe:StartTranscriptionJob", "Transcribe.TranscribeException"),
        ("s3:GetObject", "Transcribe.BadRequestException"),
        ("s3:PutObject", "Transcribe.BadRequestException"),
    ],
)
def test_a_transcription_may_do_what_its_machine_may(site: Site, action: str, error: str) -> None:
    grant(site.clients, "machine", GRANTS, without=action)
    name = action.replace(":", "-")
    assert site.call("transcribe:startTranscriptionJob", **job(name))["Error"] == error
    assert ("machine", action) in site.refused()


@pytest.mark.parametrize(
    ("action", "arguments", "told"),
    [
        ("transcribe:startTranscriptionJobs", {}, "has no action"),
        ("transcribe:StartTranscriptionJob", {}, "has no action"),
        ("nowhere:startTranscriptionJob", {}, "does not know what botocore calls nowhere"),
        ("transcribe:startTranscriptionJob", {"transcriptionJobName": "x"}, "is not supported by Step Functions"),
    ],
)
def test_what_step_functions_would_not_take_is_named(
    site: Site, action: str, arguments: dict[str, str], told: str
) -> None:
    found = site.call(action, **arguments)
    assert found["Error"] == "States.Runtime"
    assert told in found["Cause"]
