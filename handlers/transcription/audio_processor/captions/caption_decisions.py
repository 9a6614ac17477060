"""Decisions about the captions of one stream: which ones are shown, and when.

A result is a piece of recognised speech. Amazon Transcribe sends it in several versions: first partials, each of which
replaces the previous one, then a final. The client shows one line for each result. The rules are:

- Finals are shown in the order of speech.
- A partial is shown if enough of it is stable. Otherwise it is deferred for some time.
- A rate limit keeps partials readable. Partials that must wait for it are candidates, of which only the best is shown.
- If the final of a result does not come in time, the result becomes an orphan: its last partial is shown as its final.
- No text is shown under two results at the same time.

The caller, `utterance_transcription`, passes results to `accept`, calls `take_due` at the time that `next_due_ms`
returns, and calls `finish` at the end. The caller also states the time, so the same input always gives the same
captions.
"""

from dataclasses import dataclass
from enum import StrEnum

from handlers.transcription.audio_processor.captions.partial_stability_check import is_stable_enough
from handlers.transcription.audio_processor.captions.pending_results import (
    FinalsInOrder,
    OpenResults,
    PartialRate,
    PendingFinal,
    ResultVersion,
)
from handlers.transcription.audio_processor.captions.shown_texts import ShownTexts, normalize_text
from handlers.transcription.audio_processor.results import Result
from handlers.transcription.caption_thresholds import CaptionThresholds

NO_STABILITY = "no_stability"
"""Reason for showing only final captions: Amazon Transcribe does not mark words as stable or unstable."""
PARTIALS_WITHOUT_STABILITY = 10
"""Number of partials without a stability at the start of a stream after which only finals are shown. No later partial is
expected to have a stability. Ten partials come in about two seconds of speech."""


class CaptionKind(StrEnum):
    """Kind of change that a caption makes to the line of its result."""

    PARTIAL = "partial"
    FINAL = "final"
    RETRACTED = "retracted"
    """Remove the line, because another line shows its text or the final has no text."""


@dataclass(frozen=True, slots=True)
class Caption:
    """Change of the line of a result: a new text, or its removal."""

    kind: CaptionKind
    result_id: str
    text: str
    """Empty if the line is removed."""
    start_ms: int
    """Position in the stream's audio."""
    end_ms: int
    """Position in the stream's audio."""
    stability: float | None
    """Share of the words and punctuation marks that are marked as stable. None without such marks."""
    orphan: bool
    """True if the final version of the result did not come in time."""
    received_ms: int
    """Time at which this version of the result arrived."""

    @property
    def final(self) -> bool:
        return self.kind is CaptionKind.FINAL


@dataclass(frozen=True, slots=True)
class PartialLine:
    text: str
    """Text of the partial as `normalize_text` returns it."""
    version: ResultVersion


@dataclass(slots=True)
class CaptionCounts:
    """Counts of a stream's captions and results, for the log and the metrics."""

    partials: int = 0
    """Number of partials that were shown."""
    dropped: int = 0
    """Number of partials that were not shown because of the rate limit."""
    orphans: int = 0
    """Number of results that never became final, including those that were not shown."""
    duplicates: int = 0
    """Number of partials and finals that were not shown because their text was already shown."""
    fallback: str | None = None
    """Reason why partials were disabled during the stream. None if they were not, or were disabled from the start."""
    failed: bool = False
    """True if the stream failed or its captions could not be delivered in time. Unlike `fallback`, this is also
    recorded if partials were disabled from the start."""


