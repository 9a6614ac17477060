"""End-to-end tests of livestream: its REST API is called over HTTP.

An *episode* is a broadcast with a video, which is cut into chunks, and a transcript, in which the agent finds *claims*.
"""

import json
import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers.common.records import serialize_item
from handlers.livestream.keys import window_key
from local.flows import eventually
from local.flows.http_requests import post_form, send
from local.flows.livestream_client import make_video
from local.flows.livestream_flow import VIDEO_SECONDS
from tests.end_to_end.backends import DeployedLivestream
from tests.end_to_end.conftest import FlowRun, Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
UNKNOWN_EPISODE = "01K8PFVZQ0A1B2C3D4E5F6G7H8"
CANARY = "canary-of-a-title"
CLAIMS = ["It is the longest bridge in the whole country", "The river has never been so high in November"]
"""Claims that the scripted model finds in the transcript of the flow."""


def test_the_livestream_flow_passes(livestream_flow_run: FlowRun[list[str]]) -> None:
    assert livestream_flow_run.outcome == [], "the flow found problems"


def test_the_flows_video_is_sent_in_parts_and_cut_and_its_claims_are_found(
    livestream_flow_run: FlowRun[list[str]],
) -> None:
    """The settings of the stack `local` are for small files: parts of 10 MB, and chunks of two seconds."""
    steps = "\n".join(livestream_flow_run.steps)
    assert "a transcript uploaded by form and a video in parts" in steps
    assert f"chunk {math.ceil(VIDEO_SECONDS / 2)} downloaded" in steps
    assert f"claims {'; '.join(CLAIMS)}; clips: 1" in steps


def test_a_video_that_never_arrived_is_shown_as_failed(overdue_video: FlowRun[dict[str, Any]]) -> None:
    assert (overdue_video.outcome["state"], overdue_video.outcome["reason"]) == ("failed", "NEVER_UPLOADED")


LARGE_VIDEO = {"kind": "video", "contentType": "video/mp4", "bytes": 99_000_000_000}


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "field"),
    [
        ("POST", "/episodes", {"title": ""}, "MALFORMED", "title"),
        ("PATCH", f"/episodes/{UNKNOWN_EPISODE}", {"title": "t", "version": 0}, "MALFORMED", "version"),
        ("POST", f"/episodes/{UNKNOWN_EPISODE}/uploads", LARGE_VIDEO, "UPLOAD_TOO_LARGE", "bytes"),
    ],
)
def test_an_invalid_value_is_reported_with_its_field_and_rule(
    livestream: DeployedLivestream, method: str, path: str, body: object, code: str, field: str
) -> None:
    answer = livestream.ask(method, path, body)
    assert (answer.status, answer.body["code"]) == (400, code)
    assert [problem["field"] for problem in answer.body["fields"]] == [field]
    assert all(problem["rule"] for problem in answer.body["fields"])


def test_a_form_accepts_only_the_announced_file(livestream: DeployedLivestream) -> None:
    episode = livestream.create_episode("with a form")["episodeId"]
    request = {"kind": "transcript", "contentType": "text/vtt", "bytes": 10}
    form = livestream.ask("POST", f"/episodes/{episode}/uploads", request).body["form"]
    assert post_form(form["url"], form["fields"], b"x" * 11).status >= 400
    other_fields = {**form["fields"], "key": form["fields"]["key"].replace(episode, UNKNOWN_EPISODE)}
    assert post_form(form["url"], other_fields, b"x" * 10).status >= 400
    assert post_form(form["url"], form["fields"], b"x" * 10).status in {200, 204}


def test_parts_can_be_sent_to_newly_signed_urls(livestream: DeployedLivestream) -> None:
    episode = livestream.create_episode("on a slow line")["episodeId"]
    request = {"kind": "video", "contentType": "video/mp4", "bytes": 101_000_000}
    upload = livestream.ask("POST", f"/episodes/{episode}/uploads", request).body
    multipart_id = {"multipartId": upload["multipart"]["multipartId"]}
    renewed = livestream.ask("POST", f"/episodes/{episode}/uploads/{upload['uploadId']}/parts", multipart_id)
    assert renewed.status == 200
    assert len(renewed.body["multipart"]["parts"]) == len(upload["multipart"]["parts"])
    first_part, last_part = renewed.body["multipart"]["parts"][0], renewed.body["multipart"]["parts"][-1]
    size, last_size = renewed.body["multipart"]["partBytes"], 101_000_000 % renewed.body["multipart"]["partBytes"]
    for url, wrong_size in ((first_part["url"], 100), (first_part["url"], size + 1), (last_part["url"], last_size + 1)):
        assert send("PUT", url, b"x" * wrong_size).status == 403, "the URL is signed for the size of its part"
    assert send("PUT", first_part["url"], b"x" * size).headers["etag"]
    assert send("PUT", last_part["url"], b"x" * last_size).headers["etag"]


