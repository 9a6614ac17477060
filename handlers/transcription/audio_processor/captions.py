"""Rules for the captions of one stream: which texts a client sees, and when.

A result is a piece of recognised speech. Amazon Transcribe sends it in several versions: first partials, each of which
replaces the previous one, then a final. The client shows one line for each result. The rules are:

- Finals are shown in the order of speech. Each waits for results that started earlier, but only for some time.
- A partial is shown at once if its stability is high enough, or if it ends a sentence. The stability is the share of its
  words that Amazon Transcribe marks as stable. Otherwise the partial waits for a pause in the changes of its text, but only
  for some time. A newer version takes its place.
- A rate limit keeps partials readable. A partial above the limit waits until the limit allows it.
- If the final of a result does not come in time, the result becomes an orphan: its last partial is shown as its final.
- No text is shown in two lines within some time.

The limits are the fields of `CaptionThresholds`. The caller, `utterance_attempt.py`, passes results to `accept`, calls `take_due`
at the time that `next_due_ms` returns, and calls `finish` at the end. Each of these calls returns the captions to send. The
caller also states the time, so the same input always gives the same captions.
"""

import re
import unicodedata
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from handlers.transcription.audio_processor.results import Result
from handlers.transcription.environment import CaptionThresholds

PARTIALS_WITHOUT_STABILITY = 10
"""If so many partials at the start of a stream have no stability, only finals are shown from then on. Later partials are
not expected to have one either. Ten partials come in about two seconds of speech."""
RATE_WINDOW_MS = 1000
"""Time in which at most `max_rate_per_second` partials are shown."""
SENTENCE_ENDS = tuple(".?!…。？！।؟")  # noqa: RUF001 - full-width marks end sentences, too
CLOSING_MARKS = "\"'”’»)]」』 "  # noqa: RUF001 - a quotation mark, not an apostrophe
"""Quotation marks, brackets and spaces that can follow the end of a sentence."""

_NO_WORD = re.compile(r"[^\w\s]|_")
"""A character that is no letter, digit or space. The underscore is named because `\\w` includes it."""


class Fallback(StrEnum):
    """Reason for showing only final captions, other than the settings."""

    NO_STABILITY = "no_stability"
    """Amazon Transcribe does not mark words as stable or unstable."""
    RETRIED = "retried"
    """An earlier attempt at the utterance failed."""


@dataclass(frozen=True)
class Caption:
    """Change of the line of a result: a new text, or its removal. Its times are positions in the stream's audio."""

    result_id: str
    text: str
    """Empty to remove the line, because another line shows its text or the final has no text."""
    final: bool
    """True if the line will not change any more."""
    start_ms: int
    end_ms: int
    stability: float | None
    """Share of the words and punctuation marks that are marked as stable. None without such marks."""
    orphan: bool
    """True if the final version of the result did not come in time."""


@dataclass
class Line:
    """A result, and its line on the client's screen. All times are in milliseconds since the epoch."""

    result: Result
    """Newest version."""
    first_ms: int
    """Time at which the first version arrived."""
    received_ms: int
    """Time at which the newest version arrived."""
    changed_ms: int
    """Time at which the text last changed."""
    waits_since_ms: int
    """Time since which a partial of the result waits to be shown. A newer version does not change it, because otherwise a
    text that keeps changing would never be shown."""
    due_ms: int | None = None
    """Time at which the newest version is shown as a partial. None if it is shown already, or will not be."""
    waits_for_rate: bool = False
    """True if the newest version is due, but waits for the rate limit."""
    ended: bool = False
    """True if the newest version is the last one, because it is final or the result is an orphan."""
    orphan: bool = False
    done: bool = False
    """True if the last version has been shown or left out, so nothing more will be shown for the result."""
    shown_text: str = ""
    """Text on the client's screen, as `normalize_text` returns it. Empty if there is no line."""
    shown_ms: int = 0


