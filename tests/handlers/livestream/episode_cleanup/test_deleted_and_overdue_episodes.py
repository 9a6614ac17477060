"""Cleanup function: it removes the data of deleted episodes, and marks overdue tracks as failed.

A track is the processing state of an episode's video or transcript. It is overdue if it waits for an event for longer
than a limit. The sweep, a scheduled run of the function, finds overdue tracks, and deleted episodes whose event was
lost. It checks only episodes in the sweep index, from 15 minutes after the time that the index contains for each of
them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.common.ids import timestamp
from handlers.livestream.episode_cleanup.agent_memory_deletion import AgentMemoryCleaner
from handlers.livestream.episode_cleanup.cleanup_table_gateway import CleanupTable
from handlers.livestream.episode_cleanup.deleted_and_overdue_episodes import SWEEP_GRACE_PERIOD, EpisodeCleaner
from handlers.livestream.episode_cleanup.s3_object_deletion import EpisodeObjects, ObjectsNotDeleted
from handlers.livestream.keys import UploadKey, window_key
from handlers.livestream.table_item_deletion import ItemsNotDeleted
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.video_chunks.video_and_job_events import UploadedVideo
from tests.handlers.livestream.rest_api_harness import ANN, BOB, BUCKET, TABLE, ApiHarness
from tests.handlers.livestream.video_chunks import video_processing_harness
from tests.handlers.livestream.video_chunks.video_processing_harness import object_created, upload_completed

HOUR = timedelta(hours=1)
LIMITS = {
    TrackState.REQUESTED: 4 * HOUR,
    TrackState.UPLOADED: 1 * HOUR,
    TrackState.CHUNKING: 6 * HOUR,
    TrackState.ANALYZING: 2 * HOUR,
}
NAMESPACES = ["/summaries/{actorId}/{sessionId}/", "/facts/{actorId}/{sessionId}/"]


@dataclass
class FakeAgentCoreClient:
    """AgentCore client with the fact-check agent's memory of several sessions. Lists have two entries per page.

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
    """Cleanup function on the harness's table and bucket, with a fake AgentCore client."""

    harness: ApiHarness
    memory: FakeAgentCoreClient = field(default_factory=FakeAgentCoreClient)
    limits: Mapping[TrackState, timedelta] = field(default_factory=lambda: LIMITS)

    @property
    def cleaner(self) -> EpisodeCleaner:
        memory: Any = self.memory
        return EpisodeCleaner(
            CleanupTable(self.harness.dynamodb, TABLE),
            EpisodeObjects(self.harness.s3, BUCKET),
            AgentMemoryCleaner(memory, "memory", NAMESPACES),
            limits=self.limits,
            budget=timedelta(minutes=1),
            clock=lambda: self.harness.now,
            log=self.harness.log,
        )

    def sweep(self) -> dict[str, int]:
        return self.cleaner.sweep()

    def deliver_event(self, detail: Mapping[str, object], **envelope: object) -> list[str]:
        """Deliver a deletion event; return the messages that must be delivered again."""
        event = {"source": "polyphony-test.livestream", "detail-type": "Episode Deleted", "detail": detail, **envelope}
        answer = self.cleaner.handle([{"messageId": "m", "body": json.dumps(event)}])
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def deliver_published_events(self) -> list[str]:
        """Deliver all deletion events that the API published."""
        return [message for _, detail in self.harness.published for message in self.deliver_event(detail)]

    def sweep_index_keys(self) -> list[str]:
        """Return the sort keys of the sweep index."""
        return sorted(item["GSI2SK"]["S"] for item in self.harness.stored_items() if "GSI2SK" in item)


@pytest.fixture
def cleanup(harness: ApiHarness) -> CleanupHarness:
    return CleanupHarness(harness)


