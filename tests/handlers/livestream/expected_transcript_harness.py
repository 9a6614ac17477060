"""Episode that expects a transcript, for tests of transcripts and of findings.

A transcript is divided into windows, which the fact-check agent analyzes separately. The findings of the agent are fact
claims and clips (suggested excerpts). The transcript's track is its processing state.
"""

from dataclasses import dataclass
from typing import Any

from handlers.common.ids import timestamp
from handlers.common.records import deserialize_item, serialize_item
from handlers.common.text import WindowSizes
from handlers.livestream.api_models import Claim, Clip
from handlers.livestream.episode_cleanup.cleanup_table_gateway import CleanupTable
from handlers.livestream.fact_check_agent.answer_verification import VerifiedAnswer
from handlers.livestream.fact_claim_verdict import Verdict
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.table_keys import episode_key
from handlers.livestream.track_processing_states import (
    ContentType,
    ExpectedUpload,
    TrackKind,
    TrackReason,
    TrackState,
    TrackUpdate,
)
from handlers.livestream.transcript_window_queue import WindowMessage, window_messages
from tests.handlers.livestream.rest_api_harness import ANN, TABLE, ApiHarness

CLAIM = Claim(
    claim_id="c" * 32,
    start_ms=14_000,
    end_ms=20_000,
    quote="We ran 600 ferries",
    speaker="Ann",
    text="They ran 600 ferries.",
    verdict=Verdict.REFUTED,
    confidence=0.9,
    explanation="The report has 410.",
    sources=("cue-32", "0000001731#ab12"),
)
CLIP = Clip(clip_id="d" * 32, start_ms=10_000, end_ms=26_000, title="Ferries", reason="It stands alone.")
SIZES = WindowSizes(characters=40, milliseconds=60_000, overlap_characters=10)
"""Window sizes of the test transcripts."""
FINDINGS = VerifiedAnswer(claims=(CLAIM,), clips=(CLIP,))


@dataclass
class Broadcast:
    """Episode whose transcript track expects the upload `upload_id`."""

    harness: ApiHarness
    episode_id: str
    upload_id: str

    @classmethod
    def with_requested_upload(cls, harness: ApiHarness) -> "Broadcast":
        """Create an episode and request the upload of its transcript."""
        broadcast = cls(harness, harness.create_episode(), harness.new_id())
        broadcast.request_upload(broadcast.upload_id)
        return broadcast

    def request_upload(self, upload_id: str) -> None:
        upload = ExpectedUpload(upload_id=upload_id, content_type=ContentType.SUBRIP, size=1)
        self.harness.table.request_upload(ANN, self.episode_id, TrackKind.TRANSCRIPT, upload, self.now)

    def request_newer_upload(self) -> str:
        """Mark the transcript as failed and request another upload. Return the id of this upload."""
        self.advance(TrackState.FAILED, TrackReason.ANALYSIS_FAILED)
        newer_id = self.harness.new_id()
        self.request_upload(newer_id)
        return newer_id

    def time_out(self) -> None:
        """Mark the transcript as failed after a timeout, as the cleanup function does."""
        table = CleanupTable(self.harness.dynamodb, TABLE)
        episode = table.get(ANN, self.episode_id)
        assert episode is not None
        assert table.fail_track(episode, TrackKind.TRANSCRIPT, TrackReason.TIMED_OUT, self.now)

    def advance(self, state: TrackState, reason: TrackReason | None = None) -> bool:
        """Move the track to a state, as an event about the upload does."""
        update = TrackUpdate(self.upload_id, state, self.now, reason)
        return self.harness.table.advance_track(ANN, self.episode_id, TrackKind.TRANSCRIPT, update)

    @property
    def now(self) -> str:
        return timestamp(self.harness.now)

    @property
    def key(self) -> str:
        return f"transcripts/{ANN}/{self.episode_id}/{self.upload_id}.srt"

    @property
    def findings(self) -> FindingsTable:
        return FindingsTable(self.harness.dynamodb, TABLE, lambda: self.harness.now)

    def windows(self, count: int, version: str = "v1") -> tuple[WindowMessage, ...]:
        """Return the queue messages for the windows of one version of the transcript."""
        return window_messages(ANN, self.episode_id, self.key, version, count, SIZES)

    @property
    def track(self) -> dict[str, Any]:
        """Stored transcript track with all its details."""
        key = serialize_item(episode_key(ANN, self.episode_id))
        item = self.harness.dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
        track: dict[str, Any] = deserialize_item(item)["transcript"]
        return track

    @property
    def stored_sort_keys(self) -> list[str]:
        """Sort keys of the episode's findings and window outcomes."""
        sort_keys = [item["sk"]["S"] for item in self.harness.stored_items() if self.episode_id in item["pk"]["S"]]
        return sorted(sort_key for sort_key in sort_keys if sort_key != "EPISODE")

    @property
    def stored_kinds(self) -> list[str]:
        """Kinds (`CLAIM`, `CLIP` or `WINDOW`) of these items."""
        return [sort_key.split("#")[0] for sort_key in self.stored_sort_keys]
