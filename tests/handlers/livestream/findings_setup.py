"""What tests of transcripts and findings act on: an episode that waits for a transcript, its windows and findings."""

from dataclasses import dataclass
from typing import Any

from handlers.common.aws.dynamodb_values import deserialize_item
from handlers.common.text.text_windows import WindowSizes
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.livestream.agent.answer_verification import Checked
from handlers.livestream.api_models import Claim, Clip
from handlers.livestream.episode_cleanup.cleanup_table import CareTable
from handlers.livestream.findings import Verdict
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.tracks import ContentType, Step, TrackKind, TrackReason, TrackState, Upload
from handlers.livestream.window_queue import WindowMessage, messages
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
SIZES = WindowSizes(characters=40, milliseconds=60_000, overlap_characters=10)
"""What transcripts are cut to."""
FOUND = Checked(claims=(CLAIM,), clips=(CLIP,))


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
        upload = Upload(upload_id=upload_id, content_type=ContentType.SUBRIP, size=1)
        self.stage.table.request(ANN, self.episode_id, TrackKind.TRANSCRIPT, upload, self.now)

    def request_another(self) -> str:
        """Where the first has failed."""
        self.advance(TrackState.FAILED, TrackReason.ANALYSIS_FAILED)
        newer = self.stage.new_id()
        self.request(newer)
        return newer

    def is_given_up(self) -> None:
        """By the sweep, wherever it stands."""
        table = CareTable(self.stage.dynamodb, TABLE)
        seen = table.look(ANN, self.episode_id)
        assert seen is not None
        assert table.give_up(seen, TrackKind.TRANSCRIPT, TrackReason.TIMED_OUT, self.now)

    def advance(self, state: TrackState, reason: TrackReason | None = None) -> bool:
        step = Step(self.upload_id, state, self.now, reason)
        return self.stage.table.advance(ANN, self.episode_id, TrackKind.TRANSCRIPT, step)

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
        return messages(ANN, self.episode_id, self.key, version, count, SIZES)

    @property
    def track(self) -> dict[str, Any]:
        """As it is kept, with all that is known of it."""
        [item] = [
            one for one in self.stage.stored() if one["sk"]["S"] == "EPISODE" and self.episode_id in one["pk"]["S"]
        ]
        track: dict[str, Any] = deserialize_item(item)["transcript"]
        return track

    @property
    def kept(self) -> list[str]:
        """The sort keys of all that is kept with the episode."""
        mine = [one["sk"]["S"] for one in self.stage.stored() if self.episode_id in one["pk"]["S"]]
        return sorted(one for one in mine if one != "EPISODE")
