"""Tests of the playback of recordings: who gets URLs, for which objects, and for how long."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from handlers.common.aws.dynamodb_values import serialize_item
from handlers.common.identity.user_ids import derive_user_id
from handlers.meetings.auth_exchange.api_models import PlaybackResponse
from handlers.meetings.auth_exchange.recording_playback import MAX_AUDIO_PARTS, SESSION_NAME
from handlers.meetings.meeting_record import PARTITION, SORT
from handlers.meetings.s3_keys import MeetingId, Recording
from tests.handlers.livestream.json_schema_strategies import validator
from tests.handlers.meetings.exchange_harness import LOCATION, PLAYBACK_SECONDS, ExchangeHarness
from tests.moto_tables import create_table

MEETING, CONTENT = "01K8PFW0000000000000000000", "0123456789abcdef0123456789abcdef"


@pytest.fixture
def stores(exchange_harness: ExchangeHarness) -> ExchangeHarness:
    """The harness with an empty table and an empty bucket."""
    create_table(boto3.client("dynamodb"), LOCATION.table_name, PARTITION, SORT)
    boto3.client("s3").create_bucket(Bucket=LOCATION.bucket_name)
    return exchange_harness


def own_meeting(harness: ExchangeHarness) -> MeetingId:
    return MeetingId(derive_user_id(harness.provider.issuer, "ann"), MEETING)


def store_meeting(meeting: MeetingId, **attributes: object) -> Recording:
    item = {PARTITION: meeting.user, SORT: meeting.meeting_id, "content": CONTENT, **attributes}
    boto3.client("dynamodb").put_item(TableName=LOCATION.table_name, Item=serialize_item(item))
    return Recording(meeting, CONTENT)


def paths(body: Mapping[str, Any]) -> list[str]:
    return [urlsplit(file["url"]).path.removeprefix("/") for file in body["files"]]


def test_the_user_gets_a_url_of_the_video_for_minutes(stores: ExchangeHarness) -> None:
    meeting = own_meeting(stores)
    key = Recording(meeting, CONTENT).video_key
    store_meeting(meeting, videoKey=key, durationMs=60_000)
    answer = stores.play(MEETING, stores.provider.token(sub="ann"))
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    validator(PlaybackResponse, is_answer=True).validate(answer.body)
    assert paths(answer.body) == [key]
    assert (answer.body["durationMs"], answer.body["expiresSeconds"]) == (60_000, PLAYBACK_SECONDS)
    [file] = answer.body["files"]
    query = parse_qs(urlsplit(file["url"]).query)
    assert (query["X-Amz-Expires"], file["contentType"]) == ([str(PLAYBACK_SECONDS)], "video/mp4")
    assert query["response-content-type"] == ["video/mp4"]


def test_the_url_is_signed_by_a_session_of_the_user_and_not_by_the_function(stores: ExchangeHarness) -> None:
    """The session's tag limits the credentials, and with them the URL, to the user's own objects."""
    meeting = own_meeting(stores)
    store_meeting(meeting, videoKey=Recording(meeting, CONTENT).video_key)
    answer = stores.play(MEETING, stores.provider.token(sub="ann"))
    [session] = stores.sessions
    assert session["Tags"] == [{"Key": "user", "Value": meeting.user}]
    assert session["RoleSessionName"] == SESSION_NAME
    signer = parse_qs(urlsplit(answer.body["files"][0]["url"]).query)["X-Amz-Credential"][0]
    assert signer.startswith("ASIA"), "temporary credentials"


@pytest.mark.parametrize("parts", [1, 3])
def test_a_recording_without_video_has_the_parts_of_its_audio(stores: ExchangeHarness, parts: int) -> None:
    recording = store_meeting(own_meeting(stores))
    keys = [recording.audio_key(part) for part in range(parts)]
    for key in keys:
        boto3.client("s3").put_object(Bucket=LOCATION.bucket_name, Key=key, Body=b"fLaC")
    answer = stores.play(MEETING, stores.provider.token(sub="ann"))
    assert paths(answer.body) == keys
    assert {file["contentType"] for file in answer.body["files"]} == {"audio/flac"}
    assert parts < MAX_AUDIO_PARTS


@pytest.mark.parametrize("attributes", [{}, {"content": ""}])
def test_a_meeting_without_files_is_not_ready(stores: ExchangeHarness, attributes: dict[str, object]) -> None:
    store_meeting(own_meeting(stores), **attributes)
    answer = stores.play(MEETING, stores.provider.token(sub="ann"))
    assert answer.refusal == (409, "RECORDING_NOT_READY", [])


def test_another_users_meeting_is_unknown(stores: ExchangeHarness) -> None:
    meeting = own_meeting(stores)
    store_meeting(meeting, videoKey=Recording(meeting, CONTENT).video_key)
    answer = stores.play(MEETING, stores.provider.token(sub="bob"))
    assert answer.refusal == (404, "MEETING_UNKNOWN", [])
    assert "X-Amz" not in answer.text


def test_an_invalid_token_is_refused_before_any_credentials_are_created(stores: ExchangeHarness) -> None:
    assert stores.play(MEETING, stores.provider.token(aud="others")).refusal == (401, "TOKEN_REFUSED", [])
    assert stores.sessions == []


@pytest.mark.parametrize("meeting_id", ["x", None, 5, "../01K8PFW000000000000000000"])
def test_a_wrong_id_is_named(stores: ExchangeHarness, meeting_id: object) -> None:
    answer = stores.play(meeting_id)
    assert answer.refusal == (400, "MALFORMED", ["meetingId"])
    assert stores.provider.request_count == 0
