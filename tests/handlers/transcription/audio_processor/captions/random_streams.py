"""Random streams, and properties that must hold for their captions, computed only from input and output."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import strategies as st

from handlers.transcription.audio_processor.captions import pending_results, shown_texts
from handlers.transcription.audio_processor.captions.caption_decisions import Caption, CaptionKind, Captions
from handlers.transcription.audio_processor.captions.pending_results import RATE_WINDOW_MS
from handlers.transcription.audio_processor.captions.shown_texts import normalize_text
from handlers.transcription.audio_processor.transcribe_stream.transcribe_results import Result
from handlers.transcription.caption_thresholds import CaptionThresholds
from tests.handlers.transcription.caption_samples import ClientDisplay, thresholds

TICK_MS = 5000
"""Interval at which even a caller that ignores `next_due_ms` calls `take_due`."""

TEXTS = st.sampled_from(["yes", "Yes.", "yes, I do", "no", "no", "never!", "so", "so what?", "?"])
STABILITY = st.sampled_from([1.0, 0.9, 0.85, 0.5, 0.0, None])
RESULTS = st.builds(
    lambda name, text, final, start, stability: Result(name, text, final, 100 * start, 100 * start + 50, stability),
    st.sampled_from("abcdefgh"),
    TEXTS,
    st.sampled_from([False, False, False, True]),
    st.integers(0, 9),
    STABILITY,
)
GAPS = st.sampled_from([0, 0, 1, 40, 200, 200, 500, 999, 1000, 1999, 2000, 4999, 7000])
STREAMS = st.lists(st.tuples(GAPS, RESULTS), max_size=60)
LIMITS = st.builds(
    lambda rate, dedup, buffer, orphan: thresholds(
        max_rate_per_second=rate, dedup_cache_ttl=dedup, max_buffer_timeout=buffer, orphan_timeout=orphan
    ),
    st.sampled_from([1, 2, 5]),
    st.sampled_from([0, 1, 10]),
    st.sampled_from([0.5, 5.0]),
    st.sampled_from([5.0, 15.0]),
)


@dataclass
class Trace:
    """Input and output of the caption rules, with times."""

    limits: CaptionThresholds
    captions: Captions
    punctual: bool = True
    """True if `take_due` is called at every `next_due_ms`; otherwise, it is called when a result arrives or after a
    tick."""
    ended_ms: int = 0
    looked: list[tuple[int, Result | None]] = field(default_factory=list)
    """Every call: its time, and the result that arrived or None."""
    shown: list[tuple[int, Caption]] = field(default_factory=list)

    @property
    def arrived(self) -> list[tuple[int, Result]]:
        return [(at_ms, result) for at_ms, result in self.looked if result is not None]

    def _note(self, now_ms: int, captions: Iterable[Caption]) -> None:
        self.shown += [(now_ms, caption) for caption in captions]

    def run(self, stream: list[tuple[int, Result]]) -> None:
        now_ms = 0
        for gap, result in stream:
            until_ms = now_ms + gap
            while (tick_ms := self._next_tick_ms(now_ms)) < until_ms:
                now_ms = tick_ms
                self.looked.append((now_ms, None))
                self._note(now_ms, self.captions.take_due(now_ms))
                self._check_after_looking(now_ms)
            now_ms = until_ms
            self.looked.append((now_ms, result))
            self._note(now_ms, self.captions.accept(result, now_ms))
            self._check_after_looking(now_ms)
        self.ended_ms = now_ms
        self._note(now_ms, self.captions.finish(now_ms))

    def _next_tick_ms(self, now_ms: int) -> int:
        next_ms = self.captions.next_due_ms() if self.punctual else None
        return now_ms + TICK_MS if next_ms is None else min(next_ms, now_ms + TICK_MS)

    def _check_after_looking(self, now_ms: int) -> None:
        for known in self.captions._open._open.values():
            assert known.deferred is None or now_ms - known.deferred_since_ms < self.limits.max_buffer_ms
        check_sizes(self.captions)
        next_ms = self.captions.next_due_ms()
        assert next_ms is None or next_ms > now_ms, "`take_due` leaves nothing that is due"
        assert self.captions.take_due(now_ms) == []


def check_sizes(captions: Captions) -> None:
    """Check the number of stored items of each kind against the current limits."""
    max_open, max_finals = pending_results.MAX_OPEN, pending_results.MAX_PENDING_FINALS
    assert len(captions._open) <= max_open
    assert len(captions._finals._pending) <= max_finals
    assert len(captions._texts._texts) <= shown_texts.MAX_TEXTS
    assert len(captions._open._closed) <= pending_results.MAX_CLOSED
    assert len(captions._lines) <= max_open + max_finals, "of open results, and of those whose finals wait"


def check(trace: Trace) -> None:
    _check_finals_once(trace)
    _check_order(trace)
    _check_ages(trace)
    check_rate(trace)
    _check_no_text_twice(trace)
    _check_display(trace)
    _check_end(trace)


@dataclass(frozen=True)
class _Ended:
    """The last version of a result, and the time at which it ended."""

    result: Result
    received_ms: int
    ended_ms: int


def _result_ends(trace: Trace) -> dict[str, _Ended]:
    """Return each result's end: its first final, or its last partial at the first call after its orphan timeout."""
    heard: dict[str, tuple[int, Result]] = {}
    ended: dict[str, _Ended] = {}

    def give_up(now_ms: int, silence_ms: int) -> None:
        for result_id, (at_ms, result) in list(heard.items()):
            if now_ms - at_ms >= silence_ms:
                ended[result_id] = _Ended(result, at_ms, now_ms)
                del heard[result_id]

    for now_ms, result in trace.looked:
        if result is not None and result.final:
            ended.setdefault(result.result_id, _Ended(result, now_ms, now_ms))
            heard.pop(result.result_id, None)
        give_up(now_ms, trace.limits.orphan_ms)
        if result is not None and result.result_id not in ended:
            heard[result.result_id] = (now_ms, result)
    give_up(trace.ended_ms, 0)
    return ended