def request_upload(harness: ApiHarness, episode: str | None = None, kind: str = "video") -> tuple[str, str]:
    """Request an upload for an episode, by default a new one. Return the ids of both."""
    episode = episode or harness.create_episode()
    content_type = "video/mp4" if kind == "video" else "text/vtt"
    request = {"kind": kind, "contentType": content_type, "bytes": 100}
    answer = harness.call("requestUpload", request, episode_id=episode)
    assert answer.status == 201
    return episode, answer.body["uploadId"]


def advance(
    harness: ApiHarness, episode: str, upload: str, state: TrackState, kind: TrackKind = TrackKind.VIDEO
) -> None:
    """Move a track to a state, as an event at the current time does."""
    assert harness.table.advance_track(ANN, episode, kind, TrackUpdate(upload, state, timestamp(harness.now)))


def track_state(harness: ApiHarness, episode: str, kind: str = "video") -> tuple[str, str | None]:
    """Return state and failure reason of a track."""
    track = harness.call("getEpisode", episode_id=episode).body[kind]
    return track["state"], track.get("reason")


def remaining_keys(harness: ApiHarness, episode: str) -> set[str]:
    """Return the sort keys of an episode's items."""
    return {item["sk"]["S"] for item in harness.stored_items() if item["pk"]["S"].endswith(episode)}


@pytest.mark.parametrize(
    ("state", "reason"),
    [(TrackState.REQUESTED, "NEVER_UPLOADED"), (TrackState.UPLOADED, "TIMED_OUT"), (TrackState.CHUNKING, "TIMED_OUT")],
)
def test_the_sweep_fails_an_overdue_track_with_a_reason(
    harness: ApiHarness, cleanup: CleanupHarness, state: TrackState, reason: str
) -> None:
    episode, upload = request_upload(harness)
    if state is not TrackState.REQUESTED:
        advance(harness, episode, upload, state)
    harness.now += LIMITS[state]
    sweep_counts = cleanup.sweep()
    assert (sweep_counts["checked"], sweep_counts["never_uploaded"] + sweep_counts["timed_out"]) == (1, 0)
    assert track_state(harness, episode) == (state.value, None)
    harness.advance_time(seconds=1)
    sweep_counts = cleanup.sweep()
    assert sweep_counts[reason.lower()] == 1
    assert track_state(harness, episode) == ("failed", reason)
    assert harness.call("getEpisode", episode_id=episode).body["status"] == "failed"


def test_the_sweep_fails_an_overdue_transcript_and_not_the_video_with_a_longer_limit(
    harness: ApiHarness, cleanup: CleanupHarness
) -> None:
    episode, upload = request_upload(harness)
    _, transcript = request_upload(harness, episode, "transcript")
    advance(harness, episode, transcript, TrackState.ANALYZING, TrackKind.TRANSCRIPT)
    advance(harness, episode, upload, TrackState.CHUNKING)
    harness.advance_time(hours=3)
    cleanup.sweep()
    assert track_state(harness, episode, "transcript") == ("failed", "TIMED_OUT")
    assert track_state(harness, episode) == ("chunking", None)
    assert cleanup.sweep_index_keys(), "the episode must stay in the sweep index because of its video"
    advance(harness, episode, upload, TrackState.CHUNKED)
    cleanup.sweep()
    assert not cleanup.sweep_index_keys()


@pytest.mark.parametrize("state", [TrackState.UPLOADED, TrackState.CHUNKING])
def test_a_track_that_resumes_after_a_timeout_is_swept_again(
    harness: ApiHarness, cleanup: CleanupHarness, state: TrackState
) -> None:
    episode, upload = request_upload(harness)
    harness.advance_time(hours=5)
    assert cleanup.sweep()["never_uploaded"] == 1
    cleanup.sweep()
    assert not cleanup.sweep_index_keys()
    advance(harness, episode, upload, state)
    assert track_state(harness, episode) == (state.value, None)
    harness.now += LIMITS[state] + timedelta(seconds=1)
    assert cleanup.sweep()["timed_out"] == 1
    assert track_state(harness, episode) == ("failed", "TIMED_OUT")


