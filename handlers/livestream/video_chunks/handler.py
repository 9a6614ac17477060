"""Lambda function `video-chunks`: submits MediaConvert jobs that cut uploaded videos into chunks, and tracks the jobs.

There are three kinds of events, each with its reaction:
- S3 reports a new video: livestream's own event `Video Upload Completed` is published, which an archive keeps.
- `Video Upload Completed` arrives: a job is submitted.
- MediaConvert reports a new state of the job: the state of the video's track (its processing) is updated.

Events may arrive twice or late. The state of the track decides whether an event still needs work. The track accepts a
repeated event until a later event has advanced it. So interrupted work is repeated, and finished work is not. There is
one exception: if the function stops after it submitted a job and before it advanced the track, it may submit the same
job again. The repeated job is billed too, but writes the same chunks.

A job may also fail because of a fault of the deployment, for example a missing permission. After the fix, an operator
replays the archived event `Video Upload Completed`, which restarts a video whose job failed.

Events arrive through a queue. If they invoked the function directly, Lambda would retry a failed event for only three
minutes, and MediaConvert may throttle requests for longer. Each invocation handles one event, which then has the full
timeout. The queue's maximum concurrency limits how many jobs are requested at the same time. An event that fails too
often moves to the dead-letter queue. An operator sends it back from there (`aws sqs start-message-move-task`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG, PartlyFailed
from handlers.common.events import (
    IGNORED,
    OBJECT_CREATED,
    S3_SOURCE,
    BatchFailures,
    BusEvent,
    InvalidEvent,
    parse_object_created_detail,
    process_batch,
)
from handlers.common.logging import EventLog, hash_for_log, name_for_log
from handlers.livestream.environment import VideoChunksEnvironment
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.keys import VIDEOS, UploadedObject, parse_upload
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState
from handlers.livestream.video_chunks.job import (
    JOB_FAILED,
    JOB_STATE_CHANGE,
    JOB_STATES,
    MEDIACONVERT,
    UPLOAD_COMPLETED,
    JobChange,
    VideoVersion,
    job_request,
)

if TYPE_CHECKING:
    from types_boto3_events.client import EventBridgeClient


@dataclass(frozen=True)
class VideoCutter:
    """Reaction to the three kinds of events."""

    environment: VideoChunksEnvironment
    table: EpisodeTable
    mediaconvert: Any
    """Client without types, because the project does not install type stubs for a single operation."""
    bus: "EventBridgeClient"
    log: EventLog

    def handle_event(self, body: str) -> str | None:
        """Handle an event. Return `IGNORED` if an object was created whose key is not the key of an upload.

        Any principal of the account may be allowed to write to the event bus. So an event is validated, and
        ValidationError or InvalidEvent is raised if it is malformed, of another stack, or of another kind.
        """
        event = BusEvent.model_validate_json(body)
        kind, bucket = (event.source, event.detail_type), self.environment.bucket_name
        if kind == (S3_SOURCE, OBJECT_CREATED):
            created = parse_object_created_detail(event.detail, bucket)
            uploaded = parse_upload(VIDEOS, created.key, created.version_id)
            if uploaded is None:
                return IGNORED
            video, is_accepted = uploaded, self._announce(uploaded)
        elif kind == (self.environment.event_source, UPLOAD_COMPLETED):
            video = VideoVersion.model_validate(event.detail).to_upload()
            is_accepted = self._submit_job(video, is_replayed=event.replay_name is not None)
        elif kind == (MEDIACONVERT, JOB_STATE_CHANGE):
            change = JobChange.model_validate(event.detail)
            if change.metadata.bucket != bucket or change.status not in JOB_STATES:
                raise InvalidEvent("the rule does not match this job or this state")
            video = change.metadata.to_upload()
            is_accepted = self._apply_job_change(video, change)
        else:
            raise InvalidEvent("no rule of this queue matches events of this kind")
        detail_type, key_hash = name_for_log(event.detail_type.replace(" ", "")), hash_for_log(video.upload_id)
        self.log.info("video_event", route=detail_type, accepted=is_accepted, key_hash=key_hash)
        return None

    # Each of the following methods returns False if the track does not accept the event: it has advanced further, or
    # expects another upload, or does not exist.

    def _announce(self, video: UploadedObject) -> bool:
        """Publish the event `Video Upload Completed`. Raise PartlyFailed if EventBridge does not accept it."""
        if not self.table.advance_track(TrackKind.VIDEO, video, TrackState.UPLOADED):
            return False
        version = VideoVersion(key=video.key, version_id=video.version_id).model_dump_json(by_alias=True)
        source = self.environment.event_source
        answer = self.bus.put_events(Entries=[{"Source": source, "DetailType": UPLOAD_COMPLETED, "Detail": version}])
        if answer["FailedEntryCount"]:
            raise PartlyFailed
        return True

    def _submit_job(self, video: UploadedObject, *, is_replayed: bool) -> bool:
        """Submit the job that cuts a video. A replayed event also restarts a video whose job failed before.

        If CreateJob fails, the exception makes SQS deliver the event again, and the track does not fail. MediaConvert
        reads the video only after CreateJob, so the video is never the cause.
        """
        if not self.table.advance_track(TrackKind.VIDEO, video, TrackState.UPLOADED, restart=is_replayed):
            return False
        settings = self.environment
        request = job_request(
            settings.bucket_name, video, chunk_seconds=settings.chunk_seconds, role_arn=settings.mediaconvert_role_arn
        )
        self.mediaconvert.create_job(**request)
        return self.table.advance_track(TrackKind.VIDEO, video, TrackState.CHUNKING)

    def _apply_job_change(self, video: UploadedObject, change: JobChange) -> bool:
        """Move the video's track to the state that follows from the state of its job."""
        state = JOB_STATES[change.status]
        reason = TrackReason.CHUNKING_FAILED if state is TrackState.FAILED else None
        is_accepted = self.table.advance_track(TrackKind.VIDEO, video, state, reason)
        if is_accepted and change.status == JOB_FAILED:
            self.log.error("video_failed", error_code=change.error_code, key_hash=hash_for_log(video.upload_id))
        return is_accepted


@cache
def _cutter() -> VideoCutter:
    environment = VideoChunksEnvironment.read()
    mediaconvert: Any = boto3.client("mediaconvert", config=CONFIG)
    return VideoCutter(
        environment,
        EpisodeTable(boto3.client("dynamodb", config=CONFIG), environment.table_name, ids.now),
        mediaconvert,
        boto3.client("events", config=CONFIG),
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    cutter = _cutter()
    return process_batch(event["Records"], cutter.handle_event, cutter.log, event_kind="video")
