"""Cleanup function: it removes all data of the deleted episode that a message names, and nothing else."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from handlers.common.aws import CONFIG
from handlers.common.ids import new_id
from handlers.livestream.deletions import DeletedEpisode
from handlers.livestream.episode_cleanup import handler as cleanup
from tests.handlers.livestream.rest_api_harness import ANN, BOB, BUCKET, TABLE, ApiHarness, cached_client
from tests.handlers.livestream.transcript_harness import failing_call


@dataclass
class FakeMemory:
    """AgentCore client with the memory of several sessions. Lists have two entries per page.

    Listing the events of an unknown session is an error, as in AgentCore.
    """

    events: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Ids of events by actor and session."""
    records: dict[str, list[str]] = field(default_factory=dict)
    """Ids of memory records by namespace."""
    undeletable: set[str] = field(default_factory=set)
    """Ids of memory records that AgentCore fails to delete."""

    def list_events(self, *, actorId: str, sessionId: str, nextToken: str = "0", **_: Any) -> Mapping[str, Any]:  # noqa: N803
        if (actorId, sessionId) not in self.events:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "canary"}}, "ListEvents")
        return self._page(self.events[actorId, sessionId], "eventId", "events", nextToken)

    def delete_event(self, *, actorId: str, sessionId: str, eventId: str, **_: Any) -> Mapping[str, Any]:  # noqa: N803
        self.events[actorId, sessionId].remove(eventId)
        return {}

    def list_memory_records(self, *, namespace: str, nextToken: str = "0", **_: Any) -> Mapping[str, Any]:  # noqa: N803
        return self._page(self.records.get(namespace, []), "memoryRecordId", "memoryRecordSummaries", nextToken)

    def batch_delete_memory_records(self, *, records: list[dict[str, str]], **_: Any) -> Mapping[str, Any]:
        assert 1 <= len(records) <= 100, "the service accepts at most 100 records"
        deleted = {record["memoryRecordId"] for record in records} - self.undeletable
        for namespace, ids in self.records.items():
            self.records[namespace] = [record_id for record_id in ids if record_id not in deleted]
        return {"failedRecords": [record for record in records if record["memoryRecordId"] not in deleted]}

    def _page(self, ids: list[str], id_field: str, list_field: str, token: str) -> Mapping[str, Any]:
        end = int(token) + 2
        next_page = {"nextToken": str(end)} if end < len(ids) else {}
        return {list_field: [{id_field: item_id} for item_id in ids[int(token) : end]], **next_page}


@dataclass
class CleanupHarness:
    api: ApiHarness
    memory: FakeMemory = field(default_factory=FakeMemory)

    def create_episode_with_data(self) -> str:
        """Create an episode of Ann with findings, objects of several versions, an incomplete upload and memories."""
        episode = self.api.create_episode()
        for number in range(30):
            self.api.store_claim(episode, number)
        for prefix in ("videos", "transcripts", "chunks"):
            key = f"{prefix}/{ANN}/{episode}/a"
            for content in (b"1", b"2"):
                self.api.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
            self.api.s3.delete_object(Bucket=BUCKET, Key=key)
        self.api.s3.create_multipart_upload(Bucket=BUCKET, Key=f"videos/{ANN}/{episode}/b")
        self.memory.events[ANN, episode] = ["1", "2", "3"]
        self.memory.records[f"/summaries/{ANN}/{episode}/"] = [f"summary-{episode}"]
        self.memory.records[f"/facts/{ANN}/{episode}/"] = [f"fact-{number}-{episode}" for number in range(201)]
        return episode

    def remaining(self, episode: str) -> dict[str, int]:
        """Return how much of each kind is stored for an episode of Ann."""
        s3 = self.api.s3
        versions = s3.list_object_versions(Bucket=BUCKET)
        objects = [*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())]
        objects += s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
        return {
            "items": sum(item["pk"]["S"] == f"EPISODE#{ANN}#{episode}" for item in self.api.stored_items()),
            "objects": sum(f"/{ANN}/{episode}/" in entry["Key"] for entry in objects),
            "events": len(self.memory.events.get((ANN, episode), [])),
            "records": sum(len(ids) for name, ids in self.memory.records.items() if f"/{ANN}/{episode}/" in name),
        }

    def deliver(self, *bodies: str) -> list[str]:
        """Deliver a batch of messages. Return the ids of those that SQS must deliver again: their numbers."""
        records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
        failures = cleanup.handler({"Records": records}, None)["batchItemFailures"]
        return [failure["itemIdentifier"] for failure in failures]


COMPLETE = {"items": 31, "objects": 10, "events": 3, "records": 202}
REMOVED = {"items": 1, "objects": 0, "events": 0, "records": 0}
"""The remaining item is the tombstone."""


def message(episode: str, owner: str = ANN) -> str:
    return DeletedEpisode(owner=owner, episode_id=episode).model_dump_json(by_alias=True)


