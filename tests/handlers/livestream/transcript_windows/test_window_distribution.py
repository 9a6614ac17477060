"""Each window of an uploaded transcript is queued, even after a failure; an invalid transcript fails its track."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from pydantic import ValidationError

from handlers.common.aws.s3_notifications import InvalidEvent
from handlers.common.logging import EventLog
from handlers.common.text.text_windows import WindowSizes
from handlers.livestream.fact_check_agent.answer_verification import VerifiedAnswer
from handlers.livestream.findings_table import WindowFailure
from handlers.livestream.s3_object_reader import ObjectReader
from handlers.livestream.transcript import cues
from handlers.livestream.transcript.cues import Cue
from handlers.livestream.transcript_window_queue import WindowMessage, WindowQueue, WindowsNotQueued
from handlers.livestream.transcript_windows import handler, window_distribution
from handlers.livestream.transcript_windows.environment import TranscriptWindowsEnvironment
from handlers.livestream.transcript_windows.window_distribution import WindowDistributor, parse_transcript_event
from tests.handlers.livestream.expected_transcript_harness import CLAIM, SIZES, Broadcast
from tests.handlers.livestream.rest_api_harness import ANN, BUCKET, TABLE, ApiHarness
from tests.handlers.livestream.transcript_file_writers import srt
from tests.handlers.livestream.video_chunks.video_processing_harness import BUCKET as VIDEO_BUCKET
from tests.handlers.livestream.video_chunks.video_processing_harness import created, envelope, video
from tests.handlers.livestream.video_chunks.video_processing_harness import key as video_key
from tests.loggers import own_logger

CUES = tuple(Cue(at * 1000, at * 1000 + 900, f"Ferry number {at} of canary sails.") for at in range(23))
"""Cues of which `SIZES` makes 22 windows. Each window has one cue in its core and the next one as overlap."""


@dataclass
class DistributionHarness:
    """Window distribution with moto's S3, DynamoDB and SQS."""

    broadcast: Broadcast
    sqs: Any
    url: str
    queue_type: type[WindowQueue] = WindowQueue

    @property
    def harness(self) -> ApiHarness:
        return self.broadcast.harness

    def upload(self, data: bytes | str, key: str | None = None) -> str:
        """Upload a transcript; return the S3 event."""
        name = key or self.broadcast.key
        body = data.encode() if isinstance(data, str) else data
        version = self.harness.s3.put_object(Bucket=BUCKET, Key=name, Body=body)["VersionId"]
        about = {"key": name, "size": len(body), "version-id": version}
        return envelope("aws.s3", "Object Created", {"bucket": {"name": BUCKET}, "object": about})

    def handle(self, *bodies: str) -> list[int]:
        """Process one batch; return the indexes of the failed messages."""
        distributor = WindowDistributor(
            self.harness.table,
            ObjectReader(self.harness.s3, BUCKET),
            self.queue_type(self.sqs, self.url),
            self.broadcast.findings,
            bucket=BUCKET,
            sizes=SIZES,
            clock=lambda: self.harness.now,
            log=EventLog("DEBUG"),
        )
        records = [{"messageId": str(place), "body": body} for place, body in enumerate(bodies)]
        return [int(failure["itemIdentifier"]) for failure in distributor.handle(records)["batchItemFailures"]]

    def receive_all(self) -> list[WindowMessage]:
        """Receive and return all messages of the queue."""
        result: list[WindowMessage] = []
        while batch := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            result += [WindowMessage.model_validate_json(body["Body"]) for body in batch]
        return sorted(result, key=lambda message: message.index)

    @property
    def state(self) -> tuple[str, str | None]:
        track = self.broadcast.track
        return track["state"], track.get("reason")


class FailingQueue(WindowQueue):
    """Queue that accepts the first ten windows and then fails."""

    def send(self, messages: Sequence[WindowMessage]) -> None:
        super().send(messages[:10])
        raise WindowsNotQueued


@pytest.fixture
def setup(harness: ApiHarness) -> Iterator[DistributionHarness]:
    sqs = boto3.client("sqs")
    harness.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    yield DistributionHarness(Broadcast.requested(harness), sqs, sqs.create_queue(QueueName="windows")["QueueUrl"])
    sqs.close()


