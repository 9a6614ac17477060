"""Takes a transcript from its upload to the agent's queue, window by window.

The track says whether there is anything to do: it says yes to a repeat too, until all windows are queued. So what stops
halfway is done again. What was found in an earlier upload, which was given up on, goes first. A window that is queued
twice is worked on once: the agent's worker sees to that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from handlers.common.aws.event_bus import new_object
from handlers.common.aws.sqs_batches import BatchFailures, acted_on
from handlers.common.logging import EventLog, hashed
from handlers.common.text.text_windows import Sizes, windows
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.object_reader import ObjectReader
from handlers.livestream.s3_prefixes import TRANSCRIPTS
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.transcript.cues import BadTranscript, TranscriptProblem
from handlers.livestream.transcript.transcript_reader import read_transcript
from handlers.livestream.upload_keys import UploadedObject, parse_upload_key
from handlers.livestream.window_queue import MAX_WINDOWS, WindowQueue, window_messages

TRACK_REASONS = {
    TranscriptProblem.EMPTY: TrackReason.EMPTY,
    TranscriptProblem.TOO_LARGE: TrackReason.TOO_LARGE,
    TranscriptProblem.TOO_MANY_CUES: TrackReason.TOO_LARGE,
}
"""What a track says of a transcript that is not taken; of any other that it is unreadable."""


class DistributionOutcome(StrEnum):
    """What an event came to."""

    QUEUED = "queued"
    BAD = "bad"
    """It is no transcript that is taken."""
    UNCHANGED = "unchanged"
    """The track is further on, about another upload or version, or not there."""
    GONE = "gone"
    """The object is there no more."""
    IGNORED = "ignored"
    """The event is not about a transcript of ours."""


@dataclass(frozen=True)
class WindowDistributor:
    """Acts on events, one by one or as queue messages bring them."""

    table: EpisodeTable
    transcripts: ObjectReader
    queue: WindowQueue
    findings: FindingsTable
    _: KW_ONLY
    bucket: str
    sizes: Sizes
    clock: Callable[[], datetime]
    log: EventLog

    def handle(self, records: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """One batch; the answer names the messages to deliver again."""
        return acted_on(records, self._handle_event, self.log, about="transcript")

    def _handle_event(self, body: str) -> DistributionOutcome:
        event = parse_transcript_event(body, self.bucket)
        if event is None:
            return DistributionOutcome.IGNORED
        outcome = self._distribute(event)
        self.log.info("transcript_event", outcome=outcome, key_hash=hashed(event.key_parts.upload_id))
        return outcome

    def _distribute(self, event: UploadedObject) -> DistributionOutcome:
        if not self._advance(event, TrackState.UPLOADED):
            return DistributionOutcome.UNCHANGED
        named = event.key_parts
        # Before it is read: beside a transcript that cannot be, nothing may stand that another one said.
        earlier = self.findings.delete_older_findings(named.owner, named.episode_id, named.upload_id)
        if earlier:
            self.log.info("earlier_findings_deleted", records=earlier, key_hash=hashed(named.upload_id))
        data = self.transcripts.read(event.key, event.version_id)
        if data is None:
            return DistributionOutcome.GONE
        try:
            count = self._count_windows(data)
        except BadTranscript as bad:
            self.log.warning("transcript_refused", cause=bad.problem)
            self._advance(event, TrackState.FAILED, TRACK_REASONS.get(bad.problem, TrackReason.UNREADABLE))
            return DistributionOutcome.BAD
        about = named.owner, named.episode_id, event.key, event.version_id
        self.queue.send(window_messages(*about, count, self.sizes))
        self._advance(event, TrackState.ANALYZING, windows=count)
        self.log.info("transcript_queued", windows=count, key_hash=hashed(named.upload_id))
        return DistributionOutcome.QUEUED

    def _count_windows(self, data: bytes) -> int:
        """How many windows a transcript has; raises BadTranscript, of too many too."""
        count = len(windows(read_transcript(data).cues, self.sizes))
        if count > MAX_WINDOWS:
            raise BadTranscript(TranscriptProblem.TOO_LARGE)
        return count

    def _advance(
        self, event: UploadedObject, state: TrackState, reason: TrackReason | None = None, **facts: int
    ) -> bool:
        named = event.key_parts
        step = TrackUpdate(named.upload_id, state, timestamp(self.clock()), reason, event.version_id, facts)
        return self.table.advance_track(named.owner, named.episode_id, TrackKind.TRANSCRIPT, step)


def parse_transcript_event(body: str, bucket: str) -> UploadedObject | None:
    """Return the uploaded transcript that an event announces, or None if it announces another object of the bucket.

    Accept any suffix, because the content decides the format. Raise NotAnEvent if the event is malformed.
    """
    one = new_object(body, bucket)
    named = parse_upload_key(TRANSCRIPTS, one.key)
    return None if named is None else UploadedObject(one.key, one.version_id, named)
