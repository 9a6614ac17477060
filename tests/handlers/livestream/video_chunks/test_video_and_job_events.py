"""Events about videos are parsed, ignored or refused.

They come from S3 (a new object), from livestream itself (a complete upload), and from MediaConvert (a job's state).
"""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.events import InvalidEvent
from handlers.livestream.video_chunks.video_and_job_events import (
    VIDEO_TYPES,
    ObjectCreated,
    VideoUploadCompleted,
    parse_video_event,
)
from tests.handlers.livestream.video_chunks.video_processing_harness import (
    BUCKET,
    EPISODE,
    NEWER,
    OWNER,
    UPLOAD,
    envelope,
    job_event,
    key,
    object_created,
    playlist,
    replay,
    upload_completed,
    video,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
)


def test_a_created_object_is_parsed() -> None:
    assert parse_video_event(object_created(video()), BUCKET) == ObjectCreated(video())


def test_a_playlist_is_not_a_supported_video() -> None:
    """A playlist names other files, which MediaConvert would read with the job's role."""
    assert not VIDEO_TYPES & {"m3u8", "mpd", "xml", "txt"}


def test_another_key_is_ignored_and_another_bucket_is_refused() -> None:
    assert parse_video_event(object_created(key().replace("videos/", "chunks/")), BUCKET) is None
    with pytest.raises(InvalidEvent):
        parse_video_event(object_created(video(), bucket={"name": "another"}), BUCKET)


def test_an_upload_event_is_parsed_and_its_replay_from_an_archive_is_recognised() -> None:
    assert parse_video_event(upload_completed(video()), BUCKET) == VideoUploadCompleted(video())
    assert parse_video_event(replay(upload_completed(video())), BUCKET) == VideoUploadCompleted(video(), replayed=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"schemaVersion": 2},
        {"owner": "everybody"},
        {"episodeId": UPLOAD[::-1]},
        {"uploadId": NEWER},
        {"key": key(suffix=".txt")},
        {"key": "videos/../secrets"},
        {"versionId": "a b"},
    ],
)
def test_an_inconsistent_upload_event_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent):
        parse_video_event(upload_completed(video(), **changes), BUCKET)


@pytest.mark.parametrize("status", ["INPUT_INFORMATION", "NEW_WARNING", "QUEUE_HOP", "SOMETHING_NEW"])
def test_other_job_states_are_ignored(status: str) -> None:
    assert parse_video_event(job_event(video(), status), BUCKET) is None


METADATA = json.loads(job_event(video(), "COMPLETE"))["detail"]["userMetadata"]
"""Metadata with which livestream marks its own jobs."""


@pytest.mark.parametrize("status", ["PROGRESSING", "COMPLETE", "ERROR", "CANCELED"])
@pytest.mark.parametrize(
    "metadata", [None, {}, {"owner": OWNER, "episodeId": EPISODE}, {**METADATA, "bucket": "another-stacks"}]
)
def test_jobs_of_other_programs_and_stacks_are_ignored(status: str, metadata: Any) -> None:
    assert parse_video_event(job_event(video(), status, userMetadata=metadata), BUCKET) is None


@pytest.mark.parametrize(
    "path",
    [
        "s3://another/chunks/x/y/z/a.m3u8",
        playlist(video()).replace(BUCKET, "another"),
        playlist(video()).replace(OWNER, "B" * 32),
        playlist(video()).replace(EPISODE, NEWER),
        playlist(video()).replace("chunks/", "videos/"),
        playlist(video()).replace(".m3u8", ".ts"),
        f"s3://{BUCKET}/chunks/{OWNER}/{EPISODE}/../x.m3u8",
    ],
)
def test_chunks_outside_the_episodes_prefix_are_refused(path: str) -> None:
    groups = [{"outputDetails": [{"outputFilePaths": [path], "durationInMs": 1}]}]
    with pytest.raises(InvalidEvent):
        parse_video_event(job_event(video(), "COMPLETE", outputGroupDetails=groups), BUCKET)


@pytest.mark.parametrize("groups", [[], [{"outputDetails": []}], [{}], None, "x"])
def test_a_complete_job_without_an_output_is_refused(groups: Any) -> None:
    with pytest.raises(InvalidEvent):
        parse_video_event(job_event(video(), "COMPLETE", outputGroupDetails=groups), BUCKET)


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        envelope("aws.s3", "Object Deleted", {}),
        envelope("somebody", "Video Upload Completed", {}),
        envelope("polyphony-test.livestream", "video upload completed", {}),
        object_created(video(), object={"key": key(), "size": 1, "version-id": "a\nb"}),
    ],
)
def test_any_other_event_is_refused(body: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        parse_video_event(body, BUCKET)
    assert OWNER not in str(caught.value), "an error message may be logged"


@given(st.sampled_from(["aws.s3", "polyphony-test.livestream", "aws.mediaconvert"]), JSON, JSON)
def test_any_body_is_parsed_or_refused(source: str, detail: Any, metadata: Any) -> None:
    for detail_type in ("Object Created", "Video Upload Completed", "MediaConvert Job State Change"):
        for content in (detail, {"userMetadata": metadata, "status": "ERROR"}):
            with contextlib.suppress(InvalidEvent):
                assert parse_video_event(envelope(source, detail_type, content), BUCKET) is None


@given(st.data())
def test_a_valid_event_with_one_change_is_parsed_or_refused(data: st.DataObject) -> None:
    events = [object_created(video()), upload_completed(video()), job_event(video(), "COMPLETE")]
    event = json.loads(data.draw(st.sampled_from(events)))
    parent = event
    while isinstance(parent, dict) and parent:
        name = data.draw(st.sampled_from(sorted(parent)))
        if not isinstance(parent[name], dict) or data.draw(st.booleans()):
            parent[name] = data.draw(JSON)
            break
        parent = parent[name]
    with contextlib.suppress(InvalidEvent):
        parse_video_event(json.dumps(event), BUCKET)
