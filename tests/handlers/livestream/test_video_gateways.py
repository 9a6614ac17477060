"""What is asked of AWS, by botocore's models, and what its refusals mean."""

import io
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from handlers.livestream import chunking
from handlers.livestream.publishing import NotPublished
from handlers.livestream.video_events import UploadCompleted, parsed
from handlers.livestream.video_gateways import Bus, Jobs, Playlists
from tests.handlers.livestream.video_stage import BUCKET, ROLE, envelope, video

PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:120\n#EXTINF:120.0,\na_00001.ts\n#EXTINF:3.5,\na_00002.ts\n#EXT-X-ENDLIST\n"
REQUEST = chunking.request(BUCKET, video(), seconds=120, role_arn=ROLE)


def stubbed(service: str) -> tuple[Any, Stubber]:
    session: Any = boto3.Session("k", "s", region_name="us-east-1")
    client = session.client(service)
    stub = Stubber(client)
    stub.activate()
    return client, stub


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("BadRequestException", 400),
        ("NotFoundException", 404),
        ("TooManyRequestsException", 429),
        ("InternalServerErrorException", 500),
        ("ServiceQuotaExceededException", 402),
        ("ConflictException", 409),
        ("ForbiddenException", 403),
        ("AccessDeniedException", 403),
    ],
)
def test_what_may_pass_or_be_mended_is_raised(code: str, status: int) -> None:
    client, stub = stubbed("mediaconvert")
    stub.add_client_error("create_job", code, "", status)
    with pytest.raises(ClientError):
        Jobs(client).create(REQUEST)


def test_the_client_asks_the_regions_own_endpoint() -> None:
    client, _ = stubbed("mediaconvert")
    assert client.meta.endpoint_url == "https://mediaconvert.us-east-1.amazonaws.com"


def test_what_is_announced_is_what_is_understood() -> None:
    client, stub = stubbed("events")
    asked: list[dict[str, Any]] = []
    client.meta.events.register("provide-client-params.*.*", lambda params, **_: asked.append(params))
    stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
    Bus(client, "polyphony-test.livestream").upload_completed(video())
    [entry] = asked[0]["Entries"]
    assert entry.keys() == {"Source", "DetailType", "Detail"}
    assert json.loads(entry["Detail"]).keys() == {
        *("schemaVersion", "owner", "episodeId", "uploadId", "key", "versionId", "size")
    }
    body = envelope(entry["Source"], entry["DetailType"], json.loads(entry["Detail"]))
    assert parsed(body, BUCKET) == UploadCompleted(video())


def test_an_event_that_the_bus_did_not_take_is_a_failure() -> None:
    client, stub = stubbed("events")
    stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]})
    with pytest.raises(NotPublished):
        Bus(client, "polyphony-test.livestream").upload_completed(video())


def test_a_playlist_names_each_chunk_once() -> None:
    client, stub = stubbed("s3")
    stub.add_response(
        "get_object", {"Body": StreamingBody(io.BytesIO(PLAYLIST), len(PLAYLIST))}, {"Bucket": BUCKET, "Key": "k"}
    )
    assert Playlists(client, BUCKET).entries("k") == 2


def test_a_playlist_that_is_gone_is_none() -> None:
    client, stub = stubbed("s3")
    stub.add_client_error("get_object", "NoSuchKey")
    assert Playlists(client, BUCKET).entries("k") is None


def test_a_playlist_that_may_not_be_read_is_a_failure() -> None:
    client, stub = stubbed("s3")
    stub.add_client_error("get_object", "AccessDenied", "", 403)
    with pytest.raises(ClientError):
        Playlists(client, BUCKET).entries("k")
