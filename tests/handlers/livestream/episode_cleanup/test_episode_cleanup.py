"""Nothing stays behind: what is left of deleted episodes goes, and what nobody works on any more is given up."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.livestream.batch_deletes import ItemsNotDeleted
from handlers.livestream.episode_cleanup.cleanup_table import CleanupTable, DueEpisode
from handlers.livestream.episode_cleanup.episode_cleanup import SWEEP_GRACE_PERIOD, EpisodeCleaner
from handlers.livestream.episode_cleanup.memory_deletion import SessionMemory
from handlers.livestream.episode_cleanup.object_deletion import EpisodeObjects, ObjectsNotDeleted
from handlers.livestream.episode_cleanup.overdue_tracks import TrackLimits
from handlers.livestream.s3_prefixes import VIDEOS
from handlers.livestream.table_records import window_key
from handlers.livestream.tracks import ContentType, ExpectedUpload, TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.upload_keys import parse_upload_key
from handlers.livestream.video_chunks.video_events import UploadedVideo
from tests.handlers.livestream.api_setup import ANN, BOB, BUCKET, TABLE, Stage
from tests.handlers.livestream.video_chunks import video_setup
from tests.handlers.livestream.video_chunks.video_setup import completed, created

HOUR = timedelta(hours=1)
LIMITS = TrackLimits(
    {
        TrackState.REQUESTED: 4 * HOUR,
        TrackState.UPLOADED: 1 * HOUR,
        TrackState.CHUNKING: 6 * HOUR,
        TrackState.ANALYZING: 2 * HOUR,
    }
)
NAMESPACE = "/summaries/{actorId}/{sessionId}/"


@dataclass
class Memory:
    """AgentCore's memory, as boto3's client gives it: pages of one, and an error where nothing was recorded."""

    events: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    records: dict[str, list[str]] = field(default_factory=dict)

    def list_events(self, *, actorId: str, sessionId: str, nextToken: str = "0", **_: Any) -> Mapping[str, Any]:  # noqa: N803
        if (actorId, sessionId) not in self.events:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "canary"}}, "ListEvents")
        return self._page(self.events[actorId, sessionId], "eventId", "events", nextToken)

    def delete_event(self, *, actorId: str, sessionId: str, eventId: str, **_: Any) -> Mapping[str, Any]:  # noqa: N803
        self.events[actorId, sessionId].remove(eventId)
        return {}

    def list_memory_records(self, *, namespace: str, nextToken: str = "0", **_: Any) -> Mapping[str, Any]:  # noqa: N803
        return self._page(self.records.get(namespace, []), "memoryRecordId", "memoryRecordSummaries", nextToken)

    def delete_memory_record(self, *, memoryRecordId: str, **_: Any) -> Mapping[str, Any]:  # noqa: N803
        for records in self.records.values():
            if memoryRecordId in records:
                records.remove(memoryRecordId)
        return {}

    def _page(self, found: list[str], name: str, what: str, token: str) -> Mapping[str, Any]:
        at = int(token)
        more = {"nextToken": str(at + 1)} if at + 1 < len(found) else {}
        return {what: [{name: item_id} for item_id in found[at : at + 1]], **more}


@dataclass
class Caretaker:
    """Who looks after the stage."""

    stage: Stage
    memory: Memory = field(default_factory=Memory)

    @property
    def care(self) -> EpisodeCleaner:
        memory: Any = self.memory
        return EpisodeCleaner(
            CleanupTable(self.stage.dynamodb, TABLE),
            EpisodeObjects(self.stage.s3, BUCKET),
            SessionMemory(memory, "memory", NAMESPACE),
            limits=LIMITS,
            budget=timedelta(minutes=1),
            clock=lambda: self.stage.now,
            log=self.stage.log,
        )

    def sweep(self) -> dict[str, int]:
        return self.care.sweep()

    def hears(self, detail: Mapping[str, object], **envelope: object) -> list[str]:
        """The messages that come again."""
        event = {"source": "polyphony-test.livestream", "detail-type": "Episode Deleted", "detail": detail, **envelope}
        answer = self.care.handle([{"messageId": "m", "body": json.dumps(event)}])
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def told(self) -> list[str]:
        """Hears what the bus was told of deletions."""
        return [failed for _, detail in self.stage.published for failed in self.hears(detail)]

    def waiting(self) -> list[str]:
        """Where the sweep looks, by when."""
        return sorted(item["GSI2SK"]["S"] for item in self.stage.stored() if "GSI2SK" in item)


@pytest.fixture
def caretaker(stage: Stage) -> Caretaker:
    return Caretaker(stage)


def requested(stage: Stage, kind: str = "video") -> tuple[str, str]:
    """An episode that waits for an upload; ids of both."""
    episode = stage.episode()
    content_type = "video/mp4" if kind == "video" else "text/vtt"
    asked = {"kind": kind, "contentType": content_type, "bytes": 100}
    answer = stage.does("requestUpload", asked, episode_id=episode)
    assert answer.status == 201
    return episode, answer.body["uploadId"]


def reaches(stage: Stage, episode: str, upload: str, state: TrackState, kind: TrackKind = TrackKind.VIDEO) -> None:
    now = stage.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert stage.table.advance_track(ANN, episode, kind, TrackUpdate(upload, state, now))


def track(stage: Stage, episode: str, kind: str = "video") -> tuple[str, str | None]:
    found = stage.does("getEpisode", episode_id=episode).body[kind]
    return found["state"], found.get("reason")


def left(stage: Stage, episode: str) -> set[str]:
    """Sort keys of what there is of an episode."""
    return {item["sk"]["S"] for item in stage.stored() if item["pk"]["S"].endswith(episode)}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (TrackState.REQUESTED, "NEVER_UPLOADED"),
        (TrackState.UPLOADED, "TIMED_OUT"),
        (TrackState.CHUNKING, "TIMED_OUT"),
    ],
)
def test_the_sweep_fails_an_overdue_track_with_a_reason(caretaker: Caretaker, state: TrackState, reason: str) -> None:
    stage = caretaker.stage
    episode, upload = requested(stage)
    if state is not TrackState.REQUESTED:
        reaches(stage, episode, upload, state)
    stage.now += LIMITS.by_state[state]
    swept = caretaker.sweep()
    assert (swept["checked"], swept["never_uploaded"] + swept["timed_out"]) == (1, 0)
    assert track(stage, episode) == (state.value, None)
    stage.passes(seconds=1)
    swept = caretaker.sweep()
    assert swept[reason.lower()] == 1
    assert track(stage, episode) == ("failed", reason)
    assert stage.does("getEpisode", episode_id=episode).body["status"] == "failed"


def test_the_sweep_fails_an_overdue_transcript_and_leaves_the_video(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode, upload = requested(stage)
    asked = {"kind": "transcript", "contentType": "text/vtt", "bytes": 100}
    transcript = stage.does("requestUpload", asked, episode_id=episode).body["uploadId"]
    reaches(stage, episode, transcript, TrackState.ANALYZING, TrackKind.TRANSCRIPT)
    reaches(stage, episode, upload, TrackState.CHUNKING)
    stage.passes(hours=3)
    caretaker.sweep()
    assert track(stage, episode, "transcript") == ("failed", "TIMED_OUT")
    assert track(stage, episode) == ("chunking", None)
    assert caretaker.waiting(), "the video is waited for"
    reaches(stage, episode, upload, TrackState.CHUNKED)
    caretaker.sweep()
    assert not caretaker.waiting()


def test_a_success_after_a_timeout_counts(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode, upload = requested(stage)
    reaches(stage, episode, upload, TrackState.CHUNKING)
    stage.passes(hours=7)
    assert caretaker.sweep()["timed_out"] == 1
    reaches(stage, episode, upload, TrackState.CHUNKED)
    assert track(stage, episode) == ("chunked", None)


@pytest.mark.parametrize("state", [TrackState.UPLOADED, TrackState.CHUNKING])
def test_a_track_that_resumes_after_a_timeout_is_swept_again(caretaker: Caretaker, state: TrackState) -> None:
    stage = caretaker.stage
    episode, upload = requested(stage)
    stage.passes(hours=5)
    assert caretaker.sweep()["never_uploaded"] == 1
    caretaker.sweep()
    assert not caretaker.waiting()
    reaches(stage, episode, upload, state)
    assert track(stage, episode) == (state.value, None)
    stage.now += LIMITS.by_state[state] + timedelta(seconds=1)
    assert caretaker.sweep()["timed_out"] == 1
    assert track(stage, episode) == ("failed", "TIMED_OUT")


def test_a_timed_out_video_is_cut_when_its_events_are_redelivered(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    table: Any = stage.table
    videos = video_setup.Stage(table)
    episode, upload = requested(stage)
    named = parse_upload_key(VIDEOS, f"videos/{ANN}/{episode}/{upload}.mp4")
    assert named is not None
    one = UploadedVideo(f"videos/{ANN}/{episode}/{upload}.mp4", "v1", named, 100)
    stage.passes(hours=5)
    assert caretaker.sweep()["never_uploaded"] == 1
    assert videos.handle(created(one)) == []
    assert len(videos.cloud.announced) == 1
    stage.passes(hours=2)
    assert caretaker.sweep()["timed_out"] == 1
    assert videos.handle(completed(one), completed(one)) == []
    assert len(videos.cloud.jobs) == 1, "and not again"
    assert track(stage, episode) == ("chunking", None)


def test_a_sweep_keeps_an_episode_that_changes_during_the_sweep(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode, upload = requested(stage)
    stage.passes(hours=5)
    caretaker.sweep()
    [due] = CleanupTable(stage.dynamodb, TABLE).due("9")
    reaches(stage, episode, upload, TrackState.UPLOADED)
    assert not CleanupTable(stage.dynamodb, TABLE).remove_from_sweep(due)


def test_a_new_upload_after_a_timeout_is_swept_like_the_first(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode, _ = requested(stage)
    stage.passes(hours=5)
    caretaker.sweep()
    asked = {"kind": "video", "contentType": "video/mp4", "bytes": 100}
    assert stage.does("requestUpload", asked, episode_id=episode).status == 201
    stage.passes(hours=1)
    caretaker.sweep()
    assert track(stage, episode) == ("requested", None)
    stage.passes(hours=4)
    caretaker.sweep()
    assert track(stage, episode) == ("failed", "NEVER_UPLOADED")


def test_a_track_that_advanced_since_it_was_read_is_not_failed(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode, upload = requested(stage)
    table = CleanupTable(stage.dynamodb, TABLE)
    seen = table.get(ANN, episode)
    assert seen is not None
    stage.passes(hours=5)
    reaches(stage, episode, upload, TrackState.UPLOADED)
    assert not table.fail_track(seen, TrackKind.VIDEO, TrackReason.NEVER_UPLOADED, "later")
    assert track(stage, episode) == ("uploaded", None)


def test_an_episode_that_was_added_again_stays_in_the_sweep_index(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode, _ = requested(stage)
    [first] = CleanupTable(stage.dynamodb, TABLE).due("9")
    stage.passes(minutes=1)
    asked = {"kind": "video", "contentType": "video/mp4", "bytes": 100}
    stage.does("requestUpload", asked, episode_id=episode)
    assert not CleanupTable(stage.dynamodb, TABLE).remove_from_sweep(first)
    assert not CleanupTable(stage.dynamodb, TABLE).postpone(first, "9")
    assert len(caretaker.waiting()) == 1


def test_a_recent_upload_request_is_not_read_by_the_sweep(caretaker: Caretaker) -> None:
    requested(caretaker.stage)
    caretaker.stage.now += SWEEP_GRACE_PERIOD
    with caretaker.stage.counted() as calls:
        assert caretaker.sweep()["checked"] == 0
    assert calls == ["Query"]


def test_a_deletion_removes_everything_of_its_episode_and_nothing_else(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    gone, stays = stage.episode(), stage.episode()
    others = stage.episode(owner=BOB)
    for episode in (gone, stays):
        for number in range(30):
            stage.claim(episode, number)
        stage.clip(episode, 5)
        stage.dynamodb.put_item(
            TableName=TABLE, Item={name: {"S": value} for name, value in window_key(ANN, episode, "k", "v", 0).items()}
        )
        for prefix in ("videos", "transcripts", "chunks"):
            stage.s3.put_object(Bucket=BUCKET, Key=f"{prefix}/{ANN}/{episode}/a", Body=b"1")
        stage.s3.create_multipart_upload(Bucket=BUCKET, Key=f"videos/{ANN}/{episode}/b")
        caretaker.memory.events[ANN, episode] = ["1", "2", "3"]
        caretaker.memory.records[f"/summaries/{ANN}/{episode}/"] = [f"r1-{episode}", f"r2-{episode}"]
    stage.does("deleteEpisode", episode_id=gone)
    assert caretaker.told() == []
    assert left(stage, gone) == {"EPISODE"}
    assert len(left(stage, stays)) == 33
    assert left(stage, others) == {"EPISODE"}
    keys = {stored_object["Key"].split("/")[2] for stored_object in stage.s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    uploads = {upload["Key"].split("/")[2] for upload in stage.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]}
    assert keys == uploads == {stays}
    assert caretaker.memory.events == {(ANN, gone): [], (ANN, stays): ["1", "2", "3"]}
    assert caretaker.memory.records[f"/summaries/{ANN}/{gone}/"] == []
    assert len(caretaker.memory.records[f"/summaries/{ANN}/{stays}/"]) == 2


def test_all_object_versions_and_delete_markers_are_removed(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    stage.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    episode = stage.episode()
    key = f"videos/{ANN}/{episode}/a"
    for body in (b"1", b"2"):
        stage.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    stage.s3.delete_object(Bucket=BUCKET, Key=key)
    stage.does("deleteEpisode", episode_id=episode)
    caretaker.told()
    found = stage.s3.list_object_versions(Bucket=BUCKET)
    assert not found.get("Versions")
    assert not found.get("DeleteMarkers")


def test_the_sweep_finds_a_deletion_whose_event_was_lost(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode = stage.episode()
    stage.claim(episode, 1)
    stage.does("deleteEpisode", episode_id=episode)
    stage.passes(minutes=16)
    swept = caretaker.sweep()
    assert (swept["checked"], swept["tidied"]) == (1, 1)
    assert left(stage, episode) == {"EPISODE"}


@pytest.mark.parametrize("told", [True, False])
def test_a_second_cleanup_removes_late_writes_and_there_is_no_third(caretaker: Caretaker, told: bool) -> None:
    stage = caretaker.stage
    episode = stage.episode()
    stage.does("deleteEpisode", episode_id=episode)
    if told:
        caretaker.told()
    else:
        stage.passes(minutes=16)
        caretaker.sweep()
    stage.claim(episode, 1)
    stage.passes(hours=1)
    assert caretaker.sweep()["checked"] == 0, "it is left alone until everything has ended"
    stage.passes(hours=6)
    assert caretaker.sweep()["tidied"] == 1
    assert left(stage, episode) == {"EPISODE"}
    assert not caretaker.waiting()


def test_a_repeated_deletion_event_changes_nothing(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode = stage.episode()
    stage.does("deleteEpisode", episode_id=episode)
    caretaker.told()
    before = stage.stored()
    assert caretaker.told() == []
    assert stage.stored() == before


def test_an_existing_episode_is_not_cleaned_up(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode = stage.episode()
    stage.claim(episode, 1)
    assert caretaker.hears({"schemaVersion": 1, "owner": ANN, "episodeId": episode}) == []
    assert len(left(stage, episode)) == 2


def test_an_episode_without_its_own_item_is_cleaned_up_too(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    episode = stage.episode()
    stage.claim(episode, 1)
    stage.does("deleteEpisode", episode_id=episode)
    stage.dynamodb.delete_item(TableName=TABLE, Key={"pk": {"S": f"EPISODE#{ANN}#{episode}"}, "sk": {"S": "EPISODE"}})
    assert caretaker.told() == []
    assert left(stage, episode) == set()


@pytest.mark.parametrize(
    ("detail", "envelope"),
    [
        ({}, {}),
        ({"schemaVersion": 1, "owner": "../x", "episodeId": "0" * 26}, {}),
        ({"schemaVersion": 1, "owner": ANN, "episodeId": "short"}, {}),
        ({"schemaVersion": 2, "owner": ANN, "episodeId": "0" * 26}, {}),
        ({"schemaVersion": 1, "owner": ANN, "episodeId": "0" * 26}, {"source": "aws.s3"}),
        ({"schemaVersion": 1, "owner": ANN, "episodeId": "0" * 26}, {"detail-type": "Video Upload Completed"}),
    ],
)
def test_an_invalid_event_returns_to_the_queue(
    caretaker: Caretaker, detail: dict[str, object], envelope: dict[str, object]
) -> None:
    assert caretaker.hears(detail, **envelope) == ["m"]


def test_the_failure_of_one_episode_does_not_stop_the_sweep(
    caretaker: Caretaker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = caretaker.stage
    first, second = stage.episode(), stage.episode()
    for episode in (first, second):
        stage.claim(episode, 1)
        stage.does("deleteEpisode", episode_id=episode)
    forget = SessionMemory.delete_session

    def fails(self: SessionMemory, actor: str, session: str) -> int:
        if session == first:
            raise RuntimeError("canary")
        return forget(self, actor, session)

    monkeypatch.setattr(SessionMemory, "delete_session", fails)
    stage.passes(minutes=16)
    swept = caretaker.sweep()
    assert (swept["checked"], swept["tidied"], swept["failed"]) == (2, 1, 1)
    assert "CLAIM#0000000001#claim-1" in left(stage, first)
    assert left(stage, second) == {"EPISODE"}
    assert "canary" not in capsys.readouterr().out
    monkeypatch.undo()
    assert caretaker.sweep()["tidied"] == 1


def test_an_incomplete_deletion_of_items_or_objects_raises(
    caretaker: Caretaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = caretaker.stage
    episode = stage.episode()
    stage.claim(episode, 1)
    table, objects = CleanupTable(stage.dynamodb, TABLE), EpisodeObjects(stage.s3, BUCKET)
    monkeypatch.setattr(stage.dynamodb, "batch_write_item", lambda **_: {"UnprocessedItems": {TABLE: [{}]}})
    with pytest.raises(ItemsNotDeleted):
        table.delete_contents(ANN, episode)
    stage.s3.put_object(Bucket=BUCKET, Key=f"videos/{ANN}/{episode}/a", Body=b"1")
    monkeypatch.setattr(stage.s3, "delete_objects", lambda **_: {"Errors": [{"Code": "AccessDenied"}]}, raising=False)
    with pytest.raises(ObjectsNotDeleted):
        objects.delete(ANN, episode)


def test_every_state_that_waits_for_an_event_needs_a_limit() -> None:
    with pytest.raises(ValueError, match="chunking"):
        TrackLimits({state: HOUR for state in TrackState if state is not TrackState.CHUNKING})


def test_the_sweep_index_contains_only_the_keys_of_an_episode(caretaker: Caretaker) -> None:
    stage = caretaker.stage
    upload = ExpectedUpload(upload_id="0" * 26, content_type=ContentType.MP4, size=1)
    episode = stage.episode()
    stage.table.request_upload(ANN, episode, TrackKind.VIDEO, upload, "2026-01-03T12:00:00.123Z")
    assert list(CleanupTable(stage.dynamodb, TABLE).due("9")) == [DueEpisode(ANN, episode, "2026-01-03T12:00:00.123Z")]
