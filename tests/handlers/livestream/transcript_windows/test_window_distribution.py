"""From an uploaded transcript to the agent's queue: once however often it is told, and what is no transcript fails."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from pydantic import ValidationError

from handlers.common.aws.s3_notifications import InvalidEvent
from handlers.common.logging import EventLog
from handlers.common.text.text_windows import WindowSizes
from handlers.livestream.agent.answer_verification import Checked
from handlers.livestream.findings import WindowFailure
from handlers.livestream.object_reader import ObjectReader
from handlers.livestream.transcript.cues import MAX_BYTES, MAX_CUES, Cue
from handlers.livestream.transcript_windows import handler
from handlers.livestream.transcript_windows.environment import TranscriptEnvironment
from handlers.livestream.transcript_windows.window_distribution import TranscriptStarting, parsed
from handlers.livestream.window_queue import NotQueued, WindowMessage, WindowQueue
from tests.handlers.livestream.api_setup import ANN, BUCKET, TABLE, Stage
from tests.handlers.livestream.findings_setup import CLAIM, SIZES, Broadcast
from tests.handlers.livestream.transcript_writers import srt
from tests.handlers.livestream.video_chunks.video_setup import BUCKET as VIDEO_BUCKET
from tests.handlers.livestream.video_chunks.video_setup import REASONS, completed, created, envelope, video
from tests.handlers.livestream.video_chunks.video_setup import key as video_key
from tests.handlers.scripted_clients import stubbed
from tests.loggers import own_logger

CUES = tuple(Cue(at * 1000, at * 1000 + 900, f"Ferry number {at} of canary sails.") for at in range(23))
"""Cut to these sizes, a window has one cue in its core, and the next as its overlap: of 23 cues there are 22."""


@dataclass
class Landing:
    """A transcript's way into the queue."""

    broadcast: Broadcast
    sqs: Any
    url: str
    queue: Any = None

    @property
    def stage(self) -> Stage:
        return self.broadcast.stage

    def uploads(self, data: bytes | str, key: str | None = None) -> str:
        """The event that S3 tells of it."""
        name = key or self.broadcast.key
        body = data.encode() if isinstance(data, str) else data
        version = self.stage.s3.put_object(Bucket=BUCKET, Key=name, Body=body)["VersionId"]
        about = {"key": name, "size": len(body), "version-id": version}
        return envelope("aws.s3", "Object Created", {"bucket": {"name": BUCKET}, "object": about})

    def handle(self, *bodies: str) -> list[int]:
        """One batch; which of them go back."""
        starting = TranscriptStarting(
            self.stage.table,
            ObjectReader(self.stage.s3, BUCKET),
            self.queue or WindowQueue(self.sqs, self.url),
            self.broadcast.findings,
            bucket=BUCKET,
            sizes=SIZES,
            clock=lambda: self.stage.now,
            log=EventLog("DEBUG"),
        )
        records = [{"messageId": str(place), "body": body} for place, body in enumerate(bodies)]
        return [int(one["itemIdentifier"]) for one in starting.handle(records)["batchItemFailures"]]

    def queued(self) -> list[WindowMessage]:
        """All that is in the queue, which is empty afterwards."""
        found: list[WindowMessage] = []
        while batch := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            found += [WindowMessage.model_validate_json(one["Body"]) for one in batch]
        return sorted(found, key=lambda one: one.index)

    @property
    def state(self) -> tuple[str, str | None]:
        track = self.broadcast.track
        return track["state"], track.get("reason")


@pytest.fixture
def landing(stage: Stage) -> Iterator[Landing]:
    sqs = boto3.client("sqs")
    stage.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    yield Landing(Broadcast.requested(stage), sqs, sqs.create_queue(QueueName="windows")["QueueUrl"])
    sqs.close()


def test_a_transcript_is_queued_window_by_window_and_once(landing: Landing) -> None:
    event = landing.uploads(srt(CUES))
    assert landing.handle(event, event) == []
    version = json.loads(event)["detail"]["object"]["version-id"]
    assert landing.queued() == list(landing.broadcast.windows(22, version)), "once, however often it is told"
    track = landing.broadcast.track
    assert (track["state"], track["windows"], track["versionId"]) == ("analyzing", 22, version)
    assert landing.handle(event) == []
    assert (landing.queued(), landing.state) == ([], ("analyzing", None))


def test_of_a_form_that_was_sent_twice_the_first_version_alone_is_queued(landing: Landing) -> None:
    first, second = landing.uploads(srt(CUES)), landing.uploads(srt(CUES[:5]))
    landing.queue = HalfQueue(WindowQueue(landing.sqs, landing.url))
    assert landing.handle(first) == [0]
    landing.queue = None
    landing.queued()
    assert landing.handle(second) == []
    assert (landing.queued(), landing.state) == ([], ("uploaded", None))
    assert landing.handle(first, second) == []
    version = json.loads(first)["detail"]["object"]["version-id"]
    assert landing.queued() == list(landing.broadcast.windows(22, version))
    assert landing.state == ("analyzing", None)


