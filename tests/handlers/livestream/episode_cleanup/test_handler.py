"""Cleanup function: it removes all data of the deleted episode that a message names, and nothing else."""

import json
from typing import Any
from unittest.mock import Mock

import pytest

from handlers.common.ids import new_id
from handlers.livestream.episode_cleanup import handler as cleanup
from handlers.livestream.episode_table import DeletedEpisode
from tests.handlers.livestream.harness import ANN, BOB, BUCKET, Harness, deliver, error

COMPLETE = {"items": 31, "objects": 10, "events": 3, "records": 202}
"""Number of each kind of data of an episode that `create_episode_with_data` creates."""
REMOVED = {"items": 1, "objects": 0, "events": 0, "records": 0}
"""The remaining item is the tombstone."""


def create_episode_with_data(harness: Harness) -> str:
    """Create an episode of Ann with findings, objects of several versions, an incomplete upload and memories."""
    episode = harness.create_episode()
    harness.store_findings(episode, *range(30))
    for prefix in ("videos", "transcripts", "chunks"):
        key = f"{prefix}/{ANN}/{episode}/a"
        for content in (b"1", b"2"):
            harness.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        harness.s3.delete_object(Bucket=BUCKET, Key=key)
    harness.s3.create_multipart_upload(Bucket=BUCKET, Key=f"videos/{ANN}/{episode}/b")
    for number in range(3):
        harness.memory.create_event(actorId=ANN, sessionId=episode, clientToken=f"{episode}{number}")
    harness.memory.records[f"/summaries/{ANN}/{episode}/"] = [f"summary-{episode}"]
    harness.memory.records[f"/facts/{ANN}/{episode}/"] = [f"fact-{number}-{episode}" for number in range(201)]
    return episode


def remaining(harness: Harness, episode: str) -> dict[str, int]:
    """Return how much of each kind is stored for an episode of Ann."""
    versions = harness.s3.list_object_versions(Bucket=BUCKET)
    objects = [*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())]
    objects += harness.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
    memory = harness.memory
    return {
        "items": sum(item["pk"] == f"EPISODE#{ANN}#{episode}" for item in harness.stored_items()),
        "objects": sum(f"/{ANN}/{episode}/" in entry["Key"] for entry in objects),
        "events": sum(event["sessionId"] == episode for event in memory.events),
        "records": sum(len(ids) for name, ids in memory.records.items() if f"/{ANN}/{episode}/" in name),
    }


def message(episode: str) -> str:
    return DeletedEpisode(owner=ANN, episode_id=episode).model_dump_json(by_alias=True)


def clean_up(*bodies: str) -> list[int]:
    """Deliver a batch of messages. Return the indexes of those that SQS must deliver again."""
    return deliver(cleanup.handler, *bodies)


def test_a_deletion_removes_all_data_of_its_episode_and_no_other_data(harness: Harness) -> None:
    deleted_episode, kept_episode = (create_episode_with_data(harness) for _ in range(2))
    harness.create_episode(owner=BOB, episodeId=deleted_episode)
    harness.call("deleteEpisode", episode_id=deleted_episode)
    assert remaining(harness, deleted_episode) == COMPLETE
    assert clean_up(message(deleted_episode), message(kept_episode)) == []
    assert remaining(harness, deleted_episode) == REMOVED
    assert remaining(harness, kept_episode) == COMPLETE, "an episode that is not deleted is ignored"
    assert harness.call("getEpisode", episode_id=deleted_episode, owner=BOB).status == 200
    assert clean_up(message(deleted_episode)) == [], "a repeated message finds nothing"


def test_an_episode_whose_tombstone_has_expired_is_cleaned_up(harness: Harness) -> None:
    episode = new_id()
    harness.memory.create_event(actorId=ANN, sessionId=episode, clientToken="1")
    assert clean_up(message(episode)) == []
    assert harness.memory.events == []


def test_a_deletion_that_fails_in_part_is_completed_by_later_deliveries(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = create_episode_with_data(harness)
    harness.call("deleteEpisode", episode_id=episode)
    failures: tuple[tuple[Any, str, Any], ...] = (
        (cleanup._cleanup().s3, "abort_multipart_upload", Mock(side_effect=error("InternalError"))),
        (cleanup._cleanup().s3, "delete_objects", lambda **_: {"Errors": [{}]}),
        (harness.memory, "undeletable", {f"summary-{episode}"}),
        (harness.dynamodb, "delete_item", Mock(side_effect=error("InternalServerError"))),
    )
    for target, name, value in failures:
        with monkeypatch.context() as patched:
            patched.setattr(target, name, value, raising=False)
            assert clean_up(message(episode)) == [0], name
    assert clean_up(message(episode)) == []
    assert remaining(harness, episode) == REMOVED


def test_an_invalid_message_is_returned_and_the_others_are_processed(harness: Harness) -> None:
    episode = create_episode_with_data(harness)
    harness.call("deleteEpisode", episode_id=episode)
    hostile = [json.loads(message(episode)) | change for change in ({"owner": "x/.."}, {"episodeId": "../x"})]
    assert clean_up("no JSON", *map(json.dumps, hostile), message(episode)) == [0, 1, 2]
    assert remaining(harness, episode) == REMOVED
