"""Tests of the API call for the playback of a recording: who gets URLs, for which objects, and for how long."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from handlers.common.aws.dynamodb_values import serialize_item
from handlers.common.identity.user_ids import derive_user_id
from handlers.meetings.auth_exchange.api_models import PlaybackResponse
from handlers.meetings.auth_exchange.recording_playback import SESSION_NAME
from handlers.meetings.meeting_record import PARTITION, SORT
from handlers.meetings.s3_keys import MeetingId, Recording
from tests.handlers.livestream.json_schema_strategies import validator
from tests.handlers.meetings.exchange_harness import LOCATION, PLAYBACK_SECONDS, ExchangeHarness
from tests.moto_tables import create_table

MEETING, CONTENT = "01K8PFW0000000000000000000", "0123456789abcdef0123456789abcdef"


@pytest.fixture
def harness(exchange_harness: ExchangeHarness) -> ExchangeHarness:
    """The harness with an empty table and an empty bucket."""
    create_table(boto3.client("dynamodb"), LOCATION.table_name, PARTITION, SORT)
    boto3.client("s3").create_bucket(Bucket=LOCATION.bucket_name)
    return exchange_harness


def meeting_of_ann(harness: ExchangeHarness) -> MeetingId:
    return MeetingId(derive_user_id(harness.provider.issuer, "ann"), MEETING)


def store_meeting(meeting: MeetingId, **attributes: object) -> Recording:
    item = {PARTITION: meeting.user, SORT: meeting.meeting_id, "content": CONTENT, **attributes}
    boto3.client("dynamodb").put_item(TableName=LOCATION.table_name, Item=serialize_item(item))
    return Recording(meeting, CONTENT)


def object_keys(body: Mapping[str, Any]) -> list[str]:
    """Return the keys of the objects to which the URLs lead."""
    return [urlsplit(file["url"]).path.removeprefix("/") for file in body["files"]]


def test_the_user_gets_a_url_of_the_video_for_minutes(harness: ExchangeHarness) -> None:
    meeting = meeting_of_ann(harness)
    key = Recording(meeting, CONTENT).video_key
    store_meeting(meeting, videoKey=key, durationMs=60_000)
    response = harness.request_playback(MEETING, harness.provider.token(sub="ann"))
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    validator(PlaybackResponse, is_answer=True).validate(response.body)
    assert object_keys(response.body) == [key]
    assert (response.body["durationMs"], response.body["expiresSeconds"]) == (60_000, PLAYBACK_SECONDS)
    [file] = response.body["files"]
    query = parse_qs(urlsplit(file["url"]).query)
    assert (query["X-Amz-Expires"], file["contentType"]) == ([str(PLAYBACK_SECONDS)], "video/mp4")
    assert query["response-content-type"] == ["video/mp4"]


def test_the_url_is_signed_by_a_session_of_the_user_and_not_by_the_function(harness: ExchangeHarness) -> None:
    """The session's tag limits the credentials, and with them the URL, to the user's own objects."""
    meeting = meeting_of_ann(harness)
    store_meeting(meeting, videoKey=Recording(meeting, CONTENT).video_key)
    response = harness.request_playback(MEETING, harness.provider.token(sub="ann"))
    [call] = harness.assume_role_calls
    assert call["Tags"] == [{"Key": "user", "Value": meeting.user}]
    assert call["RoleSessionName"] == SESSION_NAME
    signer = parse_qs(urlsplit(response.body["files"][0]["url"]).query)["X-Amz-Credential"][0]
    assert signer.startswith("ASIA"), "the URL must be signed with temporary credentials"


@pytest.mark.parametrize("part_count", [1, 3])
def test_a_recording_without_video_has_urls_of_its_audio_parts(harness: ExchangeHarness, part_count: int) -> None:
    recording = store_meeting(meeting_of_ann(harness))
    keys = [recording.audio_key(part) for part in range(part_count)]
    for key in keys:
        boto3.client("s3").put_object(Bucket=LOCATION.bucket_name, Key=key, Body=b"fLaC")
    response = harness.request_playback(MEETING, harness.provider.token(sub="ann"))
    assert object_keys(response.body) == keys
    assert {file["contentType"] for file in response.body["files"]} == {"audio/flac"}


@pytest.mark.parametrize("attributes", [{}, {"content": ""}])
def test_a_meeting_without_output_is_not_ready(harness: ExchangeHarness, attributes: dict[str, object]) -> None:
    store_meeting(meeting_of_ann(harness), **attributes)
    response = harness.request_playback(MEETING, harness.provider.token(sub="ann"))
    assert response.error == (409, "RECORDING_NOT_READY", [])


def test_another_users_meeting_is_unknown(harness: ExchangeHarness) -> None:
    meeting = meeting_of_ann(harness)
    store_meeting(meeting, videoKey=Recording(meeting, CONTENT).video_key)
    response = harness.request_playback(MEETING, harness.provider.token(sub="bob"))
    assert response.error == (404, "MEETING_UNKNOWN", [])
    assert "X-Amz" not in response.text


def test_an_invalid_token_is_refused_before_any_credentials_are_created(harness: ExchangeHarness) -> None:
    assert harness.request_playback(MEETING, harness.provider.token(aud="others")).error == (401, "TOKEN_REFUSED", [])
    assert harness.assume_role_calls == []


@pytest.mark.parametrize("meeting_id", ["x", None, 5, "../01K8PFW000000000000000000"])
def test_an_invalid_meeting_id_is_a_400_with_the_field(harness: ExchangeHarness, meeting_id: object) -> None:
    response = harness.request_playback(meeting_id)
    assert response.error == (400, "MALFORMED", ["meetingId"])
    assert harness.provider.request_count == 0, "the identity provider's keys must not be requested"
