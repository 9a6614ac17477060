"""The builder's intake: each version once, and only what failed goes back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from handlers.common.logging import EventLog
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_builder import Builder
from tests.handlers.ingestion.test_files import body, record

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

NOW = datetime(2026, 1, 3, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator["DynamoDBClient"]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        made = boto3.client("dynamodb", region_name="us-east-1")
        made.create_table(
            TableName="files",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "date_prefix", "KeyType": "HASH"},
                {"AttributeName": "file_key", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "date_prefix", "AttributeType": "S"},
                {"AttributeName": "file_key", "AttributeType": "S"},
            ],
        )
        yield made


@pytest.fixture
def builder(client: "DynamoDBClient") -> Builder:
    return built(client)


def built(client: "DynamoDBClient") -> Builder:
    return Builder(FileTable(client, "files", 400, lambda: NOW), EventLog("DEBUG"))


def message(text: str, identifier: str = "m1") -> dict[str, Any]:
    return {"messageId": identifier, "body": text}


def items(client: "DynamoDBClient") -> list[dict[str, Any]]:
    return client.scan(TableName="files")["Items"]


def test_a_file_is_tracked_as_pending_with_everything_needed_to_read_it(
    builder: Builder, client: "DynamoDBClient"
) -> None:
    assert builder.take_in([message(body(record()))]) == {"batchItemFailures": []}
    (item,) = items(client)
    assert item == {
        "date_prefix": {"S": "2026-01-02"},
        "file_key": {"S": "incoming/a.ndjson#v1"},
        "status": {"S": "pending"},
        "bucket": {"S": "landing"},
        "object_key": {"S": "incoming/a.ndjson"},
        "version_id": {"S": "v1"},
        "size": {"N": "3"},
        "etag": {"S": "e"},
        "arrived_at": {"S": "2026-01-02T23:30:00.000Z"},
        "tracked_at": {"S": "2026-01-03T12:00:00.123Z"},
        "ttl": {"N": str(int(NOW.timestamp()) + 400 * 86_400)},
        "schemaVersion": {"N": "1"},
    }


def test_a_retried_message_tracks_the_file_once(builder: Builder, client: "DynamoDBClient") -> None:
    for _ in range(3):
        assert builder.take_in([message(body(record()))]) == {"batchItemFailures": []}
    assert len(items(client)) == 1


def test_a_repeat_leaves_a_file_in_the_state_it_has_reached(builder: Builder, client: "DynamoDBClient") -> None:
    builder.take_in([message(body(record()))])
    client.update_item(
        TableName="files",
        Key={"date_prefix": {"S": "2026-01-02"}, "file_key": {"S": "incoming/a.ndjson#v1"}},
        UpdateExpression="SET #s = :processed",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":processed": {"S": "processed"}},
    )
    builder.take_in([message(body(record()))])
    assert [item["status"]["S"] for item in items(client)] == ["processed"]


def test_one_bad_message_goes_back_alone(builder: Builder, client: "DynamoDBClient") -> None:
    answer = builder.take_in(
        [
            message(body(record("incoming/a")), "good"),
            message("not json", "bad"),
            message(body(record("incoming/b")), "too"),
        ]
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(items(client)) == 2


def test_a_table_that_cannot_be_written_sends_the_message_back(builder: Builder, client: "DynamoDBClient") -> None:
    client.delete_table(TableName="files")
    assert builder.take_in([message(body(record()))]) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


def test_no_key_body_or_name_reaches_a_log(client: "DynamoDBClient", capsys: pytest.CaptureFixture[str]) -> None:
    builder = built(client)  # here, not in a fixture: its log holds on to the standard output of this moment
    canary = record("incoming/canary-key")
    canary["s3"]["bucket"]["name"] = "canary-bucket"
    builder.take_in([message(body(canary)), message(body(canary)), message('{"canary": "body"}')])
    logged = capsys.readouterr().out
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {line["message"] for line in lines} == {"batch_taken_in", "file_already_tracked", "message_refused"}
    assert "canary" not in logged
