"""Tests of the rules for captions: which texts of a stream are shown, and when.

A result is a piece of recognised speech. It arrives in several versions: first partials, then a final. Without a final,
it becomes an orphan: its last partial is shown as its final.

A test states the versions that arrive and the captions that follow, each with its time in milliseconds.
`partial("a", "hello", 0.1)` is a partial of the result `a` with the stability 0.1.
"""

import json
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from handlers.transcription.audio_processor.captions import Caption, Captions, ends_sentence, normalize_text
from handlers.transcription.audio_processor.results import Result
from handlers.transcription.environment import CaptionThresholds, SessionSettings

DEFAULT_THRESHOLDS = CaptionThresholds()
Stream = list[tuple[int, Result]]
"""Versions of results with the times at which they arrive."""
Shown = list[tuple[int, Caption]]
"""Captions with the times at which they are returned."""


def partial(result_id: str, text: str, stability: float | None = 1.0, *, start_ms: int = 0) -> Result:
    """Return a partial. `stability` is the share of its words that are marked as stable, or None without any marks."""
    return Result(result_id, text, final=False, start_ms=start_ms, end_ms=start_ms + 500, stability=stability)


def final(result_id: str, text: str, *, start_ms: int = 0) -> Result:
    return Result(result_id, text, final=True, start_ms=start_ms, end_ms=start_ms + 500, stability=None)


def thresholds(**changes: float) -> CaptionThresholds:
    """Return the default thresholds with some changes."""
    return DEFAULT_THRESHOLDS.model_copy(update=changes)


def take_due_until(captions: Captions, now_ms: int, until_ms: int) -> Shown:
    """Call `take_due` at each time that the captions ask for, and return the captions before `until_ms`."""
    shown: Shown = []
    while (due_ms := captions.next_due_ms()) is not None and due_ms < until_ms:
        assert due_ms > now_ms, "a call returns everything that is due"
        now_ms = due_ms
        shown += [(now_ms, caption) for caption in captions.take_due(now_ms)]
    return shown


def show(captions: Captions, stream: Stream, until_ms: int = 30_000) -> list[tuple[int, str]]:
    """Return the captions of a stream: `partial a: text`, `final a: text`, `orphan a: text`, or `removed a`."""
    shown, now_ms = Shown(), 0
    for at_ms, result in stream:
        shown += take_due_until(captions, now_ms, at_ms)
        now_ms = at_ms
        shown += [(now_ms, caption) for caption in captions.accept(result, now_ms)]
    shown += take_due_until(captions, now_ms, until_ms)
    return [(at_ms, describe(caption)) for at_ms, caption in shown]


