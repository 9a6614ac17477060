"""Division of an uploaded transcript into windows, and one message on the agent's queue for each window.

A window is a section that is small enough for one model request. The agent is the function that analyzes the windows.
S3's event about the upload starts the division, and may arrive more than once. The episode's record contains a track for
the transcript: the state of its processing (see `track_processing_states`). This state decides whether the event still
needs work. Until all windows are queued, the track accepts the event again, so interrupted work is repeated as a whole.
A window that is queued twice is normally analyzed once, because the agent skips a window that has an outcome.

After a failure, the client can upload the transcript again. The findings of earlier uploads are deleted before the
windows of the new upload are queued.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from handlers.common.events import BatchFailures, parse_object_created_event, process_batch
from handlers.common.ids import timestamp
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.text import WindowSizes, split_into_windows
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.s3_object_reader import ObjectReader
from handlers.livestream.s3_prefixes import TRANSCRIPTS
from handlers.livestream.track_processing_states import TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.transcript.cues import BadTranscript, TranscriptProblem
from handlers.livestream.transcript.transcript_reader import read_transcript
from handlers.livestream.transcript_window_queue import MAX_WINDOWS, WindowQueue, window_messages
from handlers.livestream.upload_object_keys import UploadedObject, parse_upload_key

TRACK_REASONS = {
    TranscriptProblem.EMPTY: TrackReason.EMPTY,
    TranscriptProblem.TOO_LARGE: TrackReason.TOO_LARGE,
    TranscriptProblem.TOO_MANY_CUES: TrackReason.TOO_LARGE,
}
"""Failure reason of the track for each problem of a transcript. All other problems become `UNREADABLE`."""


class DistributionOutcome(StrEnum):
    QUEUED = "queued"
    INVALID = "bad"
    """The object is not a valid transcript, so the track has failed."""
    UNCHANGED = "unchanged"
    """The track does not accept the event: it has advanced further, or has another upload, or does not exist."""
    GONE = "gone"
    """The object no longer exists."""
    IGNORED = "ignored"
    """The event does not concern an uploaded transcript."""


@dataclass(frozen=True)
class WindowDistributor:
    table: EpisodeTable
    transcripts: ObjectReader
    queue: WindowQueue
    findings: FindingsTable
    _: KW_ONLY
    bucket: str
    """Livestream's bucket. Events about other buckets are refused."""
    sizes: WindowSizes
    clock: Callable[[], datetime]
    log: EventLog

    def handle(self, records: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Process a batch of queue messages; return those that SQS must deliver again."""
        return process_batch(records, self._handle_event, self.log, event_kind="transcript")

    def _handle_event(self, body: str) -> DistributionOutcome:
        event = parse_transcript_event(body, self.bucket)
        if event is None:
            return DistributionOutcome.IGNORED
        outcome = self._distribute(event)
        self.log.info("transcript_event", outcome=outcome, key_hash=hash_for_log(event.key_parts.upload_id))
        return outcome

    def _distribute(self, event: UploadedObject) -> DistributionOutcome:
        if not self._advance_track(event, TrackState.UPLOADED):
            return DistributionOutcome.UNCHANGED
        upload = event.key_parts
        # This comes first, so that the earlier findings are deleted even if this transcript is unreadable.
        deleted_count = self.findings.delete_older_findings(upload.owner, upload.episode_id, upload.upload_id)
        if deleted_count:
            self.log.info("earlier_findings_deleted", records=deleted_count, key_hash=hash_for_log(upload.upload_id))
        data = self.transcripts.read(event.key, event.version_id)
        if data is None:
            return DistributionOutcome.GONE
        try:
            count = self._count_windows(data)
        except BadTranscript as error:
            self.log.warning("transcript_refused", cause=error.problem)
            self._advance_track(event, TrackState.FAILED, TRACK_REASONS.get(error.problem, TrackReason.UNREADABLE))
            return DistributionOutcome.INVALID
        transcript = upload.owner, upload.episode_id, event.key, event.version_id
        self.queue.send(window_messages(*transcript, count, self.sizes))
        self._advance_track(event, TrackState.ANALYZING, windows=count)
        self.log.info("transcript_queued", windows=count, key_hash=hash_for_log(upload.upload_id))
        return DistributionOutcome.QUEUED

    def _count_windows(self, data: bytes) -> int:
        """Return the number of windows of a transcript.

        Raise BadTranscript if it is invalid or has too many windows.
        """
        count = len(split_into_windows(read_transcript(data).cues, self.sizes))
        if count > MAX_WINDOWS:
            raise BadTranscript(TranscriptProblem.TOO_LARGE)
        return count

    def _advance_track(
        self, event: UploadedObject, state: TrackState, reason: TrackReason | None = None, **details: int
    ) -> bool:
        upload = event.key_parts
        update = TrackUpdate(upload.upload_id, state, timestamp(self.clock()), reason, event.version_id, details)
        return self.table.advance_track(upload.owner, upload.episode_id, TrackKind.TRANSCRIPT, update)


def parse_transcript_event(body: str, bucket: str) -> UploadedObject | None:
    """Return the uploaded transcript that an event announces, or None if it announces another object of the bucket.

    Accept any suffix, because the content decides the format. Raise InvalidEvent if the event is malformed.
    """
    created_object = parse_object_created_event(body, bucket)
    key_parts = parse_upload_key(TRANSCRIPTS, created_object.key)
    return None if key_parts is None else UploadedObject(created_object.key, created_object.version_id, key_parts)
