"""Distribution of an uploaded transcript: it is divided into windows, and each window is queued for analysis.

A window is a section of the transcript. An invalid transcript fails its track, which is the episode's processing state
of the transcript. Findings of an earlier upload are removed.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from pydantic import ValidationError

from handlers.common.events import InvalidEvent
from handlers.common.logging import EventLog
from handlers.common.text import WindowSizes
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
from tests.handlers.livestream.video_chunks.video_processing_harness import envelope, object_created, video
from tests.handlers.livestream.video_chunks.video_processing_harness import key as video_key
from tests.loggers import own_logger

CUES = tuple(Cue(at * 1000, at * 1000 + 900, f"Ferry number {at} of canary sails.") for at in range(23))
"""Cues of which `SIZES` makes 22 windows. Each window has one cue in its core and the next one as overlap."""


@dataclass
class DistributionHarness:
    """Window distribution with moto's S3, DynamoDB and SQS, for one episode that expects a transcript.

    Tests upload transcripts, deliver their events, and receive the queued windows.
    """

    broadcast: Broadcast
    sqs: Any
    url: str
    queue_type: type[WindowQueue] = WindowQueue
    """Class of the queue that `handle` sends windows to."""

    @property
    def harness(self) -> ApiHarness:
        return self.broadcast.harness

    def upload(self, data: bytes | str, key: str | None = None) -> str:
        """Upload a transcript; return the S3 event."""
        name = key or self.broadcast.key
        body = data.encode() if isinstance(data, str) else data
        version = self.harness.s3.put_object(Bucket=BUCKET, Key=name, Body=body)["VersionId"]
        object_fields = {"key": name, "size": len(body), "version-id": version}
        return envelope("aws.s3", "Object Created", {"bucket": {"name": BUCKET}, "object": object_fields})

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
        records = [{"messageId": str(index), "body": body} for index, body in enumerate(bodies)]
        return [int(failure["itemIdentifier"]) for failure in distributor.handle(records)["batchItemFailures"]]

    def receive_all(self) -> list[WindowMessage]:
        """Receive and return all messages of the queue."""
        result: list[WindowMessage] = []
        while batch := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            result += [WindowMessage.model_validate_json(body["Body"]) for body in batch]
        return sorted(result, key=lambda message: message.index)

    @property
    def state(self) -> tuple[str, str | None]:
        """State and failure reason of the transcript."""
        track = self.broadcast.track
        return track["state"], track.get("reason")


class FailingQueue(WindowQueue):
    """Queue that accepts the first ten windows and then fails."""

    def send(self, messages: Sequence[WindowMessage]) -> None:
        super().send(messages[:10])
        raise WindowsNotQueued


@pytest.fixture
def distribution(harness: ApiHarness) -> Iterator[DistributionHarness]:
    sqs = boto3.client("sqs")
    harness.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    url = sqs.create_queue(QueueName="windows")["QueueUrl"]
    yield DistributionHarness(Broadcast.with_requested_upload(harness), sqs, url)
    sqs.close()


def version_of(event: str) -> str:
    """Return the object version that an S3 event names."""
    version: str = json.loads(event)["detail"]["object"]["version-id"]
    return version


def test_each_window_of_a_transcript_is_queued_once(distribution: DistributionHarness) -> None:
    event = distribution.upload(srt(CUES))
    assert distribution.handle(event, event) == []
    version = version_of(event)
    windows = list(distribution.broadcast.windows(22, version))
    assert distribution.receive_all() == windows, "a repeated event queues nothing"
    track = distribution.broadcast.track
    assert (track["state"], track["windows"], track["versionId"]) == ("analyzing", 22, version)
    assert distribution.handle(event) == []
    assert (distribution.receive_all(), distribution.state) == ([], ("analyzing", None))


def test_if_a_form_was_submitted_twice_only_the_first_object_version_is_queued(
    distribution: DistributionHarness,
) -> None:
    """Even if the first attempt to queue the first version fails, the second version is not queued."""
    first, second = distribution.upload(srt(CUES)), distribution.upload(srt(CUES[:5]))
    distribution.queue_type = FailingQueue
    assert distribution.handle(first) == [0]
    distribution.queue_type = WindowQueue
    distribution.receive_all()
    assert distribution.handle(second) == []
    assert (distribution.receive_all(), distribution.state) == ([], ("uploaded", None))
    assert distribution.handle(first, second) == []
    assert distribution.receive_all() == list(distribution.broadcast.windows(22, version_of(first)))
    assert distribution.state == ("analyzing", None)


def test_a_repeated_event_does_not_undo_the_analysis(distribution: DistributionHarness) -> None:
    event = distribution.upload(srt(CUES[:1]))
    [window] = distribution.broadcast.windows(1, version_of(event))
    distribution.handle(event)
    distribution.receive_all()
    distribution.broadcast.findings.save_failure(window, WindowFailure.FILTERED)
    assert distribution.handle(event) == []
    assert (distribution.receive_all(), distribution.state) == ([], ("failed", "ANALYSIS_FAILED"))


def test_a_timed_out_transcript_is_queued_when_its_event_is_redelivered(distribution: DistributionHarness) -> None:
    event = distribution.upload(srt(CUES))
    distribution.broadcast.time_out()
    assert distribution.handle(event) == []
    assert len(distribution.receive_all()) == 22
    assert distribution.state == ("analyzing", None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"WEBVTT\n\n", "EMPTY"),
        (srt(CUES[:1] * 201), "TOO_LARGE"),
        (srt(CUES[:1] * 200), "TOO_LARGE"),
        (b"\xff\xfea\0", "UNREADABLE"),
    ],
    ids=["no cues", "too many cues", "too many windows", "UTF-16"],
)
def test_an_invalid_transcript_fails_the_track_with_a_reason(
    distribution: DistributionHarness, monkeypatch: pytest.MonkeyPatch, data: bytes | str, reason: str
) -> None:
    monkeypatch.setattr(cues, "MAX_CUES", 200)
    monkeypatch.setattr(window_distribution, "MAX_WINDOWS", 100)
    event = distribution.upload(data)
    assert distribution.handle(event, event) == []
    assert distribution.state == ("failed", reason)
    assert distribution.receive_all() == []


def test_an_event_of_a_replaced_upload_or_a_deleted_episode_is_ignored(distribution: DistributionHarness) -> None:
    event = distribution.upload(srt(CUES))
    distribution.broadcast.request_newer_upload()
    assert distribution.handle(event) == []
    assert (distribution.receive_all(), distribution.state) == ([], ("requested", None))
    distribution.harness.call("deleteEpisode", episode_id=distribution.broadcast.episode_id)
    assert distribution.handle(event) == []
    assert distribution.receive_all() == []


def test_a_missing_transcript_is_not_queued(distribution: DistributionHarness) -> None:
    event = distribution.upload(srt(CUES))
    key = distribution.broadcast.key
    distribution.harness.s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version_of(event))
    assert distribution.handle(event) == []
    assert (distribution.receive_all(), distribution.state) == ([], ("uploaded", None))


def listed_claims(distribution: DistributionHarness) -> list[str]:
    """Return the quotes of the listed claims."""
    answer = distribution.harness.call("listClaims", episode_id=distribution.broadcast.episode_id)
    return [claim["quote"] for claim in answer.body["claims"]]


def store_claim(distribution: DistributionHarness, window: WindowMessage, quote: str) -> None:
    """Store a claim of a window, in place of the agent."""
    claim = CLAIM.model_copy(update={"claim_id": window.finding_id("claim", quote), "quote": quote})
    distribution.broadcast.findings.save_findings(window, VerifiedAnswer(claims=(claim,)))


def test_each_claim_of_a_transcript_uploaded_twice_is_listed_once(distribution: DistributionHarness) -> None:
    distribution.handle(distribution.upload(srt(CUES[:3])))
    checked_window, late_window = distribution.receive_all()
    store_claim(distribution, checked_window, "We ran 600 ferries")
    distribution.broadcast.upload_id = distribution.broadcast.request_newer_upload()
    assert distribution.handle(distribution.upload(srt(CUES[:3]))) == []
    assert listed_claims(distribution) == []
    store_claim(distribution, late_window, "A claim of the earlier upload")
    new_window, _ = distribution.receive_all()
    store_claim(distribution, new_window, "We ran 600 ferries")
    assert listed_claims(distribution) == ["We ran 600 ferries"]


def test_the_findings_of_an_earlier_upload_are_removed_even_if_the_new_transcript_is_unreadable(
    distribution: DistributionHarness,
) -> None:
    distribution.handle(distribution.upload(srt(CUES)))
    store_claim(distribution, distribution.receive_all()[0], "We ran 600 ferries")
    distribution.broadcast.upload_id = distribution.broadcast.request_newer_upload()
    assert distribution.handle(distribution.upload(b"canary\0")) == []
    assert (listed_claims(distribution), distribution.state) == ([], ("failed", "UNREADABLE"))


def test_a_partly_queued_transcript_is_queued_completely_on_redelivery(distribution: DistributionHarness) -> None:
    event = distribution.upload(srt(CUES))
    distribution.queue_type = FailingQueue
    assert distribution.handle(event) == [0]
    assert distribution.state == ("uploaded", None)
    queued_windows = distribution.receive_all()
    assert len(queued_windows) == 10
    store_claim(distribution, queued_windows[0], "We ran 600 ferries")
    distribution.queue_type = WindowQueue
    assert distribution.handle(event) == []
    assert [message.index for message in distribution.receive_all()] == list(range(22))
    assert (distribution.state, listed_claims(distribution)) == (("analyzing", None), ["We ran 600 ferries"])


def test_an_invalid_message_does_not_fail_its_batch_and_no_text_is_logged(
    distribution: DistributionHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    unreadable_event = distribution.upload(b"canary\0", Broadcast.with_requested_upload(distribution.harness).key)
    misplaced_event = distribution.upload("x", "transcripts/canary.txt")
    with own_logger():  # the harness's logger would keep an earlier standard output
        assert distribution.handle("canary", distribution.upload(srt(CUES)), misplaced_event, unreadable_event) == [0]
    assert len(distribution.receive_all()) == 22
    log_output = capsys.readouterr().out
    assert '"windows":22' in log_output.replace(" ", "")
    assert "transcript_refused" in log_output
    for secret in ("canary", ANN, distribution.broadcast.upload_id, "transcripts/"):
        assert secret not in log_output


def test_the_function_uses_its_environment(distribution: DistributionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = {"TABLE_NAME": TABLE, "BUCKET_NAME": BUCKET, "AGENT_QUEUE_URL": distribution.url}
    for name, value in {**resources, "WINDOW_CHARACTERS": "500", "OVERLAP_CHARACTERS": "100"}.items():
        monkeypatch.setenv(name, value)
    handler._distributor.cache_clear()
    event = {"Records": [{"messageId": "1", "body": distribution.upload(srt(CUES))}, {"messageId": "2", "body": "no"}]}
    try:
        assert handler.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    finally:
        handler._distributor.cache_clear()
    assert [message.count for message in distribution.receive_all()] == [2, 2]


def test_an_overlap_above_half_of_a_window_is_refused() -> None:
    required = {"TABLE_NAME": "t", "BUCKET_NAME": "b", "AGENT_QUEUE_URL": "https://queue"}
    assert TranscriptWindowsEnvironment.model_validate(required).sizes == WindowSizes(6_000, 600_000, 600)
    with pytest.raises(ValidationError):
        TranscriptWindowsEnvironment.model_validate({**required, "WINDOW_CHARACTERS": "1000"})


def test_a_transcript_is_recognized_by_its_key() -> None:
    key = video_key(suffix=".other").replace("videos/", "transcripts/")
    transcript = parse_transcript_event(object_created(key), VIDEO_BUCKET)
    assert transcript is not None
    assert (transcript.key, transcript.version_id, transcript.key_parts.suffix) == (key, "null", "other")
    assert parse_transcript_event(object_created(video()), VIDEO_BUCKET) is None
    with pytest.raises(InvalidEvent):
        parse_transcript_event(object_created(key, bucket={"name": "another"}), VIDEO_BUCKET)