def describe(caption: Caption) -> str:
    if not caption.text:
        return f"removed {caption.result_id}"
    kind = "orphan" if caption.orphan else "final" if caption.final else "partial"
    return f"{kind} {caption.result_id}: {caption.text}"


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param([(0, partial("a", "one", 0.85))], [(0, "partial a: one")], id="0.85 is stable"),
        pytest.param([(0, partial("a", "one", 0.849))], [(2_000, "partial a: one")], id="less waits 2 s"),
        pytest.param(
            [(0, partial("a", "one", 0.2)), (1_999, partial("a", "two", 0.2)), (2_500, partial("a", "two", 0.3))],
            [(3_999, "partial a: two")],
            id="2 s without a change",
        ),
        pytest.param(
            [(0, partial("a", "one", None)), (1_500, partial("a", "two", None)), (2_100, partial("a", "three", None))],
            [(2_000, "partial a: two"), (2_100, "partial a: three")],
            id="2 s after the first version if no word is marked",
        ),
        pytest.param(
            [(900 * number, partial("a", f"word {number}", 0.2)) for number in range(8)],
            [(5_000, "partial a: word 5"), (8_300, "partial a: word 7")],
            id="a text that changes is shown after 5 s",
        ),
        pytest.param(
            [(0, partial("a", "one")), (100, final("b", "two", start_ms=600)), (5_100, final("a", "late"))],
            [(0, "partial a: one"), (5_100, "final a: late"), (5_100, "final b: two")],
            id="a final waits for earlier speech",
        ),
        pytest.param(
            [
                (0, partial("a", "one")),
                (100, final("c", "three", start_ms=700)),
                (200, final("b", "two", start_ms=600)),
                (5_101, final("a", "late")),
            ],
            [(0, "partial a: one"), (5_100, "final b: two"), (5_100, "final c: three"), (5_101, "final a: late")],
            id="at most 5 s, with the finals before it",
        ),
        pytest.param(
            [(0, partial("a", "one")), (1_000, partial("a", "two"))],
            [(0, "partial a: one"), (1_000, "partial a: two"), (16_000, "orphan a: two")],
            id="an orphan after 15 s without a version",
        ),
        pytest.param(
            [(100 * number, partial("a", f"word {number}")) for number in range(8)],
            [*((100 * number, f"partial a: word {number}") for number in range(5)), (1_000, "partial a: word 7")],
            id="5 partials in a second",
        ),
        pytest.param(
            [(0, partial("a", "Hello you")), (9_999, partial("b", "hello, you")), (10_000, partial("c", "hello you"))],
            [(0, "partial a: Hello you"), (10_000, "partial c: hello you")],
            id="no text twice in 10 s",
        ),
    ],
)
def test_each_number_of_the_requirements_applies(stream: Stream, expected: list[tuple[int, str]]) -> None:
    until_ms = 30_000 if "orphan" in expected[-1][1] else 14_000
    assert show(Captions(DEFAULT_THRESHOLDS), stream, until_ms) == expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (
            [(0, final("a", "hello")), (1, partial("b", "yellow")), (2, final("b", "Hello!", start_ms=7))],
            ["final a: hello", "partial b: yellow", "removed b"],
        ),
        (
            [(0, partial("a", "hello", start_ms=600)), (1, final("b", "Hello.")), (3, final("a", "yes", start_ms=600))],
            ["partial a: hello", "removed a", "final b: Hello.", "final a: yes"],
        ),
        ([(0, partial("a", "hm")), (1, final("a", ""))], ["partial a: hm", "removed a"]),
        (  # a text that its line shows no more
            [(0, partial("a", "I")), (1, partial("a", "I see")), (2, partial("b", "I"))],
            ["partial a: I", "partial a: I see", "partial b: I"],
        ),
    ],
)
def test_a_text_is_shown_in_one_line_only(stream: Stream, expected: list[str]) -> None:
    assert [caption for _, caption in show(Captions(DEFAULT_THRESHOLDS), stream, 1_000)] == expected


def test_partials_that_are_replaced_while_they_wait_for_the_rate_count_as_dropped() -> None:
    captions = Captions(thresholds(max_rate_per_second=1))
    versions = ["one", "one two", "one two three", "one two three four"]
    stream = [(10 * number, partial("a", text)) for number, text in enumerate(versions)]
    waiting = [(5, partial("b", "other")), *stream, (40, final("a", "the end"))]
    shown = show(captions, sorted(waiting, key=lambda step: step[0]), 2_000)
    assert shown == [(0, "partial a: one"), (40, "final a: the end"), (1_000, "partial b: other")]
    assert captions.dropped == 2, "the final replaces the last partial"


@pytest.mark.parametrize(("unmarked_count", "falls_back"), [(9, False), (10, True)])
def test_ten_partials_without_a_stability_switch_the_stream_to_finals_only(
    unmarked_count: int, falls_back: bool
) -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    unmarked: Stream = [(number, partial("b", f"word {number}", None)) for number in range(1, unmarked_count)]
    unmarked.insert(0, (0, partial("c", "other", None)))
    shown = show(captions, [*unmarked, (20, partial("a", "stable")), (30, final("a", "end"))], 3_000)
    partials = [(20, "partial a: stable"), (2_000, "partial c: other"), (2_001, "partial b: word 8")]
    assert shown == sorted([(30, "final a: end"), *([] if falls_back else partials)])
    assert captions.fallback == ("no_stability" if falls_back else None)
    without_partials = Captions(DEFAULT_THRESHOLDS, finals_only=True)
    assert show(without_partials, unmarked, 3_000) == []
    assert without_partials.fallback is None, "nothing changed"


def test_unmarked_finals_and_partials_after_a_marked_one_do_not_count() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    show(captions, [(number, final(f"{number}", f"word {number}")) for number in range(20)], 30)
    show(captions, [(30, partial("a", "marked", 0.0))], 40)
    show(captions, [(40 + number, partial("a", f"word {number}", None)) for number in range(20)], 70)
    assert captions.fallback is None


