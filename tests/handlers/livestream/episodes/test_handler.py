"""The function `episodes`, which serves the REST API: its environment, its secret for cursors, and the event bus."""

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from handlers.livestream.environment import EpisodesApiEnvironment
from handlers.livestream.episodes import handler
from handlers.livestream.events import EventNotPublished, EventPublisher
from tests.handlers.livestream.rest_api_harness import BUCKET, PARAMETER, TABLE, ApiHarness
from tests.handlers.scripted_clients import stubbed

VARIABLES = {
    "TABLE_NAME": TABLE,
    "BUCKET_NAME": BUCKET,
    "EVENT_SOURCE": "polyphony-test.livestream",
    "ENCRYPTION_KEY": PARAMETER,
    "ORIGIN": "https://one.example",
    "URL_SECONDS": "61",
    "DELETED_DAYS": "2",
}


@pytest.fixture
def function(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiHarness]:
    """Function on the harness's table and bucket."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    handler._rest.cache_clear()
    yield harness
    handler._rest.cache_clear()


def call(method: str, resource: str, body: Any = None, **event_fields: Any) -> tuple[int, dict[str, Any]]:
    """Invoke the function; return status and body of its answer."""
    event = {"resource": resource, "httpMethod": method, "body": None if body is None else json.dumps(body)}
    answer = handler.handler({**event, "requestContext": {"requestId": "r1"}, **event_fields}, None)
    assert answer["headers"]["Access-Control-Allow-Origin"] == "https://one.example"
    return answer["statusCode"], json.loads(answer["body"] or "{}")


def test_the_function_uses_its_environment(function: ApiHarness) -> None:
    episode_ids = [call("POST", "/episodes", {"title": "A"})[1]["episodeId"] for _ in range(2)]
    path = {"pathParameters": {"episodeId": episode_ids[0]}}
    upload = {"kind": "transcript", "contentType": "text/vtt", "bytes": 5}
    status, answer = call("POST", "/episodes/{episodeId}/uploads", upload, **path)
    assert (status, answer["expiresSeconds"]) == (201, 61)
    assert BUCKET in answer["form"]["url"]
    _, page = call("GET", "/episodes", queryStringParameters={"limit": "1"})
    assert page["episodes"][0]["episodeId"] == episode_ids[1]
    _, page = call("GET", "/episodes", queryStringParameters={"limit": "1", "cursor": page["nextCursor"]})
    assert page["episodes"][0]["episodeId"] == episode_ids[0]
    assert call("DELETE", "/episodes/{episodeId}", **path) == (204, {})


def test_the_environment_gives_the_upload_limits() -> None:
    sizes = {"MAX_VIDEO_GIGABYTES": "2", "MAX_TRANSCRIPT_MEGABYTES": "3"}
    limits = handler.upload_limits(EpisodesApiEnvironment.model_validate({**VARIABLES, **sizes}))
    assert (limits.max_video_bytes, limits.max_transcript_bytes, limits.max_form_bytes) == (2 * 10**9, 3 * 10**6, 10**8)


def test_without_the_secret_a_list_with_further_pages_is_an_internal_error(
    function: ApiHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "/missing")
    for _ in range(2):
        call("POST", "/episodes", {"title": "A"})
    assert call("GET", "/episodes")[0] == 200
    status, answer = call("GET", "/episodes", queryStringParameters={"limit": "1"})
    assert (status, answer["code"]) == (500, "INTERNAL")


def test_an_event_is_published_with_source_type_and_version() -> None:
    detail = '{"schemaVersion": 1, "owner": "o", "episodeId": "e"}'
    entry = {"Source": "polyphony-test.livestream", "DetailType": "Episode Deleted", "Detail": detail}
    with stubbed("events") as (client, stubber):
        stubber.add_response("put_events", {"FailedEntryCount": 0}, {"Entries": [entry]})
        EventPublisher(client, "polyphony-test.livestream")("Episode Deleted", {"owner": "o", "episodeId": "e"})


@pytest.mark.parametrize(
    "answer",
    [
        {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "canary"}]},
        ClientError({"Error": {"Code": "X", "Message": "canary"}}, "PutEvents"),
        EndpointConnectionError(endpoint_url="https://canary"),
    ],
)
def test_the_error_of_a_failed_publication_does_not_quote_the_event(answer: Any) -> None:
    bus = Mock(**{"put_events.side_effect": [answer]})
    with pytest.raises(EventNotPublished) as raised:
        EventPublisher(bus, "polyphony-test.livestream")("Episode Deleted", {})
    assert "canary" not in repr(raised.value)
    assert raised.value.__cause__ is None