def test_each_window_of_a_transcript_is_queued_once(setup: DistributionHarness) -> None:
    event = setup.upload(srt(CUES))
    assert setup.handle(event, event) == []
    version = json.loads(event)["detail"]["object"]["version-id"]
    assert setup.receive_all() == list(setup.broadcast.windows(22, version)), "a repeated event queues nothing"
    track = setup.broadcast.track
    assert (track["state"], track["windows"], track["versionId"]) == ("analyzing", 22, version)
    assert setup.handle(event) == []
    assert (setup.receive_all(), setup.state) == ([], ("analyzing", None))


def test_only_the_first_version_of_a_twice_submitted_form_is_queued(setup: DistributionHarness) -> None:
    first, second = setup.upload(srt(CUES)), setup.upload(srt(CUES[:5]))
    setup.queue_type = FailingQueue
    assert setup.handle(first) == [0]
    setup.queue_type = WindowQueue
    setup.receive_all()
    assert setup.handle(second) == []
    assert (setup.receive_all(), setup.state) == ([], ("uploaded", None))
    assert setup.handle(first, second) == []
    version = json.loads(first)["detail"]["object"]["version-id"]
    assert setup.receive_all() == list(setup.broadcast.windows(22, version))
    assert setup.state == ("analyzing", None)


def test_a_late_event_does_not_undo_the_analysis(setup: DistributionHarness) -> None:
    event = setup.upload(srt(CUES[:1]))
    [window] = setup.broadcast.windows(1, json.loads(event)["detail"]["object"]["version-id"])
    setup.handle(event)
    setup.receive_all()
    setup.broadcast.findings.save_failure(window, WindowFailure.FILTERED)
    assert setup.handle(event) == []
    assert (setup.receive_all(), setup.state) == ([], ("failed", "ANALYSIS_FAILED"))


def test_a_timed_out_transcript_is_queued_when_its_event_is_redelivered(setup: DistributionHarness) -> None:
    event = setup.upload(srt(CUES))
    setup.broadcast.time_out()
    assert setup.handle(event) == []
    assert len(setup.receive_all()) == 22
    assert setup.state == ("analyzing", None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"WEBVTT\n\n", "EMPTY"),
        (srt(CUES[:1] * 201), "TOO_LARGE"),
        (srt(CUES[:1] * 200), "TOO_LARGE"),
        (b"\xff\xfea\0", "UNREADABLE"),
    ],
    ids=["nothing", "cues", "windows", "utf16"],
)
def test_an_invalid_transcript_fails_the_track_with_a_reason(
    setup: DistributionHarness, monkeypatch: pytest.MonkeyPatch, data: bytes | str, reason: str
) -> None:
    monkeypatch.setattr(cues, "MAX_CUES", 200)
    monkeypatch.setattr(window_distribution, "MAX_WINDOWS", 100)
    event = setup.upload(data)
    assert setup.handle(event, event) == []
    assert setup.state == ("failed", reason)
    assert setup.receive_all() == []


def test_an_event_of_a_replaced_upload_is_ignored(setup: DistributionHarness) -> None:
    event = setup.upload(srt(CUES))
    setup.broadcast.request_another()
    assert setup.handle(event) == [], "the event concerns an older upload"
    assert (setup.receive_all(), setup.state) == ([], ("requested", None))
    setup.harness.call("deleteEpisode", episode_id=setup.broadcast.episode_id)
    assert setup.handle(event) == [], "the episode is deleted"
    assert setup.receive_all() == []


def test_a_missing_transcript_is_not_queued(setup: DistributionHarness) -> None:
    event = setup.upload(srt(CUES))
    version = json.loads(event)["detail"]["object"]["version-id"]
    setup.harness.s3.delete_object(Bucket=BUCKET, Key=setup.broadcast.key, VersionId=version)
    assert setup.handle(event) == []
    assert (setup.receive_all(), setup.state) == ([], ("uploaded", None))


def claims(setup: DistributionHarness) -> list[str]:
    """Return the quotes of the listed claims."""
    listed = setup.harness.call("listClaims", episode_id=setup.broadcast.episode_id)
    return [listed_claim["quote"] for listed_claim in listed.body["claims"]]


def store_claim(setup: DistributionHarness, window: WindowMessage, quote: str) -> None:
    """Store a claim of a window, in place of the agent."""
    result = CLAIM.model_copy(update={"claim_id": window.finding_id("claim", quote), "quote": quote})
    setup.broadcast.findings.save_findings(window, VerifiedAnswer(claims=(result,)))