def test_a_partial_that_ends_a_sentence_is_shown_at_once() -> None:
    assert show(Captions(DEFAULT_THRESHOLDS), [(0, partial("a", "Yes.", 0.1))], 10) == [(0, "partial a: Yes.")]
    assert all(map(ends_sentence, ["Yes!", "Yes?", "Well…", "“Yes.”", "'Yes.'", "(Yes.) ", "はい。", "نعم؟", "हाँ।"]))
    assert not any(map(ends_sentence, ["", '"', "yes", "yes,", "3.5", "はい、", "“Yes. And", "yes -"]))


def test_texts_are_compared_as_readers_compare_them() -> None:
    equal = [
        *(("Hello, world.", "hello world"), ("  hello\t\n world ", "hello world"), ("well-known", "well known")),
        *(("snake_case", "snake case"), ("It's", "it\N{RIGHT SINGLE QUOTATION MARK}s"), ("Straße", "STRASSE")),
        ("cafe\N{COMBINING ACUTE ACCENT}", "CAF\N{LATIN CAPITAL LETTER E WITH ACUTE}"),
        *(("はい。", "はい"), ("\N{FULLWIDTH LATIN CAPITAL LETTER A}bc", "abc")),
    ]
    different = [("a b", "ab"), ("3.5", "35"), ("$5", "5"), ("?", "!"), ("कि", "का"), ("ja", "já")]
    assert [pair for pair in equal + different if normalize_text(pair[0]) == normalize_text(pair[1])] == equal