class Captions:
    """The captions of one stream, from its first result to its end."""

    def __init__(self, thresholds: CaptionThresholds, *, finals_only: bool = False) -> None:
        self._limits = thresholds
        self._max_buffer_ms = round(thresholds.max_buffer_timeout * 1000)
        self._pause_ms = round(thresholds.pause_threshold * 1000)
        self._orphan_ms = round(thresholds.orphan_timeout * 1000)
        self.finals_only = finals_only or not thresholds.partial_results_enabled
        """True if no partials are shown, or no more."""
        self._unmarked_partials_left = PARTIALS_WITHOUT_STABILITY
        """Number of further partials without a stability that disable partials. It becomes 0 when they are disabled, or
        when a partial has a stability."""
        self._lines: dict[str, Line] = {}
        """All results of the stream, by id. There are few, because a stream lasts only some seconds."""
        self._partial_times_ms: deque[int] = deque(maxlen=thresholds.max_rate_per_second)
        """Times at which the newest partials were shown."""
        self.dropped = 0
        """Number of partials that a newer one replaced while they waited for the rate limit."""
        self.orphans = 0
        """Number of results that never became final, including those that were not shown."""
        self.fallback: Fallback | None = None
        """Set if partials were disabled during the stream. None if they were not, or were disabled from the start."""

    @property
    def has_results(self) -> bool:
        return bool(self._lines)

    def accept(self, result: Result, now_ms: int) -> list[Caption]:
        """Accept a version of a result that arrives now. Return its captions and others that have become due."""
        if not result.final:
            self._disable_partials_without_stability(result)
        new_line = Line(result, first_ms=now_ms, received_ms=now_ms, changed_ms=now_ms, waits_since_ms=now_ms)
        line = self._lines.setdefault(result.result_id, new_line)
        if not line.ended:  # a version after the last one, for example of an orphan, is ignored
            self._update(line, result, now_ms)
        return self.take_due(now_ms)

    def take_due(self, now_ms: int) -> list[Caption]:
        """Return the captions that have become due by now."""
        for line in self._open_lines():
            if line.received_ms + self._orphan_ms <= now_ms:
                self._end_as_orphan(line)
        # Finals come first, so that no partial of another result shows their text.
        captions = self._show_ready_finals(now_ms)
        due_lines = [(line.due_ms, line) for line in self._lines.values() if line.due_ms is not None]
        for due_ms, line in sorted(due_lines, key=lambda due_line: due_line[0]):
            if due_ms <= now_ms:
                captions += self._show_partial(line, now_ms)
        return captions

    def next_due_ms(self) -> int | None:
        """Return the next time at which `take_due` has something to do if no result arrives before, or None."""
        moments = [line.due_ms for line in self._lines.values() if line.due_ms is not None]
        moments += [line.received_ms + self._orphan_ms for line in self._open_lines()]
        moments += [line.received_ms + self._max_buffer_ms for line in self._waiting_finals()]
        return min(moments, default=None)

    def finish(self, now_ms: int) -> list[Caption]:
        """Return the last captions at the end of the stream. Results without a final become orphans."""
        for line in self._open_lines():
            self._end_as_orphan(line)
        return self._show_ready_finals(now_ms)

    def _open_lines(self) -> list[Line]:
        return [line for line in self._lines.values() if not line.ended]

    def _waiting_finals(self) -> list[Line]:
        """Return the lines that wait to be shown as finals, in the order of speech."""
        waiting = [line for line in self._lines.values() if line.ended and not line.done]
        return sorted(waiting, key=lambda line: (line.result.start_ms, line.received_ms))

    def _disable_partials_without_stability(self, partial: Result) -> None:
        """Show only finals from now on, if this partial and the first ones of the stream have no stability."""
        if partial.stability is not None:
            self._unmarked_partials_left = 0
        elif self._unmarked_partials_left:
            self._unmarked_partials_left -= 1
            if not self._unmarked_partials_left and not self.finals_only:
                self.finals_only, self.fallback = True, Fallback.NO_STABILITY
                for line in self._lines.values():
                    line.due_ms = None

    def _update(self, line: Line, result: Result, now_ms: int) -> None:
        """Store a new version, and decide when it is shown if it is a partial."""
        if line.due_ms is None:  # no version was waiting
            line.waits_since_ms = now_ms
        elif line.waits_for_rate and not result.final:
            self.dropped += 1
        if result.text != line.result.text:
            line.changed_ms = now_ms
        line.result, line.received_ms, line.ended, line.waits_for_rate = result, now_ms, result.final, False
        line.due_ms = None if result.final or self.finals_only else self._partial_due_ms(line)

    def _partial_due_ms(self, line: Line) -> int:
        """Return the time at which the newest version is due: at once if it is stable, or after a pause.

        The pause begins when the text last changed. For a version without stability, it begins when the first version
        of the result arrived, even if the text has changed since.
        """
        text, stability = line.result.text, line.result.stability
        is_stable = stability is not None and stability >= self._limits.min_stability_threshold
        if is_stable or ends_sentence(text):
            return line.received_ms
        pause_begins_ms = line.first_ms if stability is None else line.changed_ms
        return min(pause_begins_ms + self._pause_ms, line.waits_since_ms + self._max_buffer_ms)

    def _show_partial(self, line: Line, now_ms: int) -> list[Caption]:
        """Show a partial, unless its text is shown already. Above the rate limit, let it wait."""
        text = normalize_text(line.result.text)
        line.due_ms = None
        if text == line.shown_text or self._other_line(line, text, now_ms):
            return []
        times_ms = self._partial_times_ms
        if len(times_ms) == times_ms.maxlen and times_ms[0] + RATE_WINDOW_MS > now_ms:
            line.due_ms, line.waits_for_rate = times_ms[0] + RATE_WINDOW_MS, True
            return []
        times_ms.append(now_ms)
        line.shown_text, line.shown_ms = text, now_ms
        return [_caption(line, line.result.text)]

    def _end_as_orphan(self, line: Line) -> None:
        line.ended, line.orphan, line.due_ms = True, True, None
        self.orphans += 1

    def _show_ready_finals(self, now_ms: int) -> list[Caption]:
        """Show the finals that wait for no open result. A final that has waited too long is shown, too, with all before it."""
        # A final whose speech starts after `last_ready_ms` must wait. If this is None, no result is open.
        waiting, captions = self._waiting_finals(), list[Caption]()
        last_ready_ms = min((line.result.start_ms for line in self._open_lines()), default=None)
        for line in waiting:
            if last_ready_ms is not None and line.received_ms + self._max_buffer_ms <= now_ms:
                last_ready_ms = max(last_ready_ms, line.result.start_ms)
        for line in waiting:
            if last_ready_ms is None or line.result.start_ms <= last_ready_ms:
                captions += self._show_final(line, now_ms)
        return captions

    def _show_final(self, line: Line, now_ms: int) -> list[Caption]:
        """Show a final. If it has no text, or another final shows its text, remove the result's line instead.

        If another line shows the text as a partial, that line is removed, because its text may still change.
        """
        line.done = True
        text = normalize_text(line.result.text)
        if not text:
            return _remove(line)
        other = self._other_line(line, text, now_ms)
        if other is not None and other.done:
            return _remove(line)
        removed = [] if other is None else _remove(other)
        line.shown_text, line.shown_ms = text, now_ms
        return [*removed, _caption(line, line.result.text)]

    def _other_line(self, line: Line, text: str, now_ms: int) -> Line | None:
        """Return the other line that has shown this text for less than the time of deduplication, or None."""
        since_ms = now_ms - self._limits.dedup_cache_ttl * 1000
        others = (other for other in self._lines.values() if other is not line and other.shown_ms > since_ms)
        return next((other for other in others if other.shown_text == text), None)


