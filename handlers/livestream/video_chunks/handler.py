"""Lambda function `video-chunks`: submits MediaConvert jobs that cut uploaded videos into chunks, and tracks the jobs.

There are three kinds of events, each with its reaction:
- S3 reports a new video: livestream's own event `Video Upload Completed` is published.
- `Video Upload Completed` arrives: a job is submitted.
- MediaConvert reports a new state of the job: the video's track (its processing state) is updated.

Events may arrive twice or late. The state of the track (see `tracks`) decides whether an event still needs work. The
track accepts a repeated event until a later event has advanced it. So interrupted work is repeated, and finished work is
not. There is one exception: if the function stops after it submitted a job and before it advanced the track, it may
submit the same job again. The repeated job is billed too, but writes the same chunks.

A job may also fail because of a fault of the deployment, for example a missing permission. After the fix, an operator
replays the archived event `Video Upload Completed`, which restarts a video whose job failed.

Events arrive through a queue. If they invoked the function directly, Lambda would retry a failed event for only three
minutes, and MediaConvert may throttle requests for longer. Each invocation handles one event, which then has the full
timeout. The queue's maximum concurrency limits how many jobs are requested at the same time. An event that fails too
often moves to the dead-letter queue. An operator sends it back from there (`aws sqs start-message-move-task`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.events import BatchFailures, process_batch
from handlers.common.logging import EventLog, LogText, hash_for_log
from handlers.livestream.environment import VideoChunksEnvironment
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.keys import UploadedObject
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.video_chunks.events import (
    UPLOAD_COMPLETED,
    VideoEvent,
    VideoEventKind,
    is_video,
    parse_video_event,
)
from handlers.livestream.video_chunks.job import VideoVersion, job_request

if TYPE_CHECKING:
    from types_boto3_events.client import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef


class VideoEventOutcome(StrEnum):
    """Result of an event, for the log."""

    ANNOUNCED = "announced"
    UNSUPPORTED = "unsupported"
    """The track failed, because MediaConvert does not read files with this suffix."""
    SUBMITTED = "submitted"
    MOVED = "moved"
    """A job's event advanced the track."""
    UNCHANGED = "unchanged"
    """The track does not accept the event: it has advanced further, or has another upload, or does not exist."""
    IGNORED = "ignored"
    """The event does not concern a video of this stack."""


class EventNotPublished(Exception):
    """EventBridge rejected an event. The exception contains no part of the event."""


@dataclass(frozen=True)
class VideoCutter:
    """Reaction to the three kinds of events."""

    environment: VideoChunksEnvironment
    table: EpisodeTable
    mediaconvert: Any
    """Client without types, because the project does not install type stubs for a single operation."""
    bus: "EventBridgeClient"
    log: EventLog

    def handle_event(self, body: str) -> VideoEventOutcome:
        event = parse_video_event(body, self.environment.bucket_name)
        if event is None:
            return VideoEventOutcome.IGNORED
        match event.kind:
            case VideoEventKind.CREATED:
                outcome = self._announce(event)
            case VideoEventKind.COMPLETED:
                outcome = self._submit_job(event)
            case VideoEventKind.JOB:
                outcome = self._apply_job_change(event)
        self.log.info("video_event", route=event.kind, outcome=outcome, key_hash=_hash(event.video))
        return outcome

    def _announce(self, event: VideoEvent) -> VideoEventOutcome:
        """Publish the event `Video Upload Completed`, unless MediaConvert cannot read the file."""
        if not is_video(event.video):
            is_advanced = self._advance_track(event.video, TrackState.FAILED, TrackReason.UNSUPPORTED_TYPE)
            return VideoEventOutcome.UNSUPPORTED if is_advanced else VideoEventOutcome.UNCHANGED
        if not self._advance_track(event.video, TrackState.UPLOADED):
            return VideoEventOutcome.UNCHANGED
        video = VideoVersion(key=event.video.key, version_id=event.video.version_id)
        entry: PutEventsRequestEntryTypeDef = {
            "Source": self.environment.event_source,
            "DetailType": UPLOAD_COMPLETED,
            "Detail": video.model_dump_json(by_alias=True),
        }
        answer = self.bus.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise EventNotPublished
        return VideoEventOutcome.ANNOUNCED

    def _submit_job(self, event: VideoEvent) -> VideoEventOutcome:
        """Submit the job that cuts a video.

        If CreateJob fails, the exception makes SQS deliver the event again. MediaConvert reads the video only after
        CreateJob, so such a failure is never the fault of the video.
        """
        if not self._advance_track(event.video, TrackState.UPLOADED, is_restart=event.is_replayed):
            return VideoEventOutcome.UNCHANGED
        settings = self.environment
        request = job_request(
            settings.bucket_name,
            event.video,
            chunk_seconds=settings.chunk_seconds,
            role_arn=settings.mediaconvert_role_arn,
        )
        self.mediaconvert.create_job(**request)
        self._advance_track(event.video, TrackState.CHUNKING)
        return VideoEventOutcome.SUBMITTED

    def _apply_job_change(self, event: VideoEvent) -> VideoEventOutcome:
        assert event.state is not None
        reason = TrackReason.CHUNKING_FAILED if event.state is TrackState.FAILED else None
        details: dict[str, object] = {"errorCode": event.error_code}
        if event.chunks is not None:
            details["chunks"] = event.chunks.model_dump(by_alias=True)
        if not self._advance_track(event.video, event.state, reason, details):
            return VideoEventOutcome.UNCHANGED
        if event.error_code is not None:
            self.log.error("video_failed", error_code=event.error_code, key_hash=_hash(event.video))
        return VideoEventOutcome.MOVED

    def _advance_track(
        self,
        video: UploadedObject,
        state: TrackState,
        reason: TrackReason | None = None,
        details: Mapping[str, object] = {},
        *,
        is_restart: bool = False,
    ) -> bool:
        """Update the video's track; return True if it now has this state for this video."""
        now = ids.timestamp(ids.now())
        update = TrackUpdate(
            upload_id=video.upload_id,
            state=state,
            at=now,
            reason=reason,
            version_id=video.version_id,
            details=details,
            restart=is_restart,
        )
        return self.table.advance_track(video.owner, video.episode_id, TrackKind.VIDEO, update)


def _hash(video: UploadedObject) -> LogText:
    return hash_for_log(video.upload_id)


@cache
def _cutter() -> VideoCutter:
    environment = VideoChunksEnvironment.read()
    mediaconvert: Any = boto3.client("mediaconvert", config=CONFIG)
    return VideoCutter(
        environment,
        EpisodeTable(boto3.client("dynamodb", config=CONFIG), environment.table_name),
        mediaconvert,
        boto3.client("events", config=CONFIG),
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    cutter = _cutter()
    return process_batch(event["Records"], cutter.handle_event, cutter.log, event_kind="video")


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _cutter()  # created during initialization, before the first event waits for it
