"""Which captions a reader sees of one stream, and when: all rules together. Pure; the caller says what time it is.

A result comes as partials, each replacing the one before, and then as a final. Partials are shown when they are sure
enough, at a readable pace; finals always, once, and in the order of speech; no text twice under two results. Whoever
uses this calls `due` at the time that `next_due_ms` names, and `finish` at the end.
"""

from dataclasses import dataclass
from enum import StrEnum

from handlers.transcription.audio_processor.captions.pending_results import (
    FinalsInOrder,
    OpenResults,
    PartialRate,
    PendingFinal,
    ResultVersion,
)
from handlers.transcription.audio_processor.captions.result_stability import NO_STABILITY_RESULTS, is_stable_enough
from handlers.transcription.audio_processor.captions.shown_texts import ShownTexts, normalize_text
from handlers.transcription.audio_processor.transcribe_stream.transcribe_results import Result
from handlers.transcription.caption_thresholds import CaptionThresholds

NO_STABILITY = "no_stability"


class CaptionKind(StrEnum):
    """What a caption asks for."""

    PARTIAL = "partial"
    FINAL = "final"
    RETRACTED = "retracted"
    """The line of this result is to be taken away: another shows the same."""


@dataclass(frozen=True, slots=True)
class Caption:
    """A line for the reader. It replaces the line of the same result."""

    kind: CaptionKind
    result_id: str
    text: str
    """Empty where a line is taken away."""
    start_ms: int
    end_ms: int
    stability: float | None
    orphan: bool
    """Whether its final never came."""
    received_ms: int
    """When the result arrived that it was made of."""

    @property
    def final(self) -> bool:
        """Whether the line stays as it is."""
        return self.kind is CaptionKind.FINAL


@dataclass(frozen=True, slots=True)
class PartialLine:
    """What a partial shows, until its final comes."""

    text: str
    """Normalised."""
    version: ResultVersion


@dataclass(slots=True)
class CaptionCounts:
    """What became of a stream's results."""

    partials: int = 0
    """Shown."""
    finals: int = 0
    """Shown, orphans included."""
    dropped: int = 0
    """Partials for which there was no room in their second."""
    orphans: int = 0
    """Results that ended without a final, shown or not."""
    duplicates: int = 0
    """Partials and finals that would have repeated what is on display."""
    fallback: str | None = None
    """Why partials were given up."""
    failed: bool = False
    """Whether the stream failed, or could not be shown in time, be there partials to give up or not."""


