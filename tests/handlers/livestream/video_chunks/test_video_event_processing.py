"""Processing of an uploaded video until MediaConvert has cut it into chunks.

Events may be repeated, reordered and late, and calls may fail. `track` is the processing state of the video. An operator
can replay the archived event of an upload.
"""

import json
from copy import deepcopy
from random import Random

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.ids import timestamp
from handlers.livestream.tracks import Track, TrackKind, TrackReason, TrackState, request_upload
from handlers.livestream.video_chunks import handler
from handlers.livestream.video_chunks.video_and_job_events import VideoUploadDetail
from tests.handlers.livestream import rest_api_harness as rest
from tests.handlers.livestream.video_chunks.video_processing_harness import (
    BUCKET,
    EPISODE,
    JOB_STATUSES,
    NEWER,
    NOW,
    OLDER,
    OWNER,
    ROLE,
    UPLOAD,
    VideoHarness,
    envelope,
    expected_upload,
    job_event,
    key,
    object_created,
    playlist,
    replay,
    upload_completed,
    video,
)

THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "canary"}}, "CreateJob")
SUCCESSFUL_VIDEO_EVENTS = (
    *(object_created(video()), upload_completed(video())),
    *(job_event(video(), status) for status in ("PROGRESSING", "STATUS_UPDATE", "COMPLETE")),
)
"""All events of a video that is cut without a failure."""
CHUNK_PREFIX = playlist(video()).removeprefix(f"s3://{BUCKET}/").rpartition("/")[0] + "/"
CHUNKS = {
    "prefix": CHUNK_PREFIX,
    "playlist": playlist(video()).removeprefix(f"s3://{BUCKET}/"),
    "count": 3,
    "seconds": 120,
    "durationMs": 250_041,
}
UPLOADED, CHUNKING, CHUNKED = (
    (state, None) for state in (TrackState.UPLOADED, TrackState.CHUNKING, TrackState.CHUNKED)
)
CHUNKING_FAILED = (TrackState.FAILED, TrackReason.CHUNKING_FAILED)
UPLOAD_EVENT = ("Video Upload Completed", VideoUploadDetail.from_video(video()).model_dump(by_alias=True))


@pytest.fixture
def videos() -> VideoHarness:
    return VideoHarness()


def test_an_uploaded_video_advances_the_track_and_publishes_an_event(videos: VideoHarness) -> None:
    assert videos.handle(object_created(video())) == []
    assert videos.state() == UPLOADED
    assert (videos.table.track.version_id, videos.table.track.since) == ("v1", timestamp(NOW))
    assert videos.services.published == [UPLOAD_EVENT]


def test_the_published_event_of_an_upload_submits_a_job(videos: VideoHarness) -> None:
    assert videos.handle(upload_completed(video())) == []
    assert videos.state() == CHUNKING
    [request] = videos.services.jobs
    [source] = request["Settings"]["Inputs"]
    assert source["FileInput"] == f"s3://{BUCKET}/{key()}"


@pytest.mark.parametrize("chunk_count", [2, 3])
def test_chunks_are_counted_in_the_playlist(videos: VideoHarness, chunk_count: int) -> None:
    """The duration does not give their number. A video of 240.041 s has two chunks of 120 s, not three."""
    videos.services.chunk_count = chunk_count
    assert videos.handle(job_event(video(), "COMPLETE")) == []
    assert (videos.state(), videos.table.details) == (CHUNKED, {"chunks": {**CHUNKS, "count": chunk_count}})


def test_the_stored_chunk_length_is_that_of_the_job(videos: VideoHarness) -> None:
    metadata = {**json.loads(job_event(video(), "COMPLETE"))["detail"]["userMetadata"], "chunkSeconds": "60"}
    videos.handle(job_event(video(), "COMPLETE", userMetadata=metadata))
    assert videos.table.details == {"chunks": {**CHUNKS, "seconds": 60}}


@pytest.mark.parametrize(("status", "details"), [("ERROR", {"errorCode": 1010}), ("CANCELED", {})])
def test_a_failed_job_stores_only_its_error_code(videos: VideoHarness, status: str, details: dict[str, object]) -> None:
    videos.handle(job_event(video(), status))
    assert (videos.state(), videos.table.details) == (CHUNKING_FAILED, details)


