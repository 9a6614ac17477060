"""The manifest builder tracks each version once, returns only failed messages, and creates manifests of pending files."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from handlers.ingestion.manifest import Manifest
from handlers.ingestion.manifest_builder import handler
from tests.handlers.ingestion.conftest import NOW, MotoAws
from tests.handlers.ingestion.fake_cloud import client_error
from tests.handlers.ingestion.manifest_builder.harness import (
    MANIFEST_ID,
    FailingStart,
    arrival,
    arrivals,
    create_builder,
    message,
)
from tests.handlers.ingestion.s3_messages import body, record


def test_a_file_is_tracked_as_pending_with_everything_needed_to_read_it(aws: MotoAws) -> None:
    assert create_builder(aws).handle([message(body(arrival("incoming/a.ndjson")))]) == {"batchItemFailures": []}
    (item,) = aws.records().values()
    assert item.pop("open_shard")["S"] in {"pending#0", "pending#1"}
    assert item == {
        "date_prefix": {"S": "2026-01-03"},
        "file_key": {"S": "incoming/a.ndjson#v1"},
        "status": {"S": "pending"},
        "open_since": {"S": "2026-01-03T12:00:00.123Z"},
        "bucket": {"S": "landing"},
        "object_key": {"S": "incoming/a.ndjson"},
        "version_id": {"S": "v1"},
        "size": {"N": "3"},
        "etag": {"S": "e"},
        "arrived_at": {"S": "2026-01-03T11:59:58.000Z"},
        "tracked_at": {"S": "2026-01-03T12:00:00.123Z"},
        "ttl": {"N": str(int(NOW.timestamp()) + 400 * 86_400)},
        "schemaVersion": {"N": "1"},
    }


def test_a_retried_message_tracks_the_file_once_and_does_not_change_its_status(aws: MotoAws) -> None:
    create_builder(aws, size=1).handle(arrivals("a"))
    before = aws.records()
    assert before["incoming/a.ndjson#v1"]["status"]["S"] == "manifested"
    for _ in range(2):
        assert create_builder(aws, size=1).handle(arrivals("a")) == {"batchItemFailures": []}
    assert aws.records() == before


def test_only_the_invalid_message_of_a_batch_is_delivered_again(aws: MotoAws) -> None:
    answer = create_builder(aws).handle([*arrivals("a"), message("not json", "bad"), *arrivals("b")])
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(aws.records()) == 2


def test_a_message_is_delivered_again_if_the_table_cannot_be_written(aws: MotoAws) -> None:
    aws.dynamodb.delete_table(TableName="files")
    assert create_builder(aws).handle(arrivals("a", "b")) == {
        "batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]
    }


def test_a_file_that_cannot_be_processed_is_rejected_with_its_reason(aws: MotoAws) -> None:
    refused = arrival("incoming/picture.png")
    assert create_builder(aws, size=1).handle([message(body(refused))]) == {"batchItemFailures": []}
    (item,) = aws.records().values()
    assert (item["status"]["S"], item["reason"]["S"]) == ("rejected", "SUFFIX_NOT_ALLOWED")
    assert "open_shard" not in item, "a rejected file is not open"
    assert aws.executions() == []


def test_a_late_or_multipart_file_is_checked_under_the_adjacent_dates(aws: MotoAws) -> None:
    aws.dynamodb.put_item(
        TableName="files",
        Item={
            "date_prefix": {"S": "2026-01-02"},
            "file_key": {"S": "incoming/a.ndjson#v1"},
            "status": {"S": "processed"},
        },
    )
    parts = arrival("incoming/a.ndjson") | {"eventName": "ObjectCreated:CompleteMultipartUpload"}
    late = arrival("incoming/a.ndjson") | {"eventTime": "2026-01-03T00:00:01.000Z"}
    assert create_builder(aws).handle([message(body(parts)), message(body(late), "m2")]) == {"batchItemFailures": []}
    assert aws.statuses() == {"incoming/a.ndjson#v1": "processed"}
    assert len(aws.dynamodb.scan(TableName="files")["Items"]) == 1


def test_a_full_manifest_is_listed_started_and_recorded_and_its_files_are_marked(aws: MotoAws) -> None:
    create_builder(aws).handle(arrivals("a", "b", "c", "d"))
    listed = Manifest.model_validate_json(
        aws.s3.get_object(Bucket="lake", Key=f"manifests/{MANIFEST_ID}.json")["Body"].read()
    )
    assert [file.key for file in listed.files] == [f"incoming/{name}.ndjson" for name in _listed(aws)]
    assert aws.executions() == [listed.execution_name]
    found = aws.records()
    manifest = found.pop(f"MANIFEST#{MANIFEST_ID}")
    assert manifest["execution_arn"]["S"].endswith(listed.execution_name)
    assert (manifest["status"]["S"], manifest["file_count"]["N"], manifest["date_prefix"]["S"]) == (
        "running",
        "3",
        "2026-01-03",
    )
    states = sorted(item["status"]["S"] for item in found.values())
    assert states == ["manifested", "manifested", "manifested", "pending"]


def _listed(aws: MotoAws) -> list[str]:
    document = json.loads(aws.s3.get_object(Bucket="lake", Key=f"manifests/{MANIFEST_ID}.json")["Body"].read())
    return [file["key"].removeprefix("incoming/").removesuffix(".ndjson") for file in document["files"]]


def test_a_backlog_becomes_several_manifests_with_parallel_calls(aws: MotoAws) -> None:
    create_builder(aws, workers=8).handle(arrivals(*(str(number) for number in range(7))))
    assert len(aws.executions()) == 2
    assert sorted(aws.statuses().values()) == ["manifested"] * 6 + ["pending"] + ["running"] * 2


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ([4, 4, 3], 2),
        ([4, 4, 2], 3),
        ([11, 1, 1], 1),  # one file alone exceeds the limit
        ([1, 11, 1], 1),
    ],
)
def test_a_manifest_does_not_exceed_the_size_limit_and_the_other_files_keep_their_position(
    aws: MotoAws, sizes: list[int], taken: int
) -> None:
    names = [chr(ord("a") + number) for number in range(len(sizes))]
    builder = create_builder(aws, size=9, most_bytes=10)
    for name, size in zip(names, sizes, strict=True):
        builder.track_files([message(body(arrival(f"incoming/{name}.ndjson", size=size)))])
    places = aws.records()
    create_builder(aws, size=3, most_bytes=10).create_manifests()
    kept = _listed(aws)
    assert len(kept) == taken
    found = aws.records()
    for name in names:
        key = f"incoming/{name}.ndjson#v1"
        if name in kept:
            assert found[key]["status"]["S"] == "manifested"
        else:
            assert found[key] == places[key]


def test_files_beyond_the_size_limit_go_into_the_next_manifest_of_the_same_invocation(aws: MotoAws) -> None:
    create_builder(aws, most_bytes=6).handle(arrivals(*(str(number) for number in range(7))))
    assert sorted(aws.statuses().values()) == ["manifested"] * 6 + ["pending"] + ["running"] * 3


@pytest.mark.parametrize("code", ["AccessDeniedException", "StateMachineDoesNotExist", "ExecutionLimitExceeded"])
def test_a_refused_start_leaves_no_orphaned_record_and_releases_the_files(aws: MotoAws, code: str) -> None:
    before = create_builder(aws, size=4)
    before.handle(arrivals("a", "b", "c"))
    untouched = aws.records()
    starting = FailingStart(aws, client_error(code, "StartExecution"))
    assert create_builder(aws, stepfunctions=starting).handle([]) == {"batchItemFailures": []}
    assert aws.records() == untouched, "the records are unchanged, with position and age"


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="states"),
        client_error("InternalFailure", "StartExecution", 500),
        client_error("ThrottlingException", "StartExecution"),
        ClientError(
            {
                "Error": {"Code": "AccessDeniedException"},
                "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 1},  # type: ignore[typeddict-item]
            },
            "StartExecution",
        ),
    ],
    ids=["timeout", "server error", "throttled", "refused only when tried again"],
)
def test_a_start_with_unknown_outcome_keeps_the_claims_for_the_sweeper(aws: MotoAws, error: Exception) -> None:
    answer = create_builder(aws, stepfunctions=FailingStart(aws, error)).handle(arrivals("a", "b", "c"))
    assert answer == {"batchItemFailures": []}, "the messages are done, because their files are tracked"
    assert set(aws.statuses().values()) == {"claimed"}


def test_an_execution_that_already_exists_counts_as_started(aws: MotoAws) -> None:
    starting = FailingStart(aws, client_error("ExecutionAlreadyExists", "StartExecution"))
    create_builder(aws, stepfunctions=starting).handle(arrivals("a", "b", "c"))
    assert aws.statuses()[f"MANIFEST#{MANIFEST_ID}"] == "running"


class FailingTable:
    """Table that refuses updates of records with a key prefix."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **given: Any) -> Any:
        if given["Key"]["file_key"]["S"].startswith(self._prefix):
            raise client_error("InternalServerError", "UpdateItem", 500)
        return self._client.update_item(**given)