STARTS_MS = dict(zip("abcdef", count(0, 100), strict=False))
"""Start of the speech of each result."""
VERSIONS = st.builds(
    lambda result_id, text, is_final, stability: (
        final(result_id, text, start_ms=STARTS_MS[result_id])
        if is_final
        else partial(result_id, text or "so", stability, start_ms=STARTS_MS[result_id])
    ),
    st.sampled_from(list(STARTS_MS)),
    st.sampled_from(["yes", "Yes.", "yes, I do", "no", "never!", "so what?", "?", ""]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([1.0, 0.85, 0.5, 0.0, None]),
)
GAPS_MS = st.sampled_from([0, 0, 1, 40, 200, 200, 500, 999, 1_000, 1_999, 2_000, 4_999, 7_000])
LIMITS = st.builds(
    lambda rate, dedup, buffer, orphan: thresholds(
        max_rate_per_second=rate, dedup_cache_ttl=dedup, max_buffer_timeout=buffer, orphan_timeout=orphan
    ),
    *(
        st.sampled_from([1, 2, 5]),
        st.sampled_from([0, 1, 10]),
        st.sampled_from([0.5, 5.0]),
        st.sampled_from([5.0, 15.0]),
    ),
)


@given(LIMITS, st.lists(st.tuples(GAPS_MS, VERSIONS), max_size=50), st.booleans())
@example(
    DEFAULT_THRESHOLDS,
    [(0, partial("b", "yes", start_ms=100)), (0, partial("a", "no")), (0, final("b", "so", start_ms=100))],
    True,
)
def test_the_rules_hold_for_any_stream(
    limits: CaptionThresholds, steps: list[tuple[int, Result]], is_punctual: bool
) -> None:
    """`is_punctual` means that the caller takes captions when they are due. Otherwise, only results return captions."""
    captions, shown, arrivals, now_ms = Captions(limits), Shown(), Stream(), 0
    for gap_ms, result in steps:
        if is_punctual:
            shown += take_due_until(captions, now_ms, now_ms + gap_ms)
        now_ms += gap_ms
        arrivals.append((now_ms, result))
        shown += [(now_ms, caption) for caption in captions.accept(result, now_ms)]
        assert captions.take_due(now_ms) == [], "a call returns everything that is due"
    shown += [(now_ms, caption) for caption in captions.finish(now_ms)]
    check_finals(limits, arrivals, shown)
    check_order(limits, arrivals, shown)
    check_rate(limits, shown)
    check_screen(limits, shown)
    assert captions.finish(now_ms + 100_000) == []


def check_finals(limits: CaptionThresholds, arrivals: Stream, shown: Shown) -> None:
    """Check that each result is shown as a final once, unless it has no text or another final shows its text."""
    finals = {caption.result_id: caption for _, caption in shown if caption.final}
    assert len(finals) == sum(caption.final for _, caption in shown)
    results: dict[str, Stream] = {}
    for at_ms, result in arrivals:
        results.setdefault(result.result_id, []).append((at_ms, result))
    assert finals.keys() <= results.keys()
    for result_id, versions in results.items():
        was_silent = any(
            later_ms - at_ms >= 1_000 * limits.orphan_timeout for (at_ms, _), (later_ms, _) in pairwise(versions)
        )
        ends = [] if was_silent else [version.text for _, version in versions if version.final]
        last_texts = ends[:1] or [version.text for _, version in versions]
        if (caption := finals.get(result_id)) is not None:
            assert caption.text in last_texts
        else:
            others = {normalize_text(other.text) for other in finals.values()} if limits.dedup_cache_ttl else set()
            assert any(normalize_text(text) in {"", *others} for text in last_texts), "a final is lost"


def check_order(limits: CaptionThresholds, arrivals: Stream, shown: Shown) -> None:
    """Check that a final is shown before one of earlier speech only if that had not arrived, or a final waited long."""
    finals = [(at_ms, caption) for at_ms, caption in shown if caption.final]
    for number, (at_ms, caption) in enumerate(finals):
        for _, later in finals[number + 1 :]:
            if later.start_ms < caption.start_ms:
                has_arrived = any(
                    result.result_id == later.result_id and arrived_ms < at_ms for arrived_ms, result in arrivals
                )
                has_waited = any(
                    result.start_ms >= caption.start_ms and arrived_ms + 1_000 * limits.max_buffer_timeout <= at_ms
                    for arrived_ms, result in arrivals
                )
                assert has_waited or not has_arrived, "a final must wait for results of earlier speech"


def check_rate(limits: CaptionThresholds, shown: Shown) -> None:
    """Check that no second has more partials than allowed."""
    times_ms = [at_ms for at_ms, caption in shown if caption.text and not caption.final]
    for first_ms, next_ms in zip(times_ms, times_ms[limits.max_rate_per_second :], strict=False):
        assert next_ms - first_ms >= 1_000


def check_screen(limits: CaptionThresholds, shown: Shown) -> None:
    """Check the lines on the client's screen: no text is shown twice, and none changes after its final."""
    screen: dict[str, tuple[int, Caption]] = {}
    for at_ms, caption in shown:
        _, line = screen.pop(caption.result_id, (0, None))
        assert line is None or not line.final, "nothing follows a final"
        if not caption.text:
            assert line is not None, "only a line that is shown is removed"
            continue
        if line is not None and not caption.final:
            assert normalize_text(line.text) != normalize_text(caption.text), "a partial changes its line"
        for shown_ms, other in screen.values():
            is_same = normalize_text(other.text) == normalize_text(caption.text)
            assert not is_same or at_ms - shown_ms >= 1_000 * limits.dedup_cache_ttl, "two lines show the same text"
        screen[caption.result_id] = (at_ms, caption)
    assert all(line.final for _, line in screen.values()), "no line stays partial"


def session_settings(**values: Any) -> SessionSettings:
    """Return the settings that a client sends, by their names in the API."""
    return SessionSettings.model_validate_json(json.dumps(values))


def test_a_session_can_override_every_threshold() -> None:
    overrides = {
        "partialResultsEnabled": False,
        "minStabilityThreshold": 0.5,
        "maxBufferTimeout": 1.5,
        "pauseThreshold": 0.25,
        "orphanTimeout": 20,
        "maxRatePerSecond": 7,
        "dedupCacheTtl": 0,
    }
    changed = DEFAULT_THRESHOLDS.for_session(session_settings(**overrides))
    assert {to_camel(name): value for name, value in changed} == overrides


@pytest.mark.parametrize("session", [{}, {"partialResultsEnabled": False}, {"partialResultsEnabled": True}])
@pytest.mark.parametrize("deployed", [False, True])
def test_partials_are_shown_only_if_deployment_and_session_enable_them(deployed: bool, session: dict[str, Any]) -> None:
    """A client cannot enable partials (captions that may still change) if the operator has disabled them."""
    deployment = DEFAULT_THRESHOLDS.model_copy(update={"partial_results_enabled": deployed})
    changed = deployment.for_session(session_settings(**session))
    assert changed.partial_results_enabled is (deployed and session != {"partialResultsEnabled": False})