def ends_sentence(text: str) -> bool:
    """Return True if the text ends with a sentence. Closing quotation marks and brackets are ignored."""
    return text.rstrip(CLOSING_MARKS).endswith(SENTENCE_ENDS)


def normalize_text(text: str) -> str:
    """Return the text in the form that is compared: without regard to Unicode variants, capitals, punctuation, spacing.

    If a text has only punctuation, the punctuation stays.
    """
    # Normalised again, because case folding can leave a form that NFKC changes.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    spaced = _NO_WORD.sub(_space_for_punctuation, folded)
    return " ".join(spaced.split()) or " ".join(folded.split())


def _space_for_punctuation(match: re.Match[str]) -> str:
    # The pattern also matches symbols and the vowel signs of Indic scripts. They stay, because words may differ by them.
    return " " if unicodedata.category(match[0]).startswith("P") else match[0]


def _remove(line: Line) -> list[Caption]:
    """Return the caption that removes a line from the screen, if it is there."""
    if not line.shown_text:
        return []
    line.shown_text = ""
    return [_caption(line, "")]


def _caption(line: Line, text: str) -> Caption:
    result = line.result
    return Caption(
        result_id=result.result_id,
        text=text,
        final=line.done and bool(text),
        start_ms=result.start_ms,
        end_ms=result.end_ms,
        stability=result.stability,
        orphan=line.orphan,
    )