def test_a_manifest_record_that_cannot_be_written_is_logged_and_fails_nothing(
    aws: MotoAws, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = create_builder(aws, dynamodb=FailingTable(aws.dynamodb, "MANIFEST#")).handle(arrivals("a", "b", "c"))
    assert answer == {"batchItemFailures": []}
    assert len(aws.executions()) == 1
    assert set(aws.statuses().values()) == {"claimed"}, (
        "not manifested, because there is no record with which the sweeper finds them"
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "manifest_record_failed" in {line["message"] for line in lines}


def test_an_error_during_the_creation_of_manifests_fails_no_message(aws: MotoAws) -> None:
    answer = create_builder(aws, dynamodb=FailingTable(aws.dynamodb, "incoming/")).handle(arrivals("a", "b", "c"))
    assert answer == {"batchItemFailures": []}
    assert set(aws.statuses().values()) == {"pending"}


def test_the_files_are_released_if_the_list_cannot_be_written(aws: MotoAws) -> None:
    aws.s3.delete_bucket(Bucket="lake")
    assert create_builder(aws).handle(arrivals("a", "b", "c")) == {"batchItemFailures": []}
    assert set(aws.statuses().values()) == {"pending"}
    assert aws.executions() == []


def test_no_key_body_or_name_reaches_a_log(aws: MotoAws, capsys: pytest.CaptureFixture[str]) -> None:
    builder = create_builder(
        aws
    )  # not in a fixture, because its log keeps the standard output of the moment of creation
    canaries = [arrival(f"incoming/canary-{number}.ndjson") for number in range(3)]
    for canary in canaries:
        canary["s3"]["bucket"]["name"] = "canary-bucket"
    builder.handle([message(body(*canaries)), message(body(canaries[0])), message('{"canary": "body"}')])
    builder.handle([message(body(arrival("incoming/canary.png")))])
    logged = capsys.readouterr().out
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {line["message"] for line in lines} == {
        "batch_taken_in",
        "file_already_tracked",
        "message_refused",
        "file_rejected",
        "manifest_started",
    }
    assert "canary" not in logged


def test_the_function_tracks_files_and_creates_manifests(aws: MotoAws, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "MANIFEST_TABLE_NAME": "files",
        "RECORD_DAYS": "400",
        "FILES_PER_MANIFEST": "1",
        "LAKE_BUCKET": "lake",
        "STATE_MACHINE_ARN": aws.state_machine_arn,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    handler._builder.cache_clear()
    new_record = record("incoming/a.ndjson", eventTime=datetime.now(UTC).isoformat())
    assert handler.handler({"Records": [message(body(new_record))]}, None) == {"batchItemFailures": []}
    assert aws.statuses()["incoming/a.ndjson#v1"] == "manifested"
    handler._builder.cache_clear()