def test_a_timed_out_video_is_still_cut_into_chunks_when_its_events_arrive(
    harness: ApiHarness, cleanup: CleanupHarness
) -> None:
    table: Any = harness.table
    videos = video_processing_harness.VideoHarness(table)
    episode, upload = request_upload(harness)
    key_parts = UploadKey(ANN, episode, upload, "mp4")
    uploaded_video = UploadedVideo(f"videos/{ANN}/{episode}/{upload}.mp4", "v1", key_parts, 100)
    harness.advance_time(hours=5)
    assert cleanup.sweep()["never_uploaded"] == 1
    assert videos.handle(object_created(uploaded_video)) == []
    assert len(videos.services.published) == 1
    harness.advance_time(hours=2)
    assert cleanup.sweep()["timed_out"] == 1
    assert videos.handle(upload_completed(uploaded_video), upload_completed(uploaded_video)) == []
    assert len(videos.services.jobs) == 1, "the repeated event submits no second job"
    assert track_state(harness, episode) == ("chunking", None)


def test_a_track_that_advanced_since_it_was_read_is_not_failed(harness: ApiHarness, cleanup: CleanupHarness) -> None:
    episode, upload = request_upload(harness)
    table = CleanupTable(harness.dynamodb, TABLE)
    record = table.get(ANN, episode)
    assert record is not None
    harness.advance_time(hours=5)
    advance(harness, episode, upload, TrackState.UPLOADED)
    assert not table.fail_track(record, TrackKind.VIDEO, TrackReason.NEVER_UPLOADED, timestamp(harness.now))
    assert track_state(harness, episode) == ("uploaded", None)


def test_a_sweep_does_not_remove_or_postpone_an_index_entry_that_changed_since_it_was_read(
    harness: ApiHarness, cleanup: CleanupHarness
) -> None:
    episode, _ = request_upload(harness)
    table = CleanupTable(harness.dynamodb, TABLE)
    [entry] = table.list_due("9")  # all entries, because "9" sorts after every time
    harness.advance_time(minutes=1)
    request_upload(harness, episode)
    assert not table.remove_from_sweep(entry)
    assert not table.postpone(entry, "9")
    assert len(cleanup.sweep_index_keys()) == 1


def test_a_recent_upload_request_is_not_read_by_the_sweep(cleanup: CleanupHarness) -> None:
    request_upload(cleanup.harness)
    cleanup.harness.now += SWEEP_GRACE_PERIOD
    with cleanup.harness.counted_calls() as calls:
        assert cleanup.sweep()["checked"] == 0
    assert calls == ["Query"]


def test_a_deletion_removes_all_data_of_its_episode_and_no_other_data(
    harness: ApiHarness, cleanup: CleanupHarness
) -> None:
    deleted_episode, kept_episode = harness.create_episode(), harness.create_episode()
    bobs_episode = harness.create_episode(owner=BOB)
    for episode in (deleted_episode, kept_episode):
        for number in range(30):
            harness.store_claim(episode, number)
        harness.store_clip(episode, 5)
        harness.dynamodb.put_item(
            TableName=TABLE, Item={name: {"S": value} for name, value in window_key(ANN, episode, "k", "v", 0).items()}
        )
        for prefix in ("videos", "transcripts", "chunks"):
            harness.s3.put_object(Bucket=BUCKET, Key=f"{prefix}/{ANN}/{episode}/a", Body=b"1")
        harness.s3.create_multipart_upload(Bucket=BUCKET, Key=f"videos/{ANN}/{episode}/b")
        cleanup.memory.events[ANN, episode] = ["1", "2", "3"]
        cleanup.memory.records[f"/summaries/{ANN}/{episode}/"] = [f"summary-{episode}"]
        cleanup.memory.records[f"/facts/{ANN}/{episode}/"] = [f"fact-{number}-{episode}" for number in range(201)]
    harness.call("deleteEpisode", episode_id=deleted_episode)
    assert cleanup.deliver_published_events() == []
    assert remaining_keys(harness, deleted_episode) == {"EPISODE"}
    assert len(remaining_keys(harness, kept_episode)) == 33, "the episode, 30 claims, a clip and a window"
    assert remaining_keys(harness, bobs_episode) == {"EPISODE"}
    objects = harness.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    uploads = harness.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert {entry["Key"].split("/")[2] for entry in objects} == {kept_episode}
    assert {upload["Key"].split("/")[2] for upload in uploads} == {kept_episode}
    assert cleanup.memory.events == {(ANN, deleted_episode): [], (ANN, kept_episode): ["1", "2", "3"]}
    assert {namespace: len(ids) for namespace, ids in cleanup.memory.records.items()} == {
        f"/summaries/{ANN}/{deleted_episode}/": 0,
        f"/facts/{ANN}/{deleted_episode}/": 0,
        f"/summaries/{ANN}/{kept_episode}/": 1,
        f"/facts/{ANN}/{kept_episode}/": 201,
    }


