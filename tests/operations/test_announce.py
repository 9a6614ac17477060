"""Tests of the command `announce`, which puts files of the landing bucket that have no record into the intake queue."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from handlers.common import ids
from handlers.ingestion.files import FileTable, parse_arrived_files
from operations.__main__ import main
from operations.announce import NOTIFICATION_GRACE_PERIOD
from tests.moto_tables import create_table

BUCKET, QUEUE = "polyphony-dev-ingestion-landing-123456789012", "polyphony-dev-ingestion-intake"
TABLE = "polyphony-dev-ingestion-files"
MILLISECOND = timedelta(milliseconds=1)


class Stack:
    """Landing bucket, intake queue and file table of a stack. The clock is two hours ahead of S3's."""

    def __init__(self) -> None:
        self.s3, self.sqs = boto3.client("s3"), boto3.client("sqs")
        create_table(boto3.client("dynamodb"), TABLE, "date_prefix", "file_key")
        self.url = self.sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def put(self, *keys: str) -> dict[str, Any]:
        """Upload a file to each key. Return the last version as S3 lists it."""
        for key in keys:
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"{}")
        return dict(self.s3.list_object_versions(Bucket=BUCKET, Prefix=keys[-1])["Versions"][0])

    def announce(self, *arguments: str) -> list[str]:
        """Run the command. Return the bodies of the messages that are then in the queue, and remove these messages."""
        assert main(["announce", "--stack", "dev", *arguments]) == 0
        bodies: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in messages]
        return bodies


@pytest.fixture
def stack(mocked_aws: None, monkeypatch: pytest.MonkeyPatch) -> Stack:
    now = datetime.now(UTC) + timedelta(hours=2)
    monkeypatch.setattr(ids, "now", lambda: now)
    return Stack()


def test_every_version_is_announced_as_s3_does(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [f"incoming/{number} b+ü%.ndjson" for number in range(12)]
    stack.put(*keys, keys[0], "elsewhere/c.ndjson")
    stack.s3.delete_object(Bucket=BUCKET, Key=keys[1])
    files = [file for body in stack.announce() for file in parse_arrived_files(body)]
    listed = stack.s3.list_object_versions(Bucket=BUCKET, Prefix="incoming/")["Versions"]
    assert {(file.key, file.version_id, file.arrived) for file in files} == {
        (version["Key"], version["VersionId"], version["LastModified"]) for version in listed
    }
    assert {(file.bucket, file.size, file.etag) for file in files} == {(BUCKET, 2, listed[0]["ETag"].strip('"'))}
    assert capsys.readouterr().out.startswith("13 files without a record announced; ")


def test_the_prefix_and_the_modification_time_select_the_files(stack: Stack) -> None:
    modified = stack.put("incoming/a/1.ndjson", "incoming/b/1.ndjson")["LastModified"]
    selection = ["--prefix", "incoming/b/"]
    assert len(stack.announce(*selection, "--since", modified.isoformat())) == 1
    assert stack.announce(*selection, "--since", (modified + MILLISECOND).isoformat()) == []
    assert len(stack.announce("--since", modified.date().isoformat())) == 2, "a date means its midnight"


def test_a_file_whose_notification_may_still_arrive_is_left_out(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    modified = stack.put("incoming/a.ndjson")["LastModified"]
    for age, count in ((NOTIFICATION_GRACE_PERIOD - MILLISECOND, 0), (NOTIFICATION_GRACE_PERIOD, 1)):
        monkeypatch.setattr(ids, "now", lambda age=age: modified + age)
        assert len(stack.announce()) == count


def test_a_file_with_a_record_is_left_out(stack: Stack) -> None:
    stack.put("incoming/a.ndjson")
    [file] = parse_arrived_files(*stack.announce())
    assert FileTable(boto3.resource("dynamodb").Table(TABLE), 400, ids.now).track(file)
    assert stack.announce() == []


def test_missing_resources_and_other_prefixes_are_errors(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.put("incoming/a.ndjson")
    assert main(["announce", "--stack", "dev", "--prefix", "manifests/"]) == 2
    assert capsys.readouterr().err == "--prefix manifests/: give a prefix that begins with incoming/.\n"
    assert main(["announce", "--stack", "prod"]) == 2
    assert "it does not exist. Check --stack" in capsys.readouterr().err
    boto3.client("dynamodb").delete_table(TableName=TABLE)
    assert main(["announce", "--stack", "dev"]) == 2
    assert f"GetItem on {TABLE} or {QUEUE} (ResourceNotFoundException)" in capsys.readouterr().err
