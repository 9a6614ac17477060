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

from handlers.common.aws.event_bus import parse_object_created_event
from handlers.common.aws.sqs_batches import BatchFailures, process_batch
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.text.text_windows import WindowSizes, split_into_windows
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.object_reader import ObjectReader
from handlers.livestream.s3_prefixes import TRANSCRIPTS
from handlers.livestream.tracks import Step, TrackKind, TrackReason, TrackState
from handlers.livestream.transcript.cues import BadTranscript, TranscriptProblem
from handlers.livestream.transcript.transcript_reader import read
from handlers.livestream.upload_keys import StoredUpload, upload_key
from handlers.livestream.window_queue import MAX_WINDOWS, WindowQueue, messages

REASONS = {
    TranscriptProblem.EMPTY: TrackReason.EMPTY,
    TranscriptProblem.TOO_LARGE: TrackReason.TOO_LARGE,
    TranscriptProblem.TOO_MANY_CUES: TrackReason.TOO_LARGE,
}
"""What a track says of a transcript that is not taken; of any other that it is unreadable."""


class Outcome(StrEnum):
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
class TranscriptStarting:
    """Acts on events, one by one or as queue messages bring them."""

    table: EpisodeTable
    transcripts: ObjectReader
    queue: WindowQueue
    findings: FindingsTable
    _: KW_ONLY
    bucket: str
    sizes: WindowSizes
    clock: Callable[[], datetime]
    log: EventLog

    def handle(self, records: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """One batch; the answer names the messages to deliver again."""
        return process_batch(records, self._act, self.log, event_kind="transcript")

    def _act(self, body: str) -> Outcome:
        event = parsed(body, self.bucket)
        if event is None:
            return Outcome.IGNORED
        outcome = self._started(event)
        self.log.info("transcript_event", outcome=outcome, key_hash=hash_for_log(event.named.upload_id))
        return outcome

    def _started(self, event: StoredUpload) -> Outcome:
        if not self._moved(event, TrackState.UPLOADED):
            return Outcome.UNCHANGED
        named = event.named
        # Before it is read: beside a transcript that cannot be, nothing may stand that another one said.
        earlier = self.findings.leave_from(named.owner, named.episode_id, named.upload_id)
        if earlier:
            self.log.info("earlier_findings_deleted", records=earlier, key_hash=hash_for_log(named.upload_id))
        data = self.transcripts.read(event.key, event.version_id)
        if data is None:
            return Outcome.GONE
        try:
            count = self._count(data)
        except BadTranscript as bad:
            self.log.warning("transcript_refused", cause=bad.problem)
            self._moved(event, TrackState.FAILED, REASONS.get(bad.problem, TrackReason.UNREADABLE))
            return Outcome.BAD
        about = named.owner, named.episode_id, event.key, event.version_id
        self.queue.send(messages(*about, count, self.sizes))
        self._moved(event, TrackState.ANALYZING, windows=count)
        self.log.info("transcript_queued", windows=count, key_hash=hash_for_log(named.upload_id))
        return Outcome.QUEUED

    def _count(self, data: bytes) -> int:
        """How many windows a transcript has; raises BadTranscript, of too many too."""
        count = len(split_into_windows(read(data).cues, self.sizes))
        if count > MAX_WINDOWS:
            raise BadTranscript(TranscriptProblem.TOO_LARGE)
        return count

    def _moved(self, event: StoredUpload, state: TrackState, reason: TrackReason | None = None, **facts: int) -> bool:
        named = event.named
        step = Step(named.upload_id, state, timestamp(self.clock()), reason, event.version_id, facts)
        return self.table.advance(named.owner, named.episode_id, TrackKind.TRANSCRIPT, step)


def parsed(body: str, bucket: str) -> StoredUpload | None:
    """Return the uploaded transcript that an event announces, or None if it announces another object of the bucket.

    Accept any suffix, because the content decides the format. Raise NotAnEvent if the event is malformed.
    """
    one = parse_object_created_event(body, bucket)
    named = upload_key(TRANSCRIPTS, one.key)
    return None if named is None else StoredUpload(one.key, one.version_id, named)