def test_a_deletion_is_repeated_until_all_memory_records_are_deleted(
    harness: ApiHarness, cleanup: CleanupHarness
) -> None:
    episode = harness.create_episode()
    cleanup.memory.records[f"/facts/{ANN}/{episode}/"] = ["deleted", "failed"]
    cleanup.memory.undeletable = {"failed"}
    harness.call("deleteEpisode", episode_id=episode)
    assert cleanup.deliver_published_events() == ["m"]
    cleanup.memory.undeletable = set()
    assert cleanup.deliver_published_events() == []
    assert cleanup.memory.records[f"/facts/{ANN}/{episode}/"] == []


def test_all_object_versions_and_delete_markers_are_removed(harness: ApiHarness, cleanup: CleanupHarness) -> None:
    harness.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    episode = harness.create_episode()
    key = f"videos/{ANN}/{episode}/a"
    for body in (b"1", b"2"):
        harness.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    harness.s3.delete_object(Bucket=BUCKET, Key=key)
    harness.call("deleteEpisode", episode_id=episode)
    cleanup.deliver_published_events()
    versions = harness.s3.list_object_versions(Bucket=BUCKET)
    assert not versions.get("Versions")
    assert not versions.get("DeleteMarkers")


@pytest.mark.parametrize("is_event_delivered", [True, False])
def test_a_second_cleanup_removes_late_writes_and_there_is_no_third(
    harness: ApiHarness, cleanup: CleanupHarness, is_event_delivered: bool
) -> None:
    """If the deletion event is lost, the sweep does the first cleanup, which it counts as `tidied`."""
    episode = harness.create_episode()
    harness.store_claim(episode, 1)
    harness.call("deleteEpisode", episode_id=episode)
    if is_event_delivered:
        cleanup.deliver_published_events()
    else:
        harness.advance_time(minutes=16)
        assert cleanup.sweep()["tidied"] == 1
    assert remaining_keys(harness, episode) == {"EPISODE"}
    harness.store_claim(episode, 2)
    harness.advance_time(hours=1)
    assert cleanup.sweep()["checked"] == 0, "the second cleanup waits until all work has ended"
    harness.advance_time(hours=6)
    assert cleanup.sweep()["tidied"] == 1
    assert remaining_keys(harness, episode) == {"EPISODE"}
    assert not cleanup.sweep_index_keys()


def test_a_repeated_deletion_event_changes_nothing(harness: ApiHarness, cleanup: CleanupHarness) -> None:
    episode = harness.create_episode()
    harness.call("deleteEpisode", episode_id=episode)
    cleanup.deliver_published_events()
    before = harness.stored_items()
    assert cleanup.deliver_published_events() == []
    assert harness.stored_items() == before