@pytest.fixture
def harness_of_cleanup(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[CleanupHarness]:
    environment = {
        "TABLE_NAME": TABLE,
        "BUCKET_NAME": BUCKET,
        "MEMORY_ID": "memory-1",
        "SUMMARY_NAMESPACE": "/summaries/{actorId}/{sessionId}/",
        "FACT_NAMESPACE": "/facts/{actorId}/{sessionId}/",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    harness.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    opened = CleanupHarness(harness)
    monkeypatch.setattr(
        boto3,
        "client",
        lambda service, config: opened.memory if service == "bedrock-agentcore" else cached_client(service, config),
    )
    cleanup._cleanup.cache_clear()
    yield opened
    cleanup._cleanup.cache_clear()


def test_a_deletion_removes_all_data_of_its_episode_and_no_other_data(harness_of_cleanup: CleanupHarness) -> None:
    api = harness_of_cleanup.api
    deleted_episode, kept_episode = (harness_of_cleanup.create_episode_with_data() for _ in range(2))
    api.create_episode(owner=BOB, episodeId=deleted_episode)
    api.call("deleteEpisode", episode_id=deleted_episode)
    assert harness_of_cleanup.remaining(deleted_episode) == COMPLETE
    assert harness_of_cleanup.deliver(message(deleted_episode)) == []
    assert harness_of_cleanup.remaining(deleted_episode) == REMOVED
    assert harness_of_cleanup.remaining(kept_episode) == COMPLETE
    assert api.call("getEpisode", episode_id=deleted_episode, owner=BOB).status == 200
    assert harness_of_cleanup.deliver(message(deleted_episode)) == [], "a repeated message finds nothing"


def test_a_message_of_an_episode_that_is_not_deleted_changes_nothing(harness_of_cleanup: CleanupHarness) -> None:
    episode = harness_of_cleanup.create_episode_with_data()
    assert harness_of_cleanup.deliver(message(episode)) == []
    assert harness_of_cleanup.remaining(episode) == COMPLETE


def test_an_episode_whose_tombstone_has_expired_is_cleaned_up(harness_of_cleanup: CleanupHarness) -> None:
    episode = new_id()
    harness_of_cleanup.memory.events[ANN, episode] = ["1"]
    assert harness_of_cleanup.deliver(message(episode)) == []
    assert harness_of_cleanup.memory.events[ANN, episode] == []


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("s3", "AbortMultipartUpload"),
        ("s3", "DeleteObjects"),
        ("dynamodb", "GetItem"),
        ("dynamodb", "BatchWriteItem"),
    ],
)
def test_a_deletion_whose_call_fails_is_completed_by_the_next_delivery(
    harness_of_cleanup: CleanupHarness, service: str, operation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    episode = harness_of_cleanup.create_episode_with_data()
    harness_of_cleanup.api.call("deleteEpisode", episode_id=episode)
    with failing_call(cached_client(service, CONFIG), operation, RuntimeError("canary")):
        assert harness_of_cleanup.deliver(message(episode)) == ["0"]
    assert harness_of_cleanup.deliver(message(episode)) == []
    assert harness_of_cleanup.remaining(episode) == REMOVED
    log_output = capsys.readouterr().out
    assert "RuntimeError" in log_output
    assert "canary" not in log_output


def test_a_deletion_is_repeated_until_all_memory_records_are_deleted(harness_of_cleanup: CleanupHarness) -> None:
    episode = harness_of_cleanup.create_episode_with_data()
    harness_of_cleanup.api.call("deleteEpisode", episode_id=episode)
    harness_of_cleanup.memory.undeletable = {f"summary-{episode}"}
    assert harness_of_cleanup.deliver(message(episode)) == ["0"]
    harness_of_cleanup.memory.undeletable = set()
    assert harness_of_cleanup.deliver(message(episode)) == []
    assert harness_of_cleanup.remaining(episode) == REMOVED


@pytest.mark.parametrize("response", ["Errors", "UnprocessedItems"])
def test_a_partial_deletion_is_repeated(
    harness_of_cleanup: CleanupHarness, response: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, method = ("s3", "delete_objects") if response == "Errors" else ("dynamodb", "batch_write_item")
    episode = harness_of_cleanup.create_episode_with_data()
    harness_of_cleanup.api.call("deleteEpisode", episode_id=episode)
    with monkeypatch.context() as patched:
        client = cached_client(service, CONFIG)
        patched.setattr(client, method, lambda **_: {response: {"canary": 1}}, raising=False)
        assert harness_of_cleanup.deliver(message(episode)) == ["0"]
    assert harness_of_cleanup.deliver(message(episode)) == []
    assert harness_of_cleanup.remaining(episode) == REMOVED


def test_an_invalid_message_is_returned_and_the_others_are_processed(
    harness_of_cleanup: CleanupHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    episode = harness_of_cleanup.create_episode_with_data()
    harness_of_cleanup.api.call("deleteEpisode", episode_id=episode)
    hostile = [json.loads(message(episode)) | change for change in ({"owner": "canary/.."}, {"episodeId": "../canary"})]
    bodies = ["canary", *map(json.dumps, hostile), message(episode)]
    assert harness_of_cleanup.deliver(*bodies) == ["0", "1", "2"]
    assert harness_of_cleanup.remaining(episode) == REMOVED
    assert "canary" not in capsys.readouterr().out
