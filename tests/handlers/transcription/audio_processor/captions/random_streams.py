"""Random streams of results, and properties that the captions of any stream must have.

A result is a piece of speech that Amazon Transcribe recognised. It arrives in several versions: first partials, then a
final. A result without a final becomes an orphan: its last partial is shown as a final when the orphan timeout is over,
or at the end of the stream. `Captions.accept` takes a version of a result, and `take_due` shows captions whose wait is
over. The properties of the captions are computed only from the results that arrived and the captions that were
returned.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import strategies as st

from handlers.transcription.audio_processor.captions import pending_results, shown_texts
from handlers.transcription.audio_processor.captions.caption_decisions import Caption, CaptionKind, Captions
from handlers.transcription.audio_processor.captions.pending_results import RATE_WINDOW_MS
from handlers.transcription.audio_processor.captions.shown_texts import normalize_text
from handlers.transcription.audio_processor.results import Result
from handlers.transcription.caption_thresholds import CaptionThresholds
from tests.handlers.transcription.caption_samples import ClientDisplay, thresholds

TICK_MS = 5000
"""Maximum time between two calls of `take_due`, even if the caller does not use `next_due_ms`."""

TEXTS = st.sampled_from(["yes", "Yes.", "yes, I do", "no", "no", "never!", "so", "so what?", "?"])
STABILITY = st.sampled_from([1.0, 0.9, 0.85, 0.5, 0.0, None])
RESULTS = st.builds(
    lambda result_id, text, final, start, stability: Result(
        result_id, text, final=final, start_ms=100 * start, end_ms=100 * start + 50, stability=stability
    ),
    st.sampled_from("abcdefgh"),
    TEXTS,
    st.sampled_from([False, False, False, True]),
    st.integers(0, 9),
    STABILITY,
)
GAPS_MS = st.sampled_from([0, 0, 1, 40, 200, 200, 500, 999, 1000, 1999, 2000, 4999, 7000])
STREAMS = st.lists(st.tuples(GAPS_MS, RESULTS), max_size=60)
"""Versions of results, each with the time since the previous one."""
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
    """Run of one stream: the results that arrived, and the captions that were returned, with their times."""

    limits: CaptionThresholds
    captions: Captions
    is_punctual: bool = True
    """True if `take_due` is called at each time that `next_due_ms` returns. Otherwise, it is called only after TICK_MS
    without a result."""
    ended_ms: int = 0
    calls: list[tuple[int, Result | None]] = field(default_factory=list)
    """Time of each call of `accept` with its result, and of each call of `take_due` with None."""
    shown: list[tuple[int, Caption]] = field(default_factory=list)
    """Captions that were returned, with their times."""

    @property
    def arrivals(self) -> list[tuple[int, Result]]:
        return [(at_ms, result) for at_ms, result in self.calls if result is not None]

    def run(self, stream: list[tuple[int, Result]]) -> None:
        now_ms = 0
        for gap_ms, result in stream:
            arrival_ms = now_ms + gap_ms
            while (tick_ms := self._next_tick_ms(now_ms)) < arrival_ms:
                now_ms = tick_ms
                self.calls.append((now_ms, None))
                self._add_shown(now_ms, self.captions.take_due(now_ms))
                self._check_after_call(now_ms)
            now_ms = arrival_ms
            self.calls.append((now_ms, result))
            self._add_shown(now_ms, self.captions.accept(result, now_ms))
            self._check_after_call(now_ms)
        self.ended_ms = now_ms
        self._add_shown(now_ms, self.captions.finish(now_ms))

    def _add_shown(self, now_ms: int, captions: Iterable[Caption]) -> None:
        self.shown += [(now_ms, caption) for caption in captions]

    def _next_tick_ms(self, now_ms: int) -> int:
        next_ms = self.captions.next_due_ms() if self.is_punctual else None
        return now_ms + TICK_MS if next_ms is None else min(next_ms, now_ms + TICK_MS)

    def _check_after_call(self, now_ms: int) -> None:
        for open_result in self.captions._open._open.values():
            is_due = now_ms - open_result.deferred_since_ms >= self.limits.max_buffer_ms
            assert open_result.deferred is None or not is_due, "a partial that is not stable must not wait longer"
        check_sizes(self.captions)
        next_ms = self.captions.next_due_ms()
        assert next_ms is None or next_ms > now_ms, "a call returns everything that is due"
        assert self.captions.take_due(now_ms) == []


def check_sizes(captions: Captions) -> None:
    """Check that no more items of any kind are stored than its limit allows."""
    max_open, max_finals = pending_results.MAX_OPEN, pending_results.MAX_PENDING_FINALS
    assert len(captions._open) <= max_open
    assert len(captions._finals._pending) <= max_finals
    assert len(captions._texts._texts) <= shown_texts.MAX_TEXTS
    assert len(captions._open._closed) <= pending_results.MAX_CLOSED
    assert len(captions._lines) <= max_open + max_finals, "a partial line belongs to an open result or a pending final"


def check(trace: Trace) -> None:
    _check_finals_once(trace)
    _check_order(trace)
    _check_ages(trace)
    check_rate(trace)
    _check_no_text_twice(trace)
    _check_display(trace)
    _check_end(trace)


@dataclass(frozen=True)
class _ResultEnd:
    """The last version of a result, and the time at which the result ended."""

    version: Result
    received_ms: int
    ended_ms: int


def _result_ends(trace: Trace) -> dict[str, _ResultEnd]:
    """Return each result's end: its first final, or its last partial at the first call after its orphan timeout."""
    last_versions: dict[str, tuple[int, Result]] = {}
    ends: dict[str, _ResultEnd] = {}

    def end_silent_results(now_ms: int, timeout_ms: int) -> None:
        for result_id, (received_ms, version) in list(last_versions.items()):
            if now_ms - received_ms >= timeout_ms:
                ends[result_id] = _ResultEnd(version, received_ms, now_ms)
                del last_versions[result_id]

    for now_ms, version in trace.calls:
        if version is not None and version.final:
            ends.setdefault(version.result_id, _ResultEnd(version, now_ms, now_ms))
            last_versions.pop(version.result_id, None)
        end_silent_results(now_ms, trace.limits.orphan_ms)
        if version is not None and version.result_id not in ends:
            last_versions[version.result_id] = (now_ms, version)
    end_silent_results(trace.ended_ms, 0)
    return ends