def _repeats_another(trace: Trace, result: Result, from_ms: int, to_ms: int) -> bool:
    return any(
        caption.kind is CaptionKind.FINAL
        and caption.result_id != result.result_id
        and normalize_text(caption.text) == normalize_text(result.text)
        and at_ms <= to_ms
        and at_ms + trace.limits.dedup_ms > from_ms
        for at_ms, caption in trace.shown
    )


def _check_finals_once(trace: Trace) -> None:
    """Each ended result is shown as a final, or repeats the text of another final shown at that time."""
    finals = [caption for _, caption in trace.shown if caption.kind is CaptionKind.FINAL]
    by_id = {caption.result_id: caption for caption in finals}
    assert len(by_id) == len(finals)
    ended = _result_ends(trace)
    assert by_id.keys() <= ended.keys()
    for result_id, last in ended.items():
        if result_id in by_id:
            caption = by_id[result_id]
            assert (caption.text, caption.received_ms) == (last.result.text, last.received_ms)
            assert caption.orphan is not last.result.final
        else:
            latest_ms = last.ended_ms + trace.limits.max_buffer_ms + TICK_MS
            assert _repeats_another(trace, last.result, last.ended_ms, latest_ms), "a final was lost"
    assert trace.captions.counts.orphans == sum(not value.result.final for value in ended.values())