class Captions:
    """The rules for one stream. The same results at the same times give the same captions."""

    def __init__(self, thresholds: CaptionThresholds, *, final_only: bool = False) -> None:
        self._final_only = final_only or not thresholds.partial_results_enabled
        self._min_stability = thresholds.min_stability_threshold
        self._pause_ms = thresholds.pause_ms
        self._unflagged_left = NO_STABILITY_RESULTS
        """Partials that may still come without a flag; 0 once one had a flag, or partials were given up for it."""
        self._open = OpenResults(thresholds)
        self._rate = PartialRate(thresholds.max_rate_per_second)
        self._finals = FinalsInOrder(thresholds.max_buffer_ms)
        self._texts = ShownTexts(thresholds.dedup_ms)
        self._lines: dict[str, PartialLine] = {}
        self._now_ms = 0
        self._arrived = 0
        self.counts = CaptionCounts()

    @property
    def final_only(self) -> bool:
        """Whether no partials are shown any more."""
        return self._final_only

    @property
    def has_results(self) -> bool:
        """Whether anything came of the stream at all."""
        return self._arrived > 0

    def take(self, result: Result, now_ms: int) -> list[Caption]:
        """What a result brings that arrives now, and what time has brought meanwhile."""
        now_ms = self._advance(now_ms)
        version = ResultVersion(result, now_ms, self._arrived)
        self._arrived += 1
        if result.final and not result.text:
            return self._withdraw(result.result_id) + self.due(now_ms)
        if result.final:
            self._close(version)
            return self.due(now_ms)
        captions = self.due(now_ms)
        self._watch_for_flags(result)
        if not self._open.is_closed(result.result_id):
            self._update(version, captions)
        return captions

    def due(self, now_ms: int) -> list[Caption]:
        """What time alone brings."""
        now_ms = self._advance(now_ms)
        captions: list[Caption] = []
        while (orphaned_ms := self._open.next_orphan_ms()) is not None and orphaned_ms <= now_ms:
            self._give_up_most_silent()
        # Finals first: what they say need not be shown as a partial of another result.
        self._release(captions)
        self._decide(captions)
        self._ripen(captions)
        return captions

    def next_due_ms(self) -> int | None:
        """When `due` next has something to do, if nothing arrives before."""
        free_ms = self._rate.next_free_ms() if self._open.has_candidates() else None
        moments = (self._open.next_deferred_ms(), free_ms, self._finals.next_overdue_ms(), self._open.next_orphan_ms())
        return min((one for one in moments if one is not None), default=None)

    def finish(self, now_ms: int) -> list[Caption]:
        """Everything that is open, as it was last heard: the stream has ended, or its time is over."""
        captions: list[Caption] = []
        self._advance(now_ms)
        while self._open:
            self._give_up_most_silent()
        self._release(captions)
        return captions

    def fall_back(self, reason: str) -> None:
        """Gives partials up: from now on only finals are shown. The first reason counts, and only where they were on."""
        if self._final_only:
            return
        self._final_only = True
        self.counts.fallback = reason
        self._open.discard_partials()

    def _advance(self, now_ms: int) -> int:
        """The time, which never goes back: every order in here relies on that."""
        self._now_ms = max(self._now_ms, now_ms)
        return self._now_ms

    def _watch_for_flags(self, partial: Result) -> None:
        """Gives partials up if the first ones of a stream carry no flag: then no flag will come."""
        if partial.stability is not None:
            self._unflagged_left = 0
        elif self._unflagged_left:
            self._unflagged_left -= 1
            if not self._unflagged_left:
                self.fall_back(NO_STABILITY)

    def _update(self, version: ResultVersion, captions: list[Caption]) -> None:
        result = version.result
        if self._open.is_full_for(result.result_id):
            self._give_up_most_silent()
        known = self._open.update(version)
        self._release(captions)  # one may have waited for this result, and find now that it starts later
        if self._final_only:
            return
        age_ms = self._now_ms - known.known_since_ms
        if is_stable_enough(result, age_ms, min_stability=self._min_stability, pause_ms=self._pause_ms):
            known.unsure = None
            self._offer(version, captions)
        else:
            self._open.defer(known)
            self._ripen(captions)  # the same words again may have waited long enough already

    def _ripen(self, captions: list[Caption]) -> None:
        for version in self._open.take_deferred(self._now_ms):
            self._offer(version, captions)

    def _offer(self, candidate: ResultVersion, captions: list[Caption]) -> None:
        """Shows a partial, or lets it compete for the next free moment."""
        text = normalize_text(candidate.result.text)
        if self._repeats(text, candidate.result.result_id):
            self.counts.duplicates += 1
        elif self._rate.is_free(self._now_ms):
            self._show_partial(candidate, text, captions)
        else:
            self._open.add_candidate(candidate)

    def _decide(self, captions: list[Caption]) -> None:
        """At a free moment, the best candidate that is still news is shown, and the others are dropped."""
        if not self._rate.is_free(self._now_ms):
            return
        best, dropped = self._open.take_candidates()
        left = False
        for candidate in best:
            text = normalize_text(candidate.result.text)
            if left:
                dropped += 1
            elif self._repeats(text, candidate.result.result_id):
                self.counts.duplicates += 1
            else:
                self._show_partial(candidate, text, captions)
                left = True
        self.counts.dropped += dropped

    def _repeats(self, text: str, result_id: str) -> bool:
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
        """A result is over: nothing of it is taken any more, and its final waits for its turn."""
        result_id = last.result.result_id
        if self._open.is_closed(result_id):
            return
        self._open.close(result_id)
        self.counts.orphans += orphan
        self._finals.add(PendingFinal(last, orphan=orphan))

    def _withdraw(self, result_id: str) -> list[Caption]:
        """Nothing was said after all."""
        if self._open.is_closed(result_id):
            return []
        self._open.close(result_id)
        return self._taken_back(result_id)

    def _give_up_most_silent(self) -> None:
        last = self._open.oldest_version()
        if last is not None:
            self._close(last, orphan=True)

    def _release(self, captions: list[Caption]) -> None:
        """Shows the finals whose turn it is."""
        for final in self._finals.take_ready(self._now_ms, self._open.earliest_start_ms()):
            result_id, text = final.version.result.result_id, normalize_text(final.version.result.text)
            before = self._texts.shown_by_other(text, result_id, self._now_ms)
            if before is not None and before.final:
                self.counts.duplicates += 1
                captions += self._taken_back(result_id)
                continue
            if before is not None:
                # What a partial says may still change: the final takes its place, or the words could be lost.
                captions += self._taken_back(before.result_id, text)
            self._lines.pop(result_id, None)
            self._texts.show(text, result_id, self._now_ms, final=True)
            self.counts.finals += 1
            captions.append(_caption(CaptionKind.FINAL, final.version, orphan=final.orphan))

    def _taken_back(self, result_id: str, text: str | None = None) -> list[Caption]:
        """The line of a partial that is on display, if there is one and it says this."""
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
