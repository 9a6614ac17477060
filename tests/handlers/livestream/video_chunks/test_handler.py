"""Processing of an uploaded video until MediaConvert has cut it into chunks, through the function's handler.

Events may be repeated, reordered, late and malformed, and calls may fail. Texts with "canary" must not be logged.
"""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.livestream.video_chunks import handler
from tests.handlers.livestream.harness import ANN, BUCKET, SOURCE, Harness, deliver, error

FAILED = ("failed", "CHUNKING_FAILED")


def envelope(source: str, detail_type: str, detail: Any) -> str:
    """Return an EventBridge event as a queue message body."""
    return json.dumps({"source": source, "detail-type": detail_type, "detail": detail})


def replay(event: str) -> str:
    """Return an event as EventBridge replays it from an archive."""
    return json.dumps({**json.loads(event), "replay-name": "again-1"})


class Video:
    """Expected video of a new episode of Ann, the events about it, and the function that processes them."""

    def __init__(self, api: Harness) -> None:
        self.api = api
        self.episode = api.create_episode()
        self.upload = api.request_upload(self.episode)["uploadId"]
        self.key = f"videos/{ANN}/{self.episode}/{self.upload}.mp4"
        self.metadata = {"bucket": BUCKET, "key": self.key, "versionId": "v1"}
        self.api.media.jobs, self.api.media.published = [], []

    def created(self, key: str | None = None, **changes: Any) -> str:
        """Return S3's event of a new object."""
        created_object = {"key": key or self.key, "size": 1000, "version-id": "v1"}
        return envelope("aws.s3", "Object Created", {"bucket": {"name": BUCKET}, "object": created_object, **changes})

    def completed(self, source: str = SOURCE, **changes: Any) -> str:
        """Return livestream's own event of a complete upload."""
        return envelope(source, "Video Upload Completed", {"key": self.key, "versionId": "v1", **changes})

    def job(self, status: str, **changes: Any) -> str:
        """Return MediaConvert's event of a job for the video."""
        failure = {"errorCode": 1010, "errorMessage": "canary s3://videos"} if status == "ERROR" else {}
        detail = {"jobId": "1-a", "status": status, "userMetadata": self.metadata, **failure, **changes}
        return envelope("aws.mediaconvert", "MediaConvert Job State Change", detail)

    @property
    def successful_events(self) -> list[str]:
        """All events of a video that is cut without a failure."""
        return [self.created(), self.completed(), self.job("PROGRESSING"), self.job("COMPLETE")]

    def handle(self, *bodies: str) -> list[int]:
        """Process one batch; return the indexes of the failed messages."""
        return deliver(handler.handler, *bodies)

    @property
    def state(self) -> tuple[str, str | None]:
        track = self.api.call("getEpisode", episode_id=self.episode).body["video"]
        return track["state"], track.get("reason")

    @property
    def calls(self) -> tuple[int, int]:
        """Numbers of published events and of submitted jobs."""
        return len(self.api.media.published), len(self.api.media.jobs)


def test_an_uploaded_video_is_announced_and_a_job_for_it_is_submitted(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    video = Video(harness)
    assert (video.handle(video.created()), video.state) == ([], ("uploaded", None))
    assert '"accepted":true' in capsys.readouterr().out
    [event] = harness.media.published
    assert (event["Source"], event["DetailType"]) == (SOURCE, "Video Upload Completed")
    assert json.loads(event["Detail"]) == {"key": video.key, "versionId": "v1"}
    assert (video.handle(video.completed()), video.state) == ([], ("chunking", None))
    [job] = harness.media.jobs
    assert job["UserMetadata"] == video.metadata


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=8))
def test_a_video_is_cut_with_all_events_in_any_order_and_repeated(
    harness: Harness, order: list[int], repetitions: list[int]
) -> None:
    video = Video(harness)
    events = [video.successful_events[index] for index in order]
    assert (video.handle(*events), video.state) == ([], ("chunked", None))
    before = harness.stored_items(), video.calls
    assert video.handle(*(events[index] for index in repetitions), *map(replay, events)) == []
    after = harness.stored_items(), video.calls
    assert after == before, "a replay of the archive must not pay for every job again"


def test_a_deleted_episode_gets_no_job(harness: Harness, capsys: pytest.CaptureFixture[str]) -> None:
    video = Video(harness)
    harness.call("deleteEpisode", episode_id=video.episode)
    assert (video.handle(*video.successful_events), video.calls) == ([], (0, 0))
    assert capsys.readouterr().out.count('"accepted":false') == 4


def test_a_failed_call_returns_the_message_and_succeeds_later(harness: Harness) -> None:
    video = Video(harness)
    harness.media.errors, harness.media.failed_entries = [error("TooManyRequestsException")], 1
    events = video.created(), video.completed()
    assert (video.handle(*events), video.state) == ([0, 1], ("uploaded", None))
    harness.media.failed_entries = 0
    assert (video.handle(*events), video.state, video.calls) == ([], ("chunking", None), (1, 1))


def test_a_replay_restarts_a_video_whose_job_failed(harness: Harness) -> None:
    """MediaConvert reports a missing permission and an unreadable video with the same error code."""
    video = Video(harness)
    video.handle(video.completed(), video.job("ERROR"))
    assert video.handle(video.completed(), video.created()) == []
    assert (video.state, video.calls) == (FAILED, (0, 1)), "a late event restarts nothing"
    replayed_event = replay(video.completed())
    assert video.handle(replayed_event, replayed_event) == []
    assert (video.state, video.calls) == (("chunking", None), (0, 2))
    video.handle(video.job("COMPLETE"), replayed_event, video.job("ERROR"))
    assert (video.state, video.calls) == (("chunked", None), (0, 2))


def test_a_failed_video_is_logged_with_its_error_code_only(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """An alarm counts these log lines, because the events of failed jobs are processed without an error."""
    for statuses, state, codes in (
        (["ERROR"], FAILED, [1010]),
        (["CANCELED"], FAILED, []),
        (["COMPLETE", "ERROR"], ("chunked", None), []),
    ):
        video = Video(harness)
        video.handle(*map(video.job, statuses))
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["error_code"] for line in lines if line["message"] == "video_failed"] == codes
        assert video.state == state


def test_another_object_is_ignored_and_any_other_event_is_refused(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    video = Video(harness)
    playlist = video.key.replace(".mp4", ".m3u8")
    assert video.handle(video.created(playlist)) == []
    assert '"ignored":1' in capsys.readouterr().out
    refused = (
        envelope("aws.s3", "Object Deleted", {}),
        video.created(bucket={"name": "another"}),
        video.created(object={"key": video.key, "size": 1, "version-id": "a\nb"}),
        video.completed("somebody.livestream"),
        video.completed(key=playlist),
        video.completed(versionId="a b"),
        video.job("STATUS_UPDATE"),
        video.job("ERROR", userMetadata={**video.metadata, "bucket": "another-stacks"}),
        video.job("COMPLETE", userMetadata={**video.metadata, "key": "videos/../secrets.mp4"}),
        video.job("COMPLETE", userMetadata=None),
    )
    assert video.handle(*refused) == list(range(len(refused)))
    assert (video.state, video.calls) == (("requested", None), (0, 0))
    assert ANN not in capsys.readouterr().out
