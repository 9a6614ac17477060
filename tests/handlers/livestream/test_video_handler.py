"""The function: made of its environment, fed by a queue."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pydantic import ValidationError

from handlers.livestream import video_handler
from handlers.livestream.tracks import TrackState
from handlers.livestream.video_environment import VideoEnvironment
from tests.handlers.livestream.video_stage import BUCKET, ROLE, FakeTracks, created, job, playlist, video

VARIABLES = {
    "TABLE_NAME": "table",
    "BUCKET_NAME": BUCKET,
    "EVENT_SOURCE": "polyphony-test.livestream",
    "MEDIACONVERT_ROLE_ARN": ROLE,
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    credentials = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**VARIABLES, **credentials}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield


def records(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": str(place), "body": body} for place, body in enumerate(bodies)]}


def test_an_upload_is_announced_on_the_bus_and_noted() -> None:
    tracks = FakeTracks()
    made = video_handler.processing(VideoEnvironment.read(), tracks)
    assert made.handle(records(created(video()), "no event")["Records"]) == {
        "batchItemFailures": [{"itemIdentifier": "1"}]
    }
    assert tracks.at is not None
    assert tracks.at.state is TrackState.UPLOADED


def test_chunks_are_counted_in_the_bucket() -> None:
    tracks = FakeTracks()
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=playlist(video()).removeprefix(f"s3://{BUCKET}/"), Body=b"#EXTINF:1,\na.ts\n")
    made = video_handler.processing(VideoEnvironment.read(), tracks)
    assert made.handle(records(job(video(), "COMPLETE"))["Records"]) == {"batchItemFailures": []}
    assert tracks.at is not None
    assert tracks.at.chunks is not None
    assert tracks.at.chunks.count == 1


def test_chunks_have_two_minutes_unless_told() -> None:
    assert VideoEnvironment.read().chunk_seconds == 120


@pytest.mark.parametrize(
    "changed", [{"CHUNK_SECONDS": "0"}, {"CHUNK_SECONDS": "3601"}, {"MEDIACONVERT_ROLE_ARN": "media"}]
)
def test_a_wrong_environment_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        VideoEnvironment.model_validate({**VARIABLES, **changed})