@pytest.mark.parametrize("suffix", [".txt", ""])
def test_an_unsupported_file_fails_the_track_at_once(videos: VideoHarness, suffix: str) -> None:
    assert videos.handle(object_created(video(suffix=suffix))) == []
    assert videos.state() == (TrackState.FAILED, TrackReason.UNSUPPORTED_TYPE)
    assert (videos.services.published, videos.services.jobs) == ([], [])


@given(st.permutations(SUCCESSFUL_VIDEO_EVENTS), st.lists(st.sampled_from(SUCCESSFUL_VIDEO_EVENTS), max_size=8))
def test_a_video_is_cut_with_all_events_in_any_order_and_repeated(
    events: list[str], repeated_events: list[str]
) -> None:
    videos = VideoHarness()
    assert videos.handle(*events) == []
    assert (videos.state(), videos.table.details) == (CHUNKED, {"chunks": CHUNKS})
    before = deepcopy((videos.table, videos.services))
    assert videos.handle(*repeated_events, *events) == []
    assert (videos.table, videos.services) == before, "a replay of the archive must not pay for every job again"


EVENTS_OF_THREE_UPLOADS = [
    event
    for upload in (OLDER, UPLOAD, NEWER)
    for event in (
        object_created(video(upload)),
        upload_completed(video(upload)),
        *(job_event(video(upload), status) for status in JOB_STATUSES),
    )
]