def test_a_late_event_does_not_take_back_what_was_analyzed(landing: Landing) -> None:
    event = landing.uploads(srt(CUES[:1]))
    [window] = landing.broadcast.windows(1, json.loads(event)["detail"]["object"]["version-id"])
    landing.handle(event)
    landing.queued()
    landing.broadcast.findings.failed(window, WindowFailure.FILTERED)
    assert landing.handle(event) == []
    assert (landing.queued(), landing.state) == ([], ("failed", "ANALYSIS_FAILED"))


def test_a_transcript_that_was_given_up_is_queued_when_its_event_is_sent_back(landing: Landing) -> None:
    event = landing.uploads(srt(CUES))
    landing.broadcast.is_given_up()
    assert landing.handle(event) == []
    assert len(landing.queued()) == 22
    assert landing.state == ("analyzing", None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"WEBVTT\n\n", "EMPTY"),
        (b"x" * (MAX_BYTES + 1), "TOO_LARGE"),
        ("WEBVTT\n\n" + "00:01.000 --> 00:02.000\na\n\n" * (MAX_CUES + 1), "TOO_LARGE"),
        (srt(CUES[:1] * 1_100), "TOO_LARGE"),
        (b"\xff\xfea\0", "UNREADABLE"),
        (srt([Cue(2_000, 1_000, "canary")]), "UNREADABLE"),
    ],
    ids=["nothing", "bytes", "cues", "windows", "utf16", "times"],
)
def test_what_is_no_transcript_fails_and_says_why(landing: Landing, data: bytes | str, reason: str) -> None:
    event = landing.uploads(data)
    assert landing.handle(event, event) == []
    assert landing.state == ("failed", reason)
    assert landing.queued() == []


def test_of_what_is_no_longer_awaited_nothing_is_done(landing: Landing) -> None:
    event = landing.uploads(srt(CUES))
    landing.broadcast.request_another()
    assert landing.handle(event) == [], "an older upload"
    assert (landing.queued(), landing.state) == ([], ("requested", None))
    landing.stage.does("deleteEpisode", episode_id=landing.broadcast.episode_id)
    assert landing.handle(event) == [], "of an episode that is gone"
    assert landing.queued() == []


def test_a_transcript_that_is_gone_is_not_queued(landing: Landing) -> None:
    event = landing.uploads(srt(CUES))
    version = json.loads(event)["detail"]["object"]["version-id"]
    landing.stage.s3.delete_object(Bucket=BUCKET, Key=landing.broadcast.key, VersionId=version)
    assert landing.handle(event) == []
    assert (landing.queued(), landing.state) == ([], ("uploaded", None))


def claims(landing: Landing) -> list[str]:
    """The quotes that a client is told."""
    listed = landing.stage.does("listClaims", episode_id=landing.broadcast.episode_id)
    return [one["quote"] for one in listed.body["claims"]]


def says(landing: Landing, window: WindowMessage, quote: str) -> None:
    """The agent's part: a claim, found in a window under the ids of its transcript."""
    found = CLAIM.model_copy(update={"claim_id": window.id_of("claim", quote), "quote": quote})
    landing.broadcast.findings.found(window, Checked(claims=(found,)))


def test_of_a_transcript_that_is_uploaded_again_each_claim_is_listed_once(landing: Landing) -> None:
    landing.handle(landing.uploads(srt(CUES[:3])))
    first, late = landing.queued()
    says(landing, first, "We ran 600 ferries")
    landing.broadcast.upload_id = landing.broadcast.request_another()
    assert landing.handle(landing.uploads(srt(CUES[:3]))) == []
    assert claims(landing) == []
    says(landing, late, "Said of what was given up")
    again, _ = landing.queued()
    says(landing, again, "We ran 600 ferries")
    assert claims(landing) == ["We ran 600 ferries"]


def test_an_event_that_comes_again_takes_nothing_from_its_own_windows(landing: Landing) -> None:
    event = landing.uploads(srt(CUES))
    landing.queue = HalfQueue(WindowQueue(landing.sqs, landing.url))
    assert landing.handle(event) == [0]
    says(landing, landing.queued()[0], "We ran 600 ferries")
    landing.queue = None
    assert landing.handle(event) == []
    assert claims(landing) == ["We ran 600 ferries"]


