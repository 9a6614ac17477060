"""Processing of an uploaded video until MediaConvert has cut it into chunks, through the function's handler.

Events may be repeated, reordered, late and malformed, and calls may fail. `track` is the processing state of the video.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from handlers.common.events import InvalidEvent
from handlers.common.ids import timestamp
from handlers.livestream.tracks import ContentType, ExpectedUpload, Track, TrackKind, VideoChunks, request_upload
from handlers.livestream.video_chunks import handler
from handlers.livestream.video_chunks.events import VIDEO_TYPES, parse_video_event
from tests.handlers.livestream.harness import (
    ANN,
    BUCKET,
    SOURCE,
    TABLE,
    Harness,
    deliver,
    error,
    new_containers,
)
from tests.handlers.livestream.video_chunks.video_events import (
    EPISODE,
    NEWER,
    UPLOAD,
    chunk_prefix,
    envelope,
    job_event,
    key,
    object_created,
    replay,
    requested_job,
    upload_completed,
)

SUCCESSFUL_EVENTS = (
    *(object_created(), upload_completed()),
    *(job_event(status) for status in ("PROGRESSING", "COMPLETE")),
)
"""All events of a video that is cut without a failure."""
CHUNKS = VideoChunks(playlist=f"{chunk_prefix()}{UPLOAD}_chunk.m3u8", duration_ms=250_041)
METADATA = requested_job()["UserMetadata"]
FAILED = ("failed", "CHUNKING_FAILED")


@dataclass
class Videos:
    """Episode of Ann that expects a video, and the function that processes the video's events."""

    api: Harness

    def start(self) -> None:
        """Replace the episode by a new episode that expects the upload `UPLOAD`, and forget all calls."""
        item_key = {"pk": {"S": f"EPISODE#{ANN}#{EPISODE}"}, "sk": {"S": "EPISODE"}}
        self.api.dynamodb.delete_item(TableName=TABLE, Key=item_key)
        self.api.create_episode(episodeId=EPISODE)
        self.api.media.jobs, self.api.media.published = [], []
        expected, at = ExpectedUpload(upload_id=UPLOAD, content_type=ContentType.MP4, size=1), timestamp(self.api.now)
        self.api.table.change(
            ANN,
            EPISODE,
            lambda record: record.with_track(TrackKind.VIDEO, request_upload(record.video, expected, at), at),
        )

    def handle(self, *bodies: str) -> list[int]:
        """Process one batch; return the indexes of the failed messages."""
        return deliver(handler.handler, *bodies)

    @property
    def track(self) -> Track:
        """Stored track of the video."""
        record = self.api.table.find(ANN, EPISODE)
        assert record is not None
        return record.video

    @property
    def state(self) -> tuple[str, str | None]:
        return self.track.state, self.track.reason


@pytest.fixture
def videos(harness: Harness) -> Iterator[Videos]:
    opened = Videos(harness)
    opened.start()
    with new_containers():
        yield opened


def test_an_uploaded_video_is_announced_with_the_name_of_its_version(
    videos: Videos, capsys: pytest.CaptureFixture[str]
) -> None:
    assert videos.handle(object_created()) == []
    assert '"accepted":true' in capsys.readouterr().out
    assert (videos.state, videos.track.version_id) == (("uploaded", None), "v1")
    [event] = videos.api.media.published
    assert (event["Source"], event["DetailType"]) == (SOURCE, "Video Upload Completed")
    assert json.loads(event["Detail"]) == {"key": key(), "versionId": "v1"}


def test_an_unsupported_file_fails_the_track_at_once(videos: Videos) -> None:
    assert videos.handle(object_created(key(suffix=".m3u8"))) == []
    assert videos.state == ("failed", "UNSUPPORTED_TYPE")
    assert (videos.api.media.published, videos.api.media.jobs) == ([], [])
    # A playlist names other files, which MediaConvert would read with the job's role.
    assert not VIDEO_TYPES & {"m3u8", "mpd", "xml", "txt"}


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(SUCCESSFUL_EVENTS), st.lists(st.sampled_from(SUCCESSFUL_EVENTS), max_size=8))
def test_a_video_is_cut_with_all_events_in_any_order_and_repeated(
    videos: Videos, events: list[str], repeated_events: list[str]
) -> None:
    videos.start()
    assert videos.handle(*events) == []
    assert (videos.state, videos.track.chunks) == (("chunked", None), CHUNKS)
    assert {job["Settings"]["Inputs"][0]["FileInput"] for job in videos.api.media.jobs} <= {f"s3://{BUCKET}/{key()}"}
    before = (videos.track, len(videos.api.media.jobs), len(videos.api.media.published))
    replayed_events = [replay(event) for event in events]
    assert videos.handle(*repeated_events, *replayed_events) == []
    after = (videos.track, len(videos.api.media.jobs), len(videos.api.media.published))
    assert after == before, "a replay of the archive must not pay for every job again"