@given(st.lists(st.sampled_from(EVENTS_OF_THREE_UPLOADS), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_final_state_does_not_depend_on_order_and_repetition_of_events(events: list[str], random: Random) -> None:
    ordered_videos, shuffled_videos = VideoHarness(), VideoHarness()
    ordered_videos.handle(*events)
    shuffled_events = [*events, *events]
    random.shuffle(shuffled_events)
    shuffled_videos.handle(*shuffled_events)
    assert ordered_videos.table.track.state is shuffled_videos.table.track.state
    assert ordered_videos.table.details.get("chunks") == shuffled_videos.table.details.get("chunks")


@pytest.mark.parametrize(
    "first_event", [object_created(video()), job_event(video(), "ERROR"), object_created(video(suffix=".txt"))]
)
def test_events_of_another_upload_change_nothing(videos: VideoHarness, first_event: str) -> None:
    videos.handle(first_event)
    before = deepcopy((videos.table, videos.services))
    assert videos.handle(*(event for event in EVENTS_OF_THREE_UPLOADS if UPLOAD not in event)) == []
    assert (videos.table, videos.services) == before


def test_a_newer_upload_is_processed_from_the_start(videos: VideoHarness) -> None:
    videos.handle(job_event(video(), "ERROR"))
    videos.table.track = request_upload(videos.table.track, expected_upload(NEWER), timestamp(NOW))
    videos.handle(*SUCCESSFUL_VIDEO_EVENTS, object_created(video(NEWER)))
    assert (videos.state(), videos.table.track.upload) == (UPLOADED, expected_upload(NEWER))


@pytest.mark.parametrize("statuses", [("ERROR", "COMPLETE"), ("COMPLETE", "ERROR")])
def test_a_video_with_a_complete_job_is_cut_even_if_another_job_failed_before_or_after_it(
    videos: VideoHarness, statuses: tuple[str, str]
) -> None:
    videos.handle(*(job_event(video(), status) for status in statuses))
    assert (videos.state(), videos.table.details) == (CHUNKED, {"chunks": CHUNKS})


def test_a_deleted_episode_gets_no_job(videos: VideoHarness) -> None:
    videos.table.exists = False
    assert videos.handle(*SUCCESSFUL_VIDEO_EVENTS, object_created(video(suffix=".txt"))) == []
    assert (videos.services.jobs, videos.services.published) == ([], [])


def test_a_complete_job_without_a_playlist_changes_nothing(videos: VideoHarness) -> None:
    videos.services.chunk_count = None
    assert videos.handle(job_event(video(), "COMPLETE")) == []
    assert videos.table.update_count == 0


@pytest.mark.parametrize("failure", [THROTTLED, TimeoutError()])
def test_a_failed_call_returns_the_message_and_succeeds_later(videos: VideoHarness, failure: Exception) -> None:
    videos.services.failures = [failure]
    assert videos.handle(upload_completed(video())) == [0]
    assert videos.state() == UPLOADED
    assert videos.handle(upload_completed(video())) == []
    assert (videos.state(), len(videos.services.jobs)) == (CHUNKING, 1)


def test_a_failed_publication_is_repeated_when_the_message_is_redelivered(videos: VideoHarness) -> None:
    videos.services.failures = [THROTTLED]
    assert videos.handle(object_created(video())) == [0]
    assert videos.handle(object_created(video())) == []
    assert videos.services.published == [UPLOAD_EVENT]


def test_a_job_that_was_not_recorded_in_the_track_is_requested_again_with_the_same_token(videos: VideoHarness) -> None:
    videos.handle(upload_completed(video()))
    videos.table.track = Track(
        state=TrackState.UPLOADED, since=timestamp(NOW), upload=expected_upload(UPLOAD), version_id="v1"
    )
    videos.handle(upload_completed(video()))
    assert len(videos.services.jobs) == 2
    assert videos.services.jobs[0] == videos.services.jobs[1]


def test_a_replay_restarts_a_video_whose_job_failed(videos: VideoHarness) -> None:
    """MediaConvert reports a missing permission and an unreadable video with the same error code."""
    videos.handle(upload_completed(video()), job_event(video(), "ERROR"))
    assert videos.handle(upload_completed(video()), object_created(video())) == []
    assert (videos.state(), len(videos.services.jobs)) == (CHUNKING_FAILED, 1), "a late event restarts nothing"
    replayed_event = replay(upload_completed(video()))
    assert videos.handle(replayed_event, replayed_event) == []
    assert (videos.state(), len(videos.services.jobs)) == (CHUNKING, 2)
    videos.handle(job_event(video(), "COMPLETE"), replayed_event)
    assert (videos.state(), len(videos.services.jobs)) == (CHUNKED, 2)


@pytest.mark.parametrize("last_event", [object_created(video(suffix=".txt")), job_event(video(), "COMPLETE")])
def test_a_replay_restarts_neither_another_failure_nor_a_finished_video(videos: VideoHarness, last_event: str) -> None:
    videos.handle(last_event)
    before = videos.state()
    assert videos.handle(replay(upload_completed(video()))) == []
    assert (videos.state(), videos.services.jobs) == (before, [])


def test_a_failed_video_is_logged_with_its_error_code_only(
    videos: VideoHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    """An alarm counts these log lines, because the events of failed jobs are processed without an error."""
    videos.handle(
        upload_completed(video()), job_event(video(), "ERROR", errorCode=1401), job_event(video(NEWER), "CANCELED")
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [failure_line] = [line for line in lines if line["message"] == "video_failed"]
    assert failure_line["code"] == "1401"
    videos.handle(job_event(video(), "COMPLETE"), job_event(video(), "ERROR"))
    assert "video_failed" not in capsys.readouterr().out, "the video already has chunks"


def test_an_invalid_message_does_not_fail_its_batch_and_no_event_is_logged(
    videos: VideoHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    throttled_event, unknown_event = object_created(video()), envelope("unknown", "Unknown", {"canary": 1})
    valid_events = [upload_completed(video()), object_created("videos/canary"), job_event(video(), "ERROR")]
    videos.services.failures = [THROTTLED]
    assert videos.handle("canary", throttled_event, unknown_event, *valid_events) == [0, 1, 2]
    assert len(videos.services.jobs) == 1
    log_output = capsys.readouterr().out
    assert "video_event" in log_output
    assert not [secret for secret in ("canary", OWNER, UPLOAD, "videos/", "s3://") if secret in log_output]


VARIABLES = {
    "TABLE_NAME": rest.TABLE,
    "BUCKET_NAME": BUCKET,
    "EVENT_SOURCE": "polyphony-test.livestream",
    "MEDIACONVERT_ROLE_ARN": ROLE,
}


def test_the_function_uses_its_environment(harness: rest.ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    harness.create_episode(owner=OWNER, episodeId=EPISODE)
    now = timestamp(harness.now)
    track = request_upload(harness.table.get(OWNER, EPISODE).video, expected_upload(UPLOAD), now)
    harness.table.change(OWNER, EPISODE, lambda record: record.with_track(TrackKind.VIDEO, track, now))
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    harness.s3.put_object(Bucket=BUCKET, Key=f"{CHUNK_PREFIX}{UPLOAD}_chunk.m3u8", Body=b"#EXTINF:1,\na.ts\n")
    handler._processing.cache_clear()
    events = [object_created(video()), "no event", job_event(video(), "COMPLETE")]
    records = [{"messageId": str(index), "body": body} for index, body in enumerate(events)]
    try:
        answer = handler.handler({"Records": records}, None)
    finally:
        handler._processing.cache_clear()
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    [item] = harness.stored_items()
    assert item["video"]["M"]["chunks"]["M"]["count"] == {"N": "1"}
