"""Processing of an uploaded video until MediaConvert has cut it into chunks, through the function's handler.

Events may be repeated, reordered, late and malformed, and calls may fail. `track` is the processing state of the video.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.ids import timestamp
from handlers.livestream.tracks import ContentType, ExpectedUpload, Track, TrackKind, request_upload
from handlers.livestream.video_chunks import handler
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
    UPLOAD,
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


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(SUCCESSFUL_EVENTS), st.lists(st.sampled_from(SUCCESSFUL_EVENTS), max_size=8))
def test_a_video_is_cut_with_all_events_in_any_order_and_repeated(
    videos: Videos, events: list[str], repeated_events: list[str]
) -> None:
    videos.start()
    assert videos.handle(*events) == []
    assert videos.state == ("chunked", None)
    assert {job["Settings"]["Inputs"][0]["FileInput"] for job in videos.api.media.jobs} <= {f"s3://{BUCKET}/{key()}"}
    before = (videos.track, len(videos.api.media.jobs), len(videos.api.media.published))
    replayed_events = [replay(event) for event in events]
    assert videos.handle(*repeated_events, *replayed_events) == []
    after = (videos.track, len(videos.api.media.jobs), len(videos.api.media.published))
    assert after == before, "a replay of the archive must not pay for every job again"


def test_a_deleted_episode_gets_no_job(videos: Videos, capsys: pytest.CaptureFixture[str]) -> None:
    videos.api.call("deleteEpisode", episode_id=EPISODE)
    assert videos.handle(*SUCCESSFUL_EVENTS) == []
    assert (videos.api.media.jobs, videos.api.media.published) == ([], [])
    assert capsys.readouterr().out.count('"accepted":false') == len(SUCCESSFUL_EVENTS)


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

    for event, codes in ((job_event("ERROR"), [1010]), (job_event("CANCELED"), [])):
        videos.start()
        assert logged_error_codes(event) == codes
        assert videos.state == FAILED
    assert logged_error_codes(job_event("COMPLETE"), job_event("ERROR")) == [], "the video already has chunks"


def test_another_object_is_ignored_and_any_other_event_is_refused(
    videos: Videos, capsys: pytest.CaptureFixture[str]
) -> None:
    assert videos.handle(object_created(key(suffix=".m3u8"))) == []
    assert '"ignored":1' in capsys.readouterr().out
    refused = (
        envelope("aws.s3", "Object Deleted", {}),
        envelope("somebody.livestream", "Video Upload Completed", {"key": key(), "versionId": "v1"}),
        object_created(bucket={"name": "another"}),
        object_created(object={"key": key(), "size": 1, "version-id": "a\nb"}),
        upload_completed(key=key(suffix=".m3u8")),
        upload_completed(versionId="a b"),
        job_event("STATUS_UPDATE"),
        job_event("ERROR", userMetadata={**METADATA, "bucket": "another-stacks"}),
        job_event("COMPLETE", userMetadata={**METADATA, "key": "videos/../secrets.mp4"}),
        job_event("COMPLETE", userMetadata=None),
    )
    assert videos.handle(*refused) == list(range(len(refused)))
    assert (videos.state, videos.api.media.jobs) == (("requested", None), [])
    assert ANN not in capsys.readouterr().out
