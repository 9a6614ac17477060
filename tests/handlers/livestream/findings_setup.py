"""What tests of transcripts and findings act on: an episode that waits for a transcript, its windows and findings."""

from dataclasses import dataclass
from typing import Any

from handlers.common.aws.dynamodb_values import plain
from handlers.common.text.text_windows import Sizes
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.livestream.agent.answer_verification import VerifiedAnswer
from handlers.livestream.api_models import Claim, Clip
from handlers.livestream.episode_cleanup.cleanup_table import CleanupTable
from handlers.livestream.findings import Verdict
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.tracks import ContentType, ExpectedUpload, TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.window_queue import WindowMessage, window_messages
from tests.handlers.livestream.api_setup import ANN, TABLE, Stage

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
SIZES = Sizes(characters=40, milliseconds=60_000, overlap_characters=10)
"""What transcripts are cut to."""
FOUND = VerifiedAnswer(claims=(CLAIM,), clips=(CLIP,))


@dataclass
class Broadcast:
    """An episode of the stage's whose transcript was asked for."""

    stage: Stage
    episode_id: str
    upload_id: str

    @classmethod
    def requested(cls, stage: Stage) -> "Broadcast":
        one = cls(stage, stage.episode(), stage.new_id())
        one.request(one.upload_id)
        return one

    def request(self, upload_id: str) -> None:
        upload = ExpectedUpload(upload_id=upload_id, content_type=ContentType.SUBRIP, size=1)
        self.stage.table.request_upload(ANN, self.episode_id, TrackKind.TRANSCRIPT, upload, self.now)

    def request_another(self) -> str:
        """Where the first has failed."""
        self.advance(TrackState.FAILED, TrackReason.ANALYSIS_FAILED)
        newer = self.stage.new_id()
        self.request(newer)
        return newer

    def is_given_up(self) -> None:
        """By the sweep, wherever it conflict."""
        table = CleanupTable(self.stage.dynamodb, TABLE)
        seen = table.get(ANN, self.episode_id)
        assert seen is not None
        assert table.fail_track(seen, TrackKind.TRANSCRIPT, TrackReason.TIMED_OUT, self.now)

    def advance(self, state: TrackState, reason: TrackReason | None = None) -> bool:
        step = TrackUpdate(self.upload_id, state, self.now, reason)
        return self.stage.table.advance_track(ANN, self.episode_id, TrackKind.TRANSCRIPT, step)

    @property
    def now(self) -> str:
        return timestamp(self.stage.now)

    @property
    def key(self) -> str:
        return f"transcripts/{ANN}/{self.episode_id}/{self.upload_id}.srt"

    @property
    def findings(self) -> FindingsTable:
        return FindingsTable(self.stage.dynamodb, TABLE, lambda: self.stage.now)

    def windows(self, count: int, version: str = "v1") -> tuple[WindowMessage, ...]:
        return window_messages(ANN, self.episode_id, self.key, version, count, SIZES)

    @property
    def track(self) -> dict[str, Any]:
        """As it is kept, with all that is known of it."""
        [item] = [
            item for item in self.stage.stored() if item["sk"]["S"] == "EPISODE" and self.episode_id in item["pk"]["S"]
        ]
        track: dict[str, Any] = plain(item)["transcript"]
        return track

    @property
    def kept(self) -> list[str]:
        """The sort keys of all that is kept with the episode."""
        mine = [item["sk"]["S"] for item in self.stage.stored() if self.episode_id in item["pk"]["S"]]
        return sorted(sort_key for sort_key in mine if sort_key != "EPISODE")
