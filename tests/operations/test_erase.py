"""Tests of the command `erase`, which deletes all meetings and episodes of one user."""

import re
from typing import Any

import boto3
import pytest

from handlers.common.aws import delete_versions
from handlers.common.ids import new_id
from handlers.livestream.episode_table import EpisodeRecord, EpisodeTable
from handlers.livestream.keys import OWNER_INDEX
from handlers.livestream.tracks import Track, TrackState
from operations.__main__ import main
from tests.handlers.meetings.meeting_harness import ANN, BOB
from tests.moto_tables import Index, create_table, stored_items

MEETINGS, EPISODES = "polyphony-dev-meetings-meetings", "polyphony-dev-livestream-null-check"
BUCKET = "polyphony-dev-meetings-recordings-123456789012"
NOW = "2026-01-31T10:00:00.000Z"


class Stack:
    def __init__(self) -> None:
        self.dynamodb, self.s3, self.sqs = boto3.client("dynamodb"), boto3.client("s3"), boto3.client("sqs")
        create_table(self.dynamodb, MEETINGS, "user", "meetingId")
        self.s3.create_bucket(Bucket=BUCKET)
        create_table(self.dynamodb, EPISODES, "pk", "sk", indexes={OWNER_INDEX: Index(("GSI1PK", "GSI1SK"))})
        for subsystem in ("meetings", "livestream"):
            self.sqs.create_queue(QueueName=f"polyphony-dev-{subsystem}-deletions")

    def store_meeting(self, user: str) -> str:
        meeting_id = new_id()
        texts = {"user": user, "meetingId": meeting_id, "status": "ready", "title": "canary", "revision": "1"}
        texts |= dict.fromkeys(("createdAt", "updatedAt", "startedAt"), NOW)
        self.dynamodb.put_item(TableName=MEETINGS, Item={name: {"S": value} for name, value in texts.items()})
        return meeting_id

    def upload(self, user: str) -> None:
        """Upload a chunk without a `complete.json`."""
        self.s3.put_object(Bucket=BUCKET, Key=f"raw/{user}/{new_id()}/0.webm", Body=b"x")

    def store_episode(self, owner: str) -> str:
        track = Track(state=TrackState.NONE, since=NOW)
        texts: Any = {"owner": owner, "title": "canary", "language": "en-US", "created_at": NOW, "updated_at": NOW}
        episode = EpisodeRecord(episode_id=new_id(), video=track, transcript=track, **texts)
        return EpisodeTable(self.dynamodb, EPISODES).create(episode)[0].episode_id

    def statuses(self) -> dict[str, str]:
        """Return the status of each meeting by its id."""
        return {item["meetingId"]["S"]: item["status"]["S"] for item in stored_items(self.dynamodb, MEETINGS)}

    def undeleted_episodes(self, owner: str) -> list[str]:
        episodes, _ = EpisodeTable(self.dynamodb, EPISODES).list_episodes(owner, 100, None)
        return [episode.episode_id for episode in episodes]

    def queued(self, subsystem: str) -> int:
        """Return the number of messages in a subsystem's queue of deletions, which are delayed."""
        url = self.sqs.get_queue_url(QueueName=f"polyphony-dev-{subsystem}-deletions")["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessagesDelayed"])


@pytest.fixture
def stack(mocked_aws: None) -> Stack:
    return Stack()


def erase(user: str = ANN, *arguments: str) -> int:
    return main(["erase", "--stack", "dev", "--user", user, *arguments])


def test_everything_of_the_user_is_deleted_and_nothing_of_others(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.erase.PAGE_SIZE", 2)
    meetings = [stack.store_meeting(ANN) for _ in range(2)]
    meeting_of_bob = stack.store_meeting(BOB)
    for user in (ANN, BOB):
        stack.upload(user)
    episodes = [stack.store_episode(ANN) for _ in range(3)]
    episode_of_bob = stack.store_episode(BOB)
    for _ in range(2):  # a repetition also repeats the messages of meetings
        assert erase(ANN, "--yes") == 0
    assert stack.statuses() == {**dict.fromkeys(meetings, "deleted"), meeting_of_bob: "ready"}
    assert (stack.undeleted_episodes(ANN), stack.undeleted_episodes(BOB)) == ([], [episode_of_bob])
    assert (stack.queued("meetings"), stack.queued("livestream")) == (2 * 2 * 3, 2 * len(episodes))
    output = capsys.readouterr().out
    assert output.splitlines()[:2] == ["meetings: 3 deleted", "episodes: 3 deleted"]
    assert "canary" not in output


def test_without_yes_the_command_only_counts(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.dynamodb.delete_table(TableName=EPISODES)
    meeting = stack.store_meeting(ANN)
    assert erase() == 0
    assert (stack.statuses(), stack.queued("meetings")) == ({meeting: "ready"}, 0)
    assert capsys.readouterr().out == "meetings: 1 found; --yes deletes them\nepisodes: not in this stack\n"


def test_a_deleted_meeting_counts_only_while_it_has_objects(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    summary = f"summaries/{ANN}/{stack.store_meeting(ANN)}/{'0' * 32}.json"
    stack.store_meeting(ANN)  # has no objects
    stack.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    stack.s3.put_object(Bucket=BUCKET, Key=summary, Body=b"x")
    stack.s3.delete_object(Bucket=BUCKET, Key=summary)  # keeps the old version
    assert (erase(ANN, "--yes"), erase()) == (0, 0)
    delete_versions(stack.s3, BUCKET, summary)
    assert (erase(), erase(ANN, "--yes")) == (0, 0)
    counted = re.findall("meetings: (.*)", capsys.readouterr().out)
    assert counted == ["2 deleted", "1 found; --yes deletes them", "0 found", "0 deleted"]
    assert stack.queued("meetings") == 2 * 2 * 2, "deletions of deleted meetings are repeated"


def test_a_deletion_that_fails_is_an_error_and_is_completed_by_a_repetition(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    meeting = stack.store_meeting(ANN)
    stack.sqs.delete_queue(QueueUrl=stack.sqs.get_queue_url(QueueName="polyphony-dev-meetings-deletions")["QueueUrl"])
    assert erase(ANN, "--yes") == 2
    assert stack.statuses() == {meeting: "ready"}
    assert "polyphony-dev-meetings-deletions" in capsys.readouterr().err
    stack.sqs.create_queue(QueueName="polyphony-dev-meetings-deletions")
    assert erase(ANN, "--yes") == 0
    assert stack.statuses() == {meeting: "deleted"}


def test_an_episode_that_is_deleted_meanwhile_is_no_error(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    episode_id, table = stack.store_episode(ANN), EpisodeTable(stack.dynamodb, EPISODES)
    monkeypatch.setattr("operations.erase.episode_table.queue_deletion", lambda *_: table.delete(ANN, episode_id))
    assert erase(ANN, "--yes") == 0
    assert stack.undeleted_episodes(ANN) == []


def test_a_stack_without_both_backends_is_an_error(mocked_aws: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert erase(ANN, "--yes") == 2
    assert "The stack dev has neither meetings nor livestream. Check --stack" in capsys.readouterr().err


@pytest.mark.parametrize("user", ["../x", "", ANN.lower(), f"{ANN}\n"])
def test_a_text_that_is_no_user_id_is_refused(user: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert erase(user, "--yes") == 2
    assert "--user: give the id" in capsys.readouterr().err