def test_each_claim_of_a_transcript_uploaded_twice_is_listed_once(setup: DistributionHarness) -> None:
    setup.handle(setup.upload(srt(CUES[:3])))
    first, late = setup.receive_all()
    store_claim(setup, first, "We ran 600 ferries")
    setup.broadcast.upload_id = setup.broadcast.request_another()
    assert setup.handle(setup.upload(srt(CUES[:3]))) == []
    assert claims(setup) == []
    store_claim(setup, late, "A claim of the earlier upload")
    again, _ = setup.receive_all()
    store_claim(setup, again, "We ran 600 ferries")
    assert claims(setup) == ["We ran 600 ferries"]


def test_an_unreadable_transcript_removes_earlier_findings(setup: DistributionHarness) -> None:
    setup.handle(setup.upload(srt(CUES)))
    store_claim(setup, setup.receive_all()[0], "We ran 600 ferries")
    setup.broadcast.upload_id = setup.broadcast.request_another()
    assert setup.handle(setup.upload(b"canary\0")) == []
    assert (claims(setup), setup.state) == ([], ("failed", "UNREADABLE"))


def test_a_partly_queued_transcript_is_queued_completely_on_redelivery(setup: DistributionHarness) -> None:
    event = setup.upload(srt(CUES))
    setup.queue_type = FailingQueue
    assert setup.handle(event) == [0]
    assert setup.state == ("uploaded", None)
    queued = setup.receive_all()
    assert len(queued) == 10
    store_claim(setup, queued[0], "We ran 600 ferries")
    setup.queue_type = WindowQueue
    assert setup.handle(event) == []
    assert [message.index for message in setup.receive_all()] == list(range(22))
    assert (setup.state, claims(setup)) == (("analyzing", None), ["We ran 600 ferries"])


def test_a_bad_message_does_not_fail_its_batch_and_no_text_is_logged(
    setup: DistributionHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = setup.upload(b"canary\0", Broadcast.requested(setup.harness).key)
    other = setup.upload("x", "transcripts/canary.txt")
    with own_logger():  # the harness's logger would keep an earlier standard output
        assert setup.handle("canary", setup.upload(srt(CUES)), other, bad) == [0]
    assert len(setup.receive_all()) == 22
    logged = capsys.readouterr().out
    assert '"windows":22' in logged.replace(" ", "")
    assert "transcript_refused" in logged
    assert not [secret for secret in ("canary", ANN, setup.broadcast.upload_id, "transcripts/") if secret in logged]


def test_the_function_uses_its_environment(setup: DistributionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"TABLE_NAME": TABLE, "BUCKET_NAME": BUCKET, "AGENT_QUEUE_URL": setup.url}
    for name, value in {**names, "WINDOW_CHARACTERS": "500", "OVERLAP_CHARACTERS": "100"}.items():
        monkeypatch.setenv(name, value)
    handler._distributor.cache_clear()
    event = {"Records": [{"messageId": "1", "body": setup.upload(srt(CUES))}, {"messageId": "2", "body": "no"}]}
    try:
        assert handler.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    finally:
        handler._distributor.cache_clear()
    assert [message.count for message in setup.receive_all()] == [2, 2]


def test_an_overlap_above_half_of_a_window_is_refused() -> None:
    needed = {"TABLE_NAME": "t", "BUCKET_NAME": "b", "AGENT_QUEUE_URL": "https://queue"}
    assert TranscriptWindowsEnvironment.model_validate(needed).sizes == WindowSizes(6_000, 600_000, 600)
    with pytest.raises(ValidationError):
        TranscriptWindowsEnvironment.model_validate({**needed, "WINDOW_CHARACTERS": "1000"})


def test_a_transcript_is_recognized_by_its_key() -> None:
    key = video_key(suffix=".other").replace("videos/", "transcripts/")
    result = parse_transcript_event(created(key), VIDEO_BUCKET)
    assert result is not None
    assert (result.key, result.version_id, result.key_parts.suffix) == (key, "null", "other")
    assert parse_transcript_event(created(video()), VIDEO_BUCKET) is None
    with pytest.raises(InvalidEvent):
        parse_transcript_event(created(key, bucket={"name": "another"}), VIDEO_BUCKET)
