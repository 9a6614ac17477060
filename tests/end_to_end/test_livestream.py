"""The livestream's REST API over real HTTP, as a page and as anybody else would call it."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.blocks.api.gateway_responses import REFUSALS
from local.flows import eventually
from local.flows.http_requests import post_form, send
from local.flows.livestream_client import Livestream
from local.flows.sample_video import film
from tests.end_to_end.conftest import Platform, Played

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
UNKNOWN = "01K8PFVZQ0A1B2C3D4E5F6G7H8"
CANARY = "canary-of-a-title"


def test_episodes_are_created_listed_changed_uploaded_and_deleted(livestream_played: Played[list[str]]) -> None:
    assert livestream_played.outcome == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nothing", None, 404, "NOT_FOUND"),
        ("PUT", "/episodes", {}, 405, "METHOD_NOT_ALLOWED"),
        ("GET", f"/episodes/{UNKNOWN}", None, 404, "EPISODE_UNKNOWN"),
        ("GET", "/episodes?cursor=forged", None, 400, "CURSOR_INVALID"),
        ("PATCH", f"/episodes/{UNKNOWN}", {"version": 1, "title": "x"}, 404, "EPISODE_UNKNOWN"),
        ("GET", f"/episodes/{UNKNOWN}/claims", None, 404, "EPISODE_UNKNOWN"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_form_and_pages_may_read_it(
    livestream: Livestream, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = livestream.ask(method, path, body)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert set(answer.body) == {"code", "message", "fields", "requestId"}
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.body["requestId"]


VIDEO = {"kind": "video", "contentType": "video/mp4", "bytes": 10}
UPLOADS = f"/episodes/{UNKNOWN}/uploads"


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "field"),
    [
        ("POST", "/episodes", {"title": ""}, "MALFORMED", "title"),
        ("POST", "/episodes", {"title": "t", "clientToken": "tok-1"}, "MALFORMED", "clientToken"),
        ("POST", "/episodes", {"title": "t", "language": "english"}, "MALFORMED", "language"),
        ("PATCH", f"/episodes/{UNKNOWN}", {"title": "t", "version": 0}, "MALFORMED", "version"),
        ("POST", UPLOADS, {**VIDEO, "contentType": "text/vtt"}, "TYPE_UNSUPPORTED", "contentType"),
        ("POST", UPLOADS, {**VIDEO, "bytes": 99_000_000_000}, "UPLOAD_TOO_LARGE", "bytes"),
        ("POST", f"{UPLOADS}/{UNKNOWN}", {"multipartId": "x", "parts": []}, "MALFORMED", "parts"),
    ],
)
def test_a_value_that_is_wrong_is_named_by_its_field_with_its_rule(
    livestream: Livestream, method: str, path: str, body: object, code: str, field: str
) -> None:
    answer = livestream.ask(method, path, body)
    assert (answer.status, answer.body["code"]) == (400, code)
    assert [one["field"] for one in answer.body["fields"]] == [field]
    assert all(one["rule"] for one in answer.body["fields"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/episodes", {}),
        ("PATCH", f"/episodes/{UNKNOWN}", {"title": "t"}),
        ("POST", UPLOADS, {**VIDEO, "bytes": "10"}),
    ],
)
def test_a_body_that_has_not_the_form_is_refused_by_the_gateway_which_names_no_field(
    livestream: Livestream, method: str, path: str, body: object
) -> None:
    answer = livestream.ask(method, path, body)
    assert (answer.status, answer.body["code"], answer.body["fields"]) == (400, "MALFORMED", [])
    assert answer.body["message"] == REFUSALS["BAD_REQUEST_BODY"].message


@pytest.mark.parametrize("field", ["description", "more"])
def test_no_body_is_too_large_for_a_clear_answer(livestream: Livestream, field: str) -> None:
    answer = livestream.ask("POST", "/episodes", {"title": "t", field: "x" * 300_000})
    assert (answer.status, answer.body["code"]) == (413, "TOO_LARGE")


def test_a_page_asks_before_it_writes(livestream: Livestream) -> None:
    asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PATCH"}
    answer = send("OPTIONS", f"{livestream.url}/episodes/{UNKNOWN}", headers=asked)
    assert answer.status == 200
    assert {"PATCH", "DELETE", "GET"} <= set(answer.headers["access-control-allow-methods"].split(","))
    assert "Authorization" in answer.headers["access-control-allow-headers"]


def test_a_form_takes_what_was_promised_and_nothing_else(livestream: Livestream) -> None:
    episode = livestream.create("with a form")["episodeId"]
    asked = {"kind": "transcript", "contentType": "text/vtt", "bytes": 10}
    ready = livestream.ask("POST", f"/episodes/{episode}/uploads", asked).body
    form = ready["form"]
    assert post_form(form["url"], form["fields"], b"x" * 11).status >= 400
    other = {**form["fields"], "key": form["fields"]["key"].replace(episode, UNKNOWN)}
    assert post_form(form["url"], other, b"x" * 10).status >= 400
    assert post_form(form["url"], form["fields"], b"x" * 10).status in {200, 204}


def test_parts_may_go_to_addresses_that_were_signed_again(livestream: Livestream) -> None:
    episode = livestream.create("on a slow line")["episodeId"]
    asked = {"kind": "video", "contentType": "video/mp4", "bytes": 101_000_000}
    ready = livestream.ask("POST", f"/episodes/{episode}/uploads", asked).body
    named = {"multipartId": ready["multipart"]["multipartId"]}
    again = livestream.ask("POST", f"/episodes/{episode}/uploads/{ready['uploadId']}/parts", named)
    assert again.status == 200
    assert len(again.body["multipart"]["parts"]) == len(ready["multipart"]["parts"])
    first = again.body["multipart"]["parts"][0]
    assert send("PUT", first["url"], b"x" * 100).headers["etag"]


def test_parts_that_are_not_those_of_the_upload_make_nothing(livestream: Livestream) -> None:
    episode = livestream.create("in parts")["episodeId"]
    asked = {"kind": "video", "contentType": "video/mp4", "bytes": 11_000_000}
    ready = livestream.ask("POST", f"/episodes/{episode}/uploads", asked).body
    wrong = {"multipartId": ready["multipart"]["multipartId"], "parts": [{"partNumber": 1, "etag": "x"}]}
    answer = livestream.ask("POST", f"/episodes/{episode}/uploads/{ready['uploadId']}", wrong)
    assert (answer.status, answer.body["code"]) == (409, "UPLOAD_INCOMPLETE")
    assert [one["field"] for one in answer.body["fields"]] == ["parts"]


def test_a_cursor_serves_its_own_list_alone(livestream: Livestream) -> None:
    episodes = [livestream.create(f"cursor {number}")["episodeId"] for number in range(2)]
    cursor = livestream.ask("GET", "/episodes?limit=1").body["nextCursor"]
    answer = livestream.ask("GET", f"/episodes/{episodes[0]}/claims?cursor={cursor}")
    assert (answer.status, answer.body["code"]) == (400, "CURSOR_INVALID")
    for one in episodes:
        assert one not in cursor


def test_nothing_that_was_said_is_logged(platform: Platform, livestream: Livestream) -> None:
    created = livestream.create(CANARY, clientToken=f"{CANARY}-token", speakers=[CANARY])
    livestream.ask("PATCH", f"/episodes/{created['episodeId']}", {"version": 9, "title": CANARY})
    livestream.ask("POST", "/episodes", {"title": "", "description": CANARY})
    logs = platform.client("logs")
    group = "/aws/lambda/polyphony-local-livestream-episodes"
    lines = [one["message"] for one in logs.filter_log_events(logGroupName=group)["events"]]
    assert any('"request_refused"' in line for line in lines)
    assert not [line for line in lines if CANARY in line or created["episodeId"] in line]


def test_the_documents_example_of_a_claim_comes_back_as_it_was_found(
    platform: Platform, livestream: Livestream
) -> None:
    """Who finds claims writes them beside the episode; here the test does."""
    episode = livestream.create("with claims")["episodeId"]
    claim = {
        "claimId": "c1",
        "startMs": 61_000,
        "endMs": 64_000,
        "quote": "the earth is flat",
        "text": "The earth is flat.",
        "verdict": "refuted",
        "confidence": 0.99,
        "sources": [],
    }
    key = {"pk": {"S": f"EPISODE#everybody#{episode}"}, "sk": {"S": "CLAIM#0000061000#c1"}}
    typed = {
        **{name: {"S": one} for name, one in claim.items() if isinstance(one, str)},
        **{name: {"N": str(one)} for name, one in claim.items() if isinstance(one, int | float)},
        "sources": {"L": []},
    }
    platform.client("dynamodb").put_item(TableName=livestream.table, Item={**key, **typed})
    answer = livestream.ask("GET", f"/episodes/{episode}/claims")
    assert json.loads(answer.data) == {"claims": [{**claim, "timed": True}]}


def replay(platform: Platform, begun: datetime) -> None:
    """Has our events since then said again, as the runbook has it."""
    events = platform.client("events")
    archive = events.describe_archive(ArchiveName="polyphony-local-livestream-events")
    name = f"replay-{uuid.uuid4().hex}"
    events.start_replay(
        ReplayName=name,
        EventSourceArn=archive["ArchiveArn"],
        EventStartTime=begun,
        EventEndTime=datetime.now(UTC) + timedelta(minutes=1),
        Destination={"Arn": archive["EventSourceArn"]},
    )
    eventually(lambda: events.describe_replay(ReplayName=name)["State"] == "COMPLETED" or None, "a replay")


def test_our_events_replayed_change_nothing(platform: Platform, livestream: Livestream) -> None:
    episode = livestream.create("replayed")["episodeId"]
    begun = datetime.now(UTC) - timedelta(minutes=1)
    livestream.upload(episode, "video", "video/mp4", film(2))
    before, chunks = livestream.cut(episode), livestream.chunks(episode)
    replay(platform, begun)
    logs = platform.client("logs")

    def heard() -> int | None:
        lines = logs.filter_log_events(logGroupName="/aws/lambda/polyphony-local-livestream-video-chunks")["events"]
        again = [one for one in lines if '"VideoUploadCompleted"' in one["message"] and '"unchanged"' in one["message"]]
        return len(again) or None

    eventually(heard, "the event, heard again")
    assert livestream.ask("GET", f"/episodes/{episode}").body == before
    assert livestream.chunks(episode) == chunks


def test_a_video_that_is_none_fails_its_track_with_a_reason(livestream: Livestream) -> None:
    episode = livestream.create("broken")["episodeId"]
    livestream.upload(episode, "video", "video/mp4", b"no video at all" * 100)
    found = livestream.cut(episode)
    assert (found["status"], found["video"]["state"], found["video"]["reason"]) == (
        "failed",
        "failed",
        "CHUNKING_FAILED",
    )


def test_a_video_whose_job_failed_is_taken_up_again_where_its_event_is_replayed(
    platform: Platform, livestream: Livestream
) -> None:
    """No further than that: for a minute, MediaConvert takes the job for the one that failed."""
    episode = livestream.create("mended")["episodeId"]
    begun = datetime.now(UTC) - timedelta(minutes=1)
    livestream.upload(episode, "video", "video/mp4", b"no video at all" * 100)
    assert livestream.cut(episode)["video"]["state"] == "failed"
    replay(platform, begun)

    def taken_up() -> bool | None:
        return livestream.ask("GET", f"/episodes/{episode}").body["video"]["state"] == "chunking" or None

    eventually(taken_up, "a video that is taken up again")