def test_a_deleted_episode_gets_no_job(videos: Videos, capsys: pytest.CaptureFixture[str]) -> None:
    videos.api.call("deleteEpisode", episode_id=EPISODE)
    events = (*SUCCESSFUL_EVENTS, object_created(key(suffix=".txt")))
    assert videos.handle(*events) == []
    assert (videos.api.media.jobs, videos.api.media.published) == ([], [])
    assert capsys.readouterr().out.count('"accepted":false') == len(events)


def test_a_failed_call_returns_the_message_and_succeeds_later(videos: Videos) -> None:
    videos.api.media.errors, videos.api.media.failed_entries = [error("TooManyRequestsException")], 1
    events = object_created(), upload_completed()
    assert (videos.handle(*events), videos.state) == ([0, 1], ("uploaded", None))
    videos.api.media.failed_entries = 0
    assert (videos.handle(*events), videos.state) == ([], ("chunking", None))
    assert (len(videos.api.media.published), len(videos.api.media.jobs)) == (1, 1)


def test_a_replay_restarts_a_video_whose_job_failed(videos: Videos) -> None:
    """MediaConvert reports a missing permission and an unreadable video with the same error code."""
    videos.handle(upload_completed(), job_event("ERROR"))
    assert videos.handle(upload_completed(), object_created()) == []
    assert (videos.state, len(videos.api.media.jobs)) == (FAILED, 1), "a late event restarts nothing"
    replayed_event = replay(upload_completed())
    assert videos.handle(replayed_event, replayed_event) == []
    assert (videos.state, len(videos.api.media.jobs)) == (("chunking", None), 2)
    videos.handle(job_event("COMPLETE"), replayed_event, job_event("ERROR"))
    assert (videos.state, len(videos.api.media.jobs)) == (("chunked", None), 2)


def test_a_failed_video_is_logged_with_its_error_code_only(videos: Videos, capsys: pytest.CaptureFixture[str]) -> None:
    """An alarm counts these log lines, because the events of failed jobs are processed without an error."""

    def logged_error_codes(*events: str) -> list[int]:
        videos.handle(*events)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line["error_code"] for line in lines if line["message"] == "video_failed"]

    for event, codes in (
        (job_event("ERROR"), [1010]),
        (job_event("ERROR", errorCode=None), [0]),
        (job_event("CANCELED"), []),
    ):
        videos.start()
        assert logged_error_codes(event) == codes
        assert (videos.state, videos.track.chunks) == (FAILED, None)
    assert logged_error_codes(job_event("COMPLETE"), job_event("ERROR")) == [], "the video already has chunks"


def playlist_at(path: str) -> dict[str, Any]:
    return {"outputGroupDetails": [{"outputDetails": [{"outputFilePaths": [path], "durationInMs": 1}]}]}


def test_events_about_other_objects_and_jobs_are_ignored() -> None:
    for event in (
        object_created(key().replace("videos/", "chunks/")),
        object_created("videos/" + "x" * 1000),
        job_event("STATUS_UPDATE"),
        job_event("ERROR", userMetadata={**METADATA, "bucket": "another-stacks"}),
        job_event("COMPLETE", userMetadata={**METADATA, "key": "videos/../secrets.mp4"}),
    ):
        assert parse_video_event(event, BUCKET) is None


@pytest.mark.parametrize(
    "event",
    [
        envelope("aws.s3", "Object Deleted", {}),
        envelope("somebody", "Video Upload Completed", {"key": key(), "versionId": "v1"}),
        object_created(bucket={"name": "another"}),
        object_created(object={"key": key(), "size": 1, "version-id": "a\nb"}),
        upload_completed(key=key(suffix=".txt")),
        upload_completed(key="videos/../secrets.mp4"),
        upload_completed(versionId="a b"),
        job_event("COMPLETE", userMetadata=None),
        job_event("ERROR", userMetadata={"bucket": BUCKET, "key": key()}),
        job_event("COMPLETE", outputGroupDetails=[]),
        job_event("COMPLETE", **playlist_at(f"s3://{BUCKET}/{chunk_prefix()}x.ts")),
        job_event("COMPLETE", **playlist_at(f"s3://{BUCKET}/{chunk_prefix()}../x.m3u8")),
        job_event("COMPLETE", **playlist_at(f"s3://{BUCKET}/{chunk_prefix(NEWER)}x.m3u8")),
        job_event("COMPLETE", **playlist_at(f"s3://another/{chunk_prefix()}x.m3u8")),
    ],
)
def test_any_other_event_is_refused(event: str) -> None:
    with pytest.raises((InvalidEvent, ValidationError)) as caught:
        parse_video_event(event, BUCKET)
    assert ANN not in str(caught.value), "an error message may be logged"