def _shown_finals(trace: Trace) -> list[tuple[int, Caption]]:
    return [(at_ms, caption) for at_ms, caption in trace.shown if caption.kind is CaptionKind.FINAL]


def _repeats_another_final(trace: Trace, result: Result, from_ms: int, to_ms: int) -> bool:
    return any(
        caption.result_id != result.result_id
        and normalize_text(caption.text) == normalize_text(result.text)
        and at_ms <= to_ms
        and at_ms + trace.limits.dedup_ms > from_ms
        for at_ms, caption in _shown_finals(trace)
    )


def _check_finals_once(trace: Trace) -> None:
    """Check that each ended result is shown as a final, or repeats the text of another final shown at that time."""
    finals = [caption for _, caption in _shown_finals(trace)]
    finals_by_id = {caption.result_id: caption for caption in finals}
    assert len(finals_by_id) == len(finals)
    ends = _result_ends(trace)
    assert finals_by_id.keys() <= ends.keys()
    for result_id, end in ends.items():
        if result_id in finals_by_id:
            caption = finals_by_id[result_id]
            assert (caption.text, caption.received_ms) == (end.version.text, end.received_ms)
            assert caption.orphan is not end.version.final
        else:
            latest_ms = end.ended_ms + trace.limits.max_buffer_ms + TICK_MS
            assert _repeats_another_final(trace, end.version, end.ended_ms, latest_ms), "a final was lost"
    assert trace.captions.counts.orphans == sum(not end.version.final for end in ends.values())


