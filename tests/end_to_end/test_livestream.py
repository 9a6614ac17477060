"""End-to-end tests of livestream: its REST API is called over HTTP.

An *episode* is a broadcast with a video, which is cut into chunks, and a transcript, in which the agent finds *claims*.
"""

import json
import math
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from handlers.common.records import serialize_item, serialize_model
from handlers.livestream.keys import window_key
from handlers.livestream.windows import WindowResult
from local.flows import eventually
from local.flows.livestream_client import make_video
from local.flows.livestream_flow import VIDEO_SECONDS
from tests.end_to_end.backends import DeployedLivestream
from tests.end_to_end.conftest import PlatformUse
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
CANARY = "canary-of-a-title"
CLAIMS = ["It is the longest bridge in the whole country", "The river has never been so high in November"]
"""Claims that the scripted model finds in the transcript of the flow."""


def test_the_flows_video_is_sent_in_parts_and_cut_and_its_claims_are_found(platform_use: PlatformUse) -> None:
    """The settings of the stack `local` are for small files: parts of 10 MB, and chunks of two seconds."""
    steps = "\n".join(platform_use.verification.steps("livestream"))
    assert "a transcript uploaded by form and a video in parts" in steps
    assert f"chunk {math.ceil(VIDEO_SECONDS / 2)} downloaded" in steps
    assert f"claims {'; '.join(CLAIMS)}; clips: 1" in steps


def test_a_video_that_never_arrived_is_shown_as_failed(platform_use: PlatformUse) -> None:
    assert (platform_use.overdue_video["state"], platform_use.overdue_video["reason"]) == ("failed", "NEVER_UPLOADED")


def test_an_invalid_value_is_reported_with_its_field_and_rule(livestream: DeployedLivestream) -> None:
    answer = livestream.ask("POST", "/episodes", {"title": ""})
    assert (answer.status, answer.body["code"]) == (400, "MALFORMED")
    [problem] = answer.body["fields"]
    assert (problem["field"], bool(problem["rule"])) == ("title", True)


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
    window = WindowResult.model_validate({"claims": [claim]})
    item = serialize_model(window) | serialize_item(window_key(livestream.owner, episode, upload, 0))
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
        return [line for line in lines if '"VideoUploadCompleted"' in line and '"accepted":false' in line] or None

    eventually(find_replayed_events, "the replayed event in the log")
    assert livestream.ask("GET", f"/episodes/{episode}").body == before
    assert livestream.list_chunks(episode) == chunks