def test_an_existing_episode_is_not_cleaned_up(harness: ApiHarness, cleanup: CleanupHarness) -> None:
    episode = harness.create_episode()
    harness.store_claim(episode, 1)
    assert cleanup.deliver_event({"schemaVersion": 1, "owner": ANN, "episodeId": episode}) == []
    assert len(remaining_keys(harness, episode)) == 2


def test_an_episode_without_its_own_item_is_cleaned_up_too(harness: ApiHarness, cleanup: CleanupHarness) -> None:
    episode = harness.create_episode()
    harness.store_claim(episode, 1)
    harness.call("deleteEpisode", episode_id=episode)
    harness.dynamodb.delete_item(TableName=TABLE, Key={"pk": {"S": f"EPISODE#{ANN}#{episode}"}, "sk": {"S": "EPISODE"}})
    assert cleanup.deliver_published_events() == []
    assert remaining_keys(harness, episode) == set()


@pytest.mark.parametrize(
    ("detail", "envelope"),
    [
        ({}, {}),
        ({"schemaVersion": 1, "owner": "../x", "episodeId": "0" * 26}, {}),
        ({"schemaVersion": 1, "owner": ANN, "episodeId": "0" * 26}, {"source": "aws.s3"}),
        ({"schemaVersion": 1, "owner": ANN, "episodeId": "0" * 26}, {"detail-type": "Video Upload Completed"}),
    ],
)
def test_an_invalid_event_returns_to_the_queue(
    cleanup: CleanupHarness, detail: dict[str, object], envelope: dict[str, object]
) -> None:
    assert cleanup.deliver_event(detail, **envelope) == ["m"]


def test_the_failure_of_one_episode_does_not_stop_the_sweep(
    harness: ApiHarness, cleanup: CleanupHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = harness.create_episode(), harness.create_episode()
    for episode in (first, second):
        harness.store_claim(episode, 1)
        harness.call("deleteEpisode", episode_id=episode)
    delete_session = AgentMemoryCleaner.delete_session

    def fail_for_first(self: AgentMemoryCleaner, actor: str, session: str) -> None:
        if session == first:
            raise RuntimeError("canary")
        delete_session(self, actor, session)

    monkeypatch.setattr(AgentMemoryCleaner, "delete_session", fail_for_first)
    harness.advance_time(minutes=16)
    sweep_counts = cleanup.sweep()
    assert (sweep_counts["checked"], sweep_counts["tidied"], sweep_counts["failed"]) == (2, 1, 1)
    assert "CLAIM#0000000001#claim-1" in remaining_keys(harness, first)
    assert remaining_keys(harness, second) == {"EPISODE"}
    assert "canary" not in capsys.readouterr().out
    monkeypatch.undo()
    assert cleanup.sweep()["tidied"] == 1


def test_an_incomplete_deletion_of_items_or_objects_raises_an_error(
    harness: ApiHarness, cleanup: CleanupHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = harness.create_episode()
    harness.store_claim(episode, 1)
    table, objects = CleanupTable(harness.dynamodb, TABLE), EpisodeObjects(harness.s3, BUCKET)
    monkeypatch.setattr(harness.dynamodb, "batch_write_item", lambda **_: {"UnprocessedItems": {TABLE: [{}]}})
    with pytest.raises(ItemsNotDeleted):
        table.delete_contents(ANN, episode)
    harness.s3.put_object(Bucket=BUCKET, Key=f"videos/{ANN}/{episode}/a", Body=b"1")
    monkeypatch.setattr(harness.s3, "delete_objects", lambda **_: {"Errors": [{"Code": "AccessDenied"}]}, raising=False)
    with pytest.raises(ObjectsNotDeleted):
        objects.delete(ANN, episode)


def test_a_sweep_without_a_limit_for_a_waiting_state_raises_an_error(cleanup: CleanupHarness) -> None:
    cleanup.limits = {state: HOUR for state in TrackState if state is not TrackState.CHUNKING}
    with pytest.raises(ValueError, match="chunking"):
        cleanup.sweep()