def test_a_cursor_is_valid_for_its_own_list_only(livestream: DeployedLivestream) -> None:
    episodes = [livestream.create_episode(f"cursor {number}")["episodeId"] for number in range(2)]
    cursor = livestream.ask("GET", "/episodes?limit=1").body["nextCursor"]
    answer = livestream.ask("GET", f"/episodes/{episodes[0]}/claims?cursor={cursor}")
    assert (answer.status, answer.body["code"]) == (400, "CURSOR_INVALID")
    for episode_id in episodes:
        assert episode_id not in cursor


def test_no_client_text_is_logged(platform: Platform, livestream: DeployedLivestream) -> None:
    created = livestream.create_episode(CANARY, speakers=[CANARY])
    livestream.ask("PATCH", f"/episodes/{created['episodeId']}", {"version": 9, "title": CANARY})
    livestream.ask("POST", "/episodes", {"title": "", "description": CANARY})
    lines = platform.log_lines("livestream-episodes")
    assert any('"request_refused"' in line for line in lines)
    assert not [line for line in lines if CANARY in line or created["episodeId"] in line]


def test_the_example_claim_of_the_requirements_is_returned_unchanged(
    platform: Platform, livestream: DeployedLivestream
) -> None:
    """The test writes the claim to the table, in place of the agent."""
    episode = livestream.create_episode("with claims")["episodeId"]
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
    request = {"kind": "transcript", "contentType": "text/vtt", "bytes": 10}
    upload = livestream.ask("POST", f"/episodes/{episode}/uploads", request).body["uploadId"]
    window = {"outcome": "analyzed", "claims": [claim], "clips": []}
    item = serialize_item({**window_key(livestream.owner, episode, upload, 0), **window})
    platform.client("dynamodb").put_item(TableName=livestream.table, Item=item)
    answer = livestream.ask("GET", f"/episodes/{episode}/claims")
    assert json.loads(answer.data) == {"claims": [claim]}


def replay(platform: Platform, started_at: datetime) -> None:
    """Replay the events that EventBridge archived since a time, as the runbook describes."""
    events = platform.client("events")
    archive = events.describe_archive(ArchiveName="polyphony-local-livestream-events")
    name = f"replay-{uuid.uuid4().hex}"
    events.start_replay(
        ReplayName=name,
        EventSourceArn=archive["ArchiveArn"],
        EventStartTime=started_at,
        EventEndTime=datetime.now(UTC) + timedelta(minutes=1),
        Destination={"Arn": archive["EventSourceArn"]},
    )
    eventually(lambda: events.describe_replay(ReplayName=name)["State"] == "COMPLETED" or None, "a replay")


def test_replayed_events_change_nothing(platform: Platform, livestream: DeployedLivestream) -> None:
    episode = livestream.create_episode("replayed")["episodeId"]
    started_at = datetime.now(UTC) - timedelta(minutes=1)
    livestream.upload(episode, "video", "video/mp4", make_video(2))
    before, chunks = livestream.wait_until_cut(episode), livestream.list_chunks(episode)
    replay(platform, started_at)

    def find_replayed_events() -> list[str] | None:
        lines = platform.log_lines("livestream-video-chunks")
        return [line for line in lines if '"completed"' in line and '"unchanged"' in line] or None

    eventually(find_replayed_events, "the replayed event in the log")
    assert livestream.ask("GET", f"/episodes/{episode}").body == before
    assert livestream.list_chunks(episode) == chunks


def test_a_replayed_event_restarts_a_video_whose_job_failed(platform: Platform, livestream: DeployedLivestream) -> None:
    """The test does not wait for the end of the second job, because MediaConvert answers an equal request within a
    minute with the failed job.
    """
    episode = livestream.create_episode("restarted")["episodeId"]
    started_at = datetime.now(UTC) - timedelta(minutes=1)
    livestream.upload(episode, "video", "video/mp4", b"no video at all" * 100)
    failed = livestream.wait_until_cut(episode)
    assert (failed["status"], failed["video"]["state"]) == ("failed", "failed")
    assert failed["video"]["reason"] == "CHUNKING_FAILED"
    replay(platform, started_at)

    def is_restarted() -> bool | None:
        return livestream.ask("GET", f"/episodes/{episode}").body["video"]["state"] == "chunking" or None

    eventually(is_restarted, "a restarted video")