class Captions:
    """Decisions about the captions of one stream, with the results that wait.

    Private methods with the parameter `captions` append the captions that they show to this list.
    """

    def __init__(self, thresholds: CaptionThresholds, *, finals_only: bool = False) -> None:
        self._finals_only = finals_only or not thresholds.partial_results_enabled
        self._min_stability = thresholds.min_stability_threshold
        self._pause_ms = thresholds.pause_ms
        self._unmarked_partials_left = PARTIALS_WITHOUT_STABILITY
        """Number of further partials without a stability that disable partials. It becomes 0 when they are disabled, or
        when a partial has a stability."""
        self._open = OpenResults(thresholds)
        self._rate = PartialRate(thresholds.max_rate_per_second)
        self._finals = FinalsInOrder(thresholds.max_buffer_ms)
        self._texts = ShownTexts(thresholds.dedup_ms)
        self._lines: dict[str, PartialLine] = {}
        """Partial lines that the client shows now, by result id."""
        self._now_ms = 0
        self._version_count = 0
        """Number of versions of results that have arrived."""
        self.counts = CaptionCounts()

    @property
    def finals_only(self) -> bool:
        return self._finals_only

    @property
    def has_results(self) -> bool:
        return self._version_count > 0

    def accept(self, result: Result, now_ms: int) -> list[Caption]:
        """Accept a version of a result that arrives now. Return its captions and others that have become due."""
        now_ms = self._advance(now_ms)
        version = ResultVersion(result, now_ms, self._version_count)
        self._version_count += 1
        if result.final and not result.text:
            return self._close_without_text(result.result_id) + self.take_due(now_ms)
        if result.final:
            self._close(version)
            return self.take_due(now_ms)
        captions = self.take_due(now_ms)
        self._check_stability(result)
        if not self._open.is_closed(result.result_id):
            self._update(version, captions)
        return captions

    def take_due(self, now_ms: int) -> list[Caption]:
        """Remove and return the captions that have become due by now."""
        now_ms = self._advance(now_ms)
        captions: list[Caption] = []
        while (orphan_ms := self._open.next_orphan_ms()) is not None and orphan_ms <= now_ms:
            self._make_next_orphan()
        # Finals come first, so that no partial of another result shows their text.
        self._show_ready_finals(captions)
        self._show_best_candidate(captions)
        self._offer_deferred(captions)
        return captions

    def next_due_ms(self) -> int | None:
        """Return the next time at which `take_due` has something to do if no result arrives before, or None."""
        free_ms = self._rate.next_free_ms() if self._open.has_candidates() else None
        moments = (self._open.next_deferred_ms(), free_ms, self._finals.next_overdue_ms(), self._open.next_orphan_ms())
        return min((moment for moment in moments if moment is not None), default=None)

    def finish(self, now_ms: int) -> list[Caption]:
        """Return the last captions at the end of the stream. Results without a final become orphans."""
        captions: list[Caption] = []
        self._advance(now_ms)
        while self._open:
            self._make_next_orphan()
        self._show_ready_finals(captions)
        return captions

    def fall_back(self, reason: str) -> None:
        """Show only finals from now on, and record the reason. Change nothing if only finals were shown before."""
        if self._finals_only:
            return
        self._finals_only = True
        self.counts.fallback = reason
        self._open.discard_partials()

    def _advance(self, now_ms: int) -> int:
        """Return the given time, or the time of the last call if that is later.

        Times must not go back, because waiting results are kept in the order of their times.
        """
        self._now_ms = max(self._now_ms, now_ms)
        return self._now_ms

    def _check_stability(self, partial: Result) -> None:
        """Show only finals if the first partials of the stream had no stability."""
        if partial.stability is not None:
            self._unmarked_partials_left = 0
        elif self._unmarked_partials_left:
            self._unmarked_partials_left -= 1
            if not self._unmarked_partials_left:
                self.fall_back(NO_STABILITY)

    def _update(self, version: ResultVersion, captions: list[Caption]) -> None:
        """Store a partial. Then show it, defer it, or make it a candidate."""
        result = version.result
        if self._open.is_full_for(result.result_id):
            self._make_next_orphan()
        open_result = self._open.update(version)
        # A new version can start later than the previous one. A final that waited because this result started before
        # it can then be shown.
        self._show_ready_finals(captions)
        if self._finals_only:
            return
        age_ms = self._now_ms - open_result.known_since_ms
        if is_stable_enough(result, age_ms, min_stability=self._min_stability, min_age_ms=self._pause_ms):
            open_result.deferred = None
            self._offer_partial(version, captions)
        else:
            self._open.defer(open_result)
            # The wait of this result may have begun with an earlier version, so it may be over now.
            self._offer_deferred(captions)

    def _offer_deferred(self, captions: list[Caption]) -> None:
        for version in self._open.take_deferred(self._now_ms):
            self._offer_partial(version, captions)

    def _offer_partial(self, candidate: ResultVersion, captions: list[Caption]) -> None:
        """Show a partial now or, if the rate limit does not allow it, make it a candidate. Drop a duplicate."""
        text = normalize_text(candidate.result.text)
        if self._is_duplicate(text, candidate.result.result_id):
            self.counts.duplicates += 1
        elif self._rate.is_free(self._now_ms):
            self._show_partial(candidate, text, captions)
        else:
            self._open.add_candidate(candidate)

    def _show_best_candidate(self, captions: list[Caption]) -> None:
        """If the rate limit allows a partial now, show the best candidate that is no duplicate. Drop the others."""
        if not self._rate.is_free(self._now_ms):
            return
        best, dropped = self._open.take_candidates()
        shown = False
        for candidate in best:
            text = normalize_text(candidate.result.text)
            if shown:
                dropped += 1
            elif self._is_duplicate(text, candidate.result.result_id):
                self.counts.duplicates += 1
            else:
                self._show_partial(candidate, text, captions)
                shown = True
        self.counts.dropped += dropped

    def _is_duplicate(self, text: str, result_id: str) -> bool:
        """Return True if the result's line shows the text already, or another result has shown it recently."""
        line = self._lines.get(result_id)
        return (line is not None and line.text == text) or self._texts.shown_by_other(
            text, result_id, self._now_ms
        ) is not None

    def _show_partial(self, candidate: ResultVersion, text: str, captions: list[Caption]) -> None:
        result_id = candidate.result.result_id
        self._lines[result_id] = PartialLine(text, candidate)
        self._texts.show(text, result_id, self._now_ms)
        self._rate.add_partial(self._now_ms)
        self.counts.partials += 1
        captions.append(_caption(CaptionKind.PARTIAL, candidate))

    def _close(self, last: ResultVersion, *, orphan: bool = False) -> None:
        """Close a result: its last version waits to be shown as a final, and later versions are ignored."""
        result_id = last.result.result_id
        if self._open.is_closed(result_id):
            return
        self._open.close(result_id)
        self.counts.orphans += orphan
        self._finals.add(PendingFinal(last, orphan=orphan))

    def _close_without_text(self, result_id: str) -> list[Caption]:
        """Close a result whose final has no text. Return the caption that removes its line, if it has one."""
        if self._open.is_closed(result_id):
            return []
        self._open.close(result_id)
        return self._retraction_of(result_id)

    def _make_next_orphan(self) -> None:
        """Make an orphan of the open result that has had no new version for the longest time."""
        last = self._open.next_orphan()
        if last is not None:
            self._close(last, orphan=True)

    def _show_ready_finals(self, captions: list[Caption]) -> None:
        """Show the finals that are ready, except those whose text another final shows."""
        for final in self._finals.take_ready(self._now_ms, self._open.earliest_start_ms()):
            result_id, text = final.version.result.result_id, normalize_text(final.version.result.text)
            other = self._texts.shown_by_other(text, result_id, self._now_ms)
            if other is not None and other.final:
                self.counts.duplicates += 1
                captions += self._retraction_of(result_id)
                continue
            if other is not None:
                # The other line shows a partial, whose text may still change. If this final were not shown, the words
                # could be lost. So the other line is removed.
                captions += self._retraction_of(other.result_id, text)
            self._lines.pop(result_id, None)
            self._texts.show(text, result_id, self._now_ms, final=True)
            captions.append(_caption(CaptionKind.FINAL, final.version, orphan=final.orphan))

    def _retraction_of(self, result_id: str, text: str | None = None) -> list[Caption]:
        """Return the caption that removes a result's partial line, if there is one.

        With `text`, return it only if the line shows this text.
        """
        line = self._lines.get(result_id)
        if line is None or text not in {None, line.text}:
            return []
        del self._lines[result_id]
        return [_caption(CaptionKind.RETRACTED, line.version)]


def _caption(kind: CaptionKind, version: ResultVersion, *, orphan: bool = False) -> Caption:
    result = version.result
    return Caption(
        kind=kind,
        result_id=result.result_id,
        text="" if kind is CaptionKind.RETRACTED else result.text,
        start_ms=result.start_ms,
        end_ms=result.end_ms,
        stability=result.stability,
        orphan=orphan,
        received_ms=version.received_ms,
    )