def _check_order(trace: Trace) -> None:
    """Check that a final is shown before a final of earlier speech only if the earlier result had not arrived yet, or
    if a final had waited too long."""
    finals, ends = _shown_finals(trace), _result_ends(trace)
    for number, (at_ms, caption) in enumerate(finals):
        ids_shown_before = {other.result_id for other_ms, other in finals[:number] if other_ms < at_ms}
        # Together with a final that has waited too long, all finals that start before it are shown. The overdue final
        # itself need not be shown, because it may repeat a text.
        has_overdue_final = any(
            end.version.start_ms >= caption.start_ms
            and end.ended_ms <= at_ms
            and at_ms - end.received_ms >= trace.limits.max_buffer_ms
            for result_id, end in ends.items()
            if result_id not in ids_shown_before
        )
        for _, next_final in finals[number + 1 :]:
            if next_final.start_ms < caption.start_ms:
                result_id = next_final.result_id
                assert ends[result_id].ended_ms >= at_ms, "this final of earlier speech had arrived before"
                versions = [(when_ms, version) for when_ms, version in trace.arrivals if version.result_id == result_id]
                earlier_versions = [version for when_ms, version in versions if when_ms < at_ms]
                current_versions = [version for when_ms, version in versions if when_ms == at_ms]
                starts_ms = [version.start_ms for version in [*earlier_versions[-1:], *current_versions]]
                is_known_as_earlier = bool(earlier_versions) and max(starts_ms) < caption.start_ms
                assert has_overdue_final or not is_known_as_earlier, "a final must wait for results of earlier speech"


def _check_ages(trace: Trace) -> None:
    """Check that no caption waits longer than `max_buffer_ms`. After that time, a partial may also wait for the rate
    limit. An orphan is as old as the orphan timeout."""
    late_ms = 0 if trace.is_punctual else 2 * TICK_MS  # the calls after both waits may be late
    for at_ms, caption in trace.shown:
        if at_ms == trace.ended_ms or caption.kind is CaptionKind.RETRACTED:
            continue
        orphan_ms = trace.limits.orphan_ms if caption.orphan else 0
        rate_ms = RATE_WINDOW_MS if caption.kind is CaptionKind.PARTIAL else 0
        assert at_ms - caption.received_ms <= max(orphan_ms, trace.limits.max_buffer_ms) + rate_ms + late_ms


def check_rate(trace: Trace) -> None:
    """Check that no second has more partials than allowed."""
    times_ms = [at_ms for at_ms, caption in trace.shown if caption.kind is CaptionKind.PARTIAL]
    for first_ms, next_allowed_ms in zip(times_ms, times_ms[trace.limits.max_rate_per_second :], strict=False):
        assert next_allowed_ms - first_ms >= 1000


def _check_no_text_twice(trace: Trace) -> None:
    """Check that a partial repeats no recent text, that a final repeats no recent final, and that no other line shows
    the text of a new final."""
    texts = [(at_ms, caption) for at_ms, caption in trace.shown if caption.kind is not CaptionKind.RETRACTED]
    for number, (at_ms, caption) in enumerate(texts):
        for later_ms, later in texts[number + 1 :]:
            same = normalize_text(later.text) == normalize_text(caption.text) and later.result_id != caption.result_id
            if same and later_ms - at_ms < trace.limits.dedup_ms:
                assert later.final
                assert not caption.final
    display, changed_ms = ClientDisplay(), dict[str, int]()
    for at_ms, caption in trace.shown:
        display.apply([caption])
        changed_ms[caption.result_id] = at_ms
        for line in display.lines.values():
            if (
                caption.final
                and line.result_id != caption.result_id
                and normalize_text(line.text) == normalize_text(caption.text)
            ):
                assert at_ms - changed_ms[line.result_id] >= trace.limits.dedup_ms, "two lines show the same text"


def _check_display(trace: Trace) -> None:
    """Check that no line changes after its final, that only shown lines are removed, and that no line stays partial."""
    display = ClientDisplay()
    for _, caption in trace.shown:
        previous = display.lines.get(caption.result_id)
        assert previous is None or not previous.final
        if caption.kind is CaptionKind.RETRACTED:
            assert previous is not None
        if caption.kind is CaptionKind.PARTIAL and previous is not None:
            assert normalize_text(previous.text) != normalize_text(caption.text)
            assert previous.received_ms <= caption.received_ms
        display.apply([caption])
    assert all(line.final for line in display.lines.values())


def _check_end(trace: Trace) -> None:
    """Check that nothing waits after the end, and that the counts match the captions."""
    captions, counts = trace.captions, trace.captions.counts
    assert captions.next_due_ms() is None
    assert not captions._open._open
    assert not captions._finals._pending
    assert captions.take_due(trace.ended_ms + 100_000) == captions.finish(trace.ended_ms + 100_000) == []
    assert sum(caption.kind is CaptionKind.PARTIAL for _, caption in trace.shown) == counts.partials
    assert counts.partials + counts.dropped <= sum(not result.final for _, result in trace.arrivals)
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(trace.shown))