def test_beside_a_transcript_that_cannot_be_read_stands_nothing_that_another_said(landing: Landing) -> None:
    landing.handle(landing.uploads(srt(CUES)))
    says(landing, landing.queued()[0], "We ran 600 ferries")
    landing.broadcast.upload_id = landing.broadcast.request_another()
    assert landing.handle(landing.uploads(b"canary\0")) == []
    assert (claims(landing), landing.state) == ([], ("failed", "UNREADABLE"))


class HalfQueue:
    """A queue that takes some of a transcript's windows, then no more."""

    def __init__(self, queue: WindowQueue) -> None:
        self._queue = queue

    def send(self, messages: Any) -> None:
        self._queue.send(messages[:10])
        raise NotQueued


def test_a_transcript_that_was_queued_in_part_is_queued_whole_when_it_comes_again(landing: Landing) -> None:
    event = landing.uploads(srt(CUES))
    landing.queue = HalfQueue(WindowQueue(landing.sqs, landing.url))
    assert landing.handle(event) == [0]
    assert landing.state == ("uploaded", None)
    assert len(landing.queued()) == 10
    landing.queue = None
    assert landing.handle(event) == []
    assert [one.index for one in landing.queued()] == list(range(22))
    assert landing.state == ("analyzing", None)


def test_messages_that_the_queue_does_not_take_are_an_error(landing: Landing) -> None:
    failed = {"Id": "3", "SenderFault": False, "Code": "InternalError"}
    good = {"Id": "0", "MessageId": "m", "MD5OfMessageBody": "x"}
    for answer in ({"Successful": [], "Failed": [failed]}, {"Successful": [good], "Failed": [failed]}):
        with stubbed("sqs") as (client, stubber):
            stubber.add_response("send_message_batch", answer)
            with pytest.raises(NotQueued) as caught:
                WindowQueue(client, "https://queue").send(landing.broadcast.windows(22))
            assert not caught.value.args


def test_one_bad_message_does_not_fail_its_batch_and_no_log_tells_of_what_was_said(
    landing: Landing, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = landing.uploads(b"canary\0", Broadcast.requested(landing.stage).key)
    other = landing.uploads("x", "transcripts/canary.txt")
    with own_logger():  # the stage's holds on to the standard output of before the test
        assert landing.handle("canary", landing.uploads(srt(CUES)), other, bad) == [0]
    assert len(landing.queued()) == 22
    told = capsys.readouterr().out
    assert '"windows":22' in told.replace(" ", "")
    assert "transcript_refused" in told
    assert not [one for one in ("canary", ANN, landing.broadcast.upload_id, "transcripts/") if one in told]


def test_the_function_is_made_of_its_environment(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"TABLE_NAME": TABLE, "BUCKET_NAME": BUCKET, "AGENT_QUEUE_URL": landing.url}
    for name, value in {**names, "WINDOW_CHARACTERS": "500", "OVERLAP_CHARACTERS": "100"}.items():
        monkeypatch.setenv(name, value)
    handler._starting.cache_clear()
    event = {"Records": [{"messageId": "1", "body": landing.uploads(srt(CUES))}, {"messageId": "2", "body": "no"}]}
    try:
        assert handler.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    finally:
        handler._starting.cache_clear()
    assert [one.count for one in landing.queued()] == [2, 2]


@pytest.mark.parametrize("changed", [{"AGENT_QUEUE_URL": ""}, {"WINDOW_SECONDS": "29"}, {"WINDOW_CHARACTERS": "1000"}])
def test_a_wrong_environment_is_refused(changed: dict[str, str]) -> None:
    needed = {"TABLE_NAME": "t", "BUCKET_NAME": "b", "AGENT_QUEUE_URL": "https://queue"}
    assert TranscriptEnvironment.model_validate(needed).sizes == WindowSizes(6_000, 600_000, 600)
    with pytest.raises(ValidationError):
        TranscriptEnvironment.model_validate({**needed, **changed})


@pytest.mark.parametrize("reason", [*REASONS, "SomethingNew"])
def test_a_transcript_counts_however_it_was_created(reason: str) -> None:
    key = video_key(suffix=".other").replace("videos/", "transcripts/")
    found = parsed(created(key, reason), VIDEO_BUCKET)
    assert found is not None
    assert (found.key, found.version_id, found.named.suffix) == (key, "null", "other")
    assert parsed(created(video(), reason), VIDEO_BUCKET) is None


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        completed(video()),
        envelope("aws.s3", "Object Deleted", {}),
        envelope("aws.s3", "Object Created", {}),
        created(video(), bucket={"name": "another"}),
    ],
)
def test_what_is_no_new_object_of_ours_is_refused(body: str) -> None:
    with pytest.raises(InvalidEvent):
        parsed(body, VIDEO_BUCKET)