def _check_order(trace: Trace) -> None:
    """A final comes before an earlier one only if the earlier one was not known yet, or a final had waited too long."""
    finals = [(at_ms, caption) for at_ms, caption in trace.shown if caption.kind is CaptionKind.FINAL]
    ended = _result_ends(trace)
    for number, (at_ms, caption) in enumerate(finals):
        gone = {other.result_id for other_ms, other in finals[:number] if other_ms < at_ms}
        # A final that has waited too long takes the finals that start before it with it, even if the text is known
        # already.
        late = any(
            other.result.start_ms >= caption.start_ms
            and other.ended_ms <= at_ms
            and at_ms - other.received_ms >= trace.limits.max_buffer_ms
            for result_id, other in ended.items()
            if result_id not in gone
        )
        for _, later in finals[number + 1 :]:
            if later.start_ms < caption.start_ms:
                assert ended[later.result_id].ended_ms >= at_ms, "both were known, and the later one was shown first"
                heard = [(when, result) for when, result in trace.arrived if result.result_id == later.result_id]
                before = [result for when, result in heard if when < at_ms]
                meanwhile = [result for when, result in heard if when == at_ms]
                starts = [result.start_ms for result in [*before[-1:], *meanwhile]]
                assert late or not before or max(starts) >= caption.start_ms


def _check_ages(trace: Trace) -> None:
    """No caption waits longer than the buffer. After that, a partial waits at most for the rate limit, and an orphan
    was silent before."""
    late_ms = 0 if trace.punctual else 2 * TICK_MS  # both are noticed late
    for at_ms, caption in trace.shown:
        if at_ms == trace.ended_ms or caption.kind is CaptionKind.RETRACTED:
            continue
        before_ms = trace.limits.orphan_ms if caption.orphan else 0
        after_ms = RATE_WINDOW_MS if caption.kind is CaptionKind.PARTIAL else 0
        age_ms = at_ms - caption.received_ms
        assert age_ms <= max(before_ms, trace.limits.max_buffer_ms) + after_ms + late_ms


def check_rate(trace: Trace) -> None:
    """No second has more partials than allowed."""
    moments = [at_ms for at_ms, caption in trace.shown if caption.kind is CaptionKind.PARTIAL]
    for first, beyond in zip(moments, moments[trace.limits.max_rate_per_second :], strict=False):
        assert beyond - first >= 1000


def _check_no_text_twice(trace: Trace) -> None:
    """A partial repeats no recently shown text. A final repeats no final, and no other line shows the same text."""
    texts = [(at_ms, caption) for at_ms, caption in trace.shown if caption.kind is not CaptionKind.RETRACTED]
    for number, (at_ms, entry) in enumerate(texts):
        for later_ms, later in texts[number + 1 :]:
            same = normalize_text(later.text) == normalize_text(entry.text) and later.result_id != entry.result_id
            if same and later_ms - at_ms < trace.limits.dedup_ms:
                assert later.final
                assert not entry.final
    display, since = ClientDisplay(), dict[str, int]()
    for at_ms, caption in trace.shown:
        display.apply([caption])
        since[caption.result_id] = at_ms
        for item in display.lines.values():
            if (
                caption.final
                and item.result_id != caption.result_id
                and normalize_text(item.text) == normalize_text(caption.text)
            ):
                assert at_ms - since[item.result_id] >= trace.limits.dedup_ms, "two lines show the same text"


def _check_display(trace: Trace) -> None:
    """Lines only advance: nothing follows a final, only shown lines are removed, and no line stays partial."""
    display = ClientDisplay()
    for _, caption in trace.shown:
        before = display.lines.get(caption.result_id)
        assert before is None or not before.final
        if caption.kind is CaptionKind.RETRACTED:
            assert before is not None
        if caption.kind is CaptionKind.PARTIAL and before is not None:
            assert normalize_text(before.text) != normalize_text(caption.text)
            assert before.received_ms <= caption.received_ms
        display.apply([caption])
    assert all(value.final for value in display.lines.values())


def _check_end(trace: Trace) -> None:
    captions, counts = trace.captions, trace.captions.counts
    assert captions.next_due_ms() is None
    assert not captions._open._open
    assert not captions._finals._pending
    assert captions.take_due(trace.ended_ms + 100_000) == captions.finish(trace.ended_ms + 100_000) == []
    assert sum(caption.kind is CaptionKind.PARTIAL for _, caption in trace.shown) == counts.partials
    assert counts.partials + counts.dropped <= sum(not result.final for _, result in trace.arrived)
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(trace.shown))
