"""Tests of the division of a transcript into windows, which are small enough for one request to a model.

Each line is in the core of one window. After its core, each window but the last has an overlap, which repeats the start
of the next window.
"""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from handlers.common.text import WindowSizes, split_into_windows


@dataclass(frozen=True)
class Line:
    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None


LINE_LENGTHS = st.lists(st.integers(1, 120), min_size=1, max_size=60)
SIZES = st.builds(
    WindowSizes,
    characters=st.integers(1, 400),
    milliseconds=st.integers(1, 60_000),
    overlap_characters=st.integers(0, 200),
)


TIMED_PASSAGES = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, 86_400_000), st.integers(0, 40)), min_size=1, max_size=60
)
"""Start after the previous passage, duration, and number of characters of each passage."""
LARGER_SIZES = st.builds(
    WindowSizes,
    characters=st.integers(100, 4_000),
    milliseconds=st.integers(10_000, 600_000),
    overlap_characters=st.integers(0, 50),
)


def make_lines(lengths: list[int]) -> tuple[Line, ...]:
    """Return one line per second, each of the given number of characters."""
    return tuple(Line(second * 1_000, second * 1_000 + 900, "x" * length) for second, length in enumerate(lengths))


@given(LINE_LENGTHS, SIZES)
def test_a_section_that_begins_in_a_core_is_complete_in_its_window(lengths: list[int], sizes: WindowSizes) -> None:
    windows = split_into_windows(make_lines(lengths), sizes)
    spans = [(window.first, window.first + len(window.passages)) for window in windows]
    for begin in range(len(lengths)):
        end = begin + 1
        # The section has one character of its first line, all lines in between, and one character of its last line.
        while end < len(lengths) and 2 + sum(lengths[begin + 1 : end]) <= sizes.overlap_characters:
            end += 1
        assert any(first <= begin and end <= last for first, last in spans)


@given(LINE_LENGTHS, SIZES)
def test_cores_divide_the_transcript(lengths: list[int], sizes: WindowSizes) -> None:
    lines = make_lines(lengths)
    windows = split_into_windows(lines, sizes)
    next_line = 0
    for index, window in enumerate(windows):
        assert (window.index, window.first) == (index, next_line)
        assert window.core_count >= 1
        assert window.passages == lines[window.first : window.first + len(window.passages)]
        core = window.passages[: window.core_count]
        next_line += window.core_count
        if window is windows[-1]:
            continue  # the last window has no overlap
        assert window.core_count == 1 or sum(len(line.text) for line in core) <= sizes.characters
        assert window.core_count == 1 or core[-1].start_ms - core[0].start_ms <= sizes.milliseconds
    assert next_line == len(lines) == windows[-1].first + len(windows[-1].passages)
    assert all(window.first + len(window.passages) < len(lines) for window in windows[:-1]), (
        "only the last window may reach the end of the transcript"
    )


@given(TIMED_PASSAGES, LARGER_SIZES)
def test_the_number_of_windows_is_limited_by_duration_and_characters(
    passages: list[tuple[int, int, int]], sizes: WindowSizes
) -> None:
    lines: list[Line] = []
    start_ms = 0
    for gap_ms, duration_ms, length in passages:
        start_ms += gap_ms
        lines.append(Line(start_ms, start_ms + duration_ms, "x" * length))
    windows = split_into_windows(lines, sizes)
    cores = [line for window in windows for line in window.passages[: window.core_count]]
    assert cores == lines, "each line must be in exactly one core"
    max_by_duration = (lines[-1].start_ms - lines[0].start_ms) // sizes.milliseconds
    # If the characters end a core, the core and the next line together exceed the limit, so a line may count twice.
    max_by_characters = 2 * sum(len(line.text) for line in lines) // sizes.characters
    assert len(windows) <= 1 + max_by_duration + max_by_characters


@given(LINE_LENGTHS, SIZES)
def test_the_last_window_that_contains_a_line_owns_its_start_time(lengths: list[int], sizes: WindowSizes) -> None:
    lines = make_lines(lengths)
    windows = split_into_windows(lines, sizes)
    for line in lines:
        containing = [window for window in windows if line in window.passages]
        assert [window for window in containing if window.owns_start(line.start_ms)] == containing[-1:]


def test_a_window_ends_with_the_latest_end_of_its_passages() -> None:
    (window,) = split_into_windows((Line(0, 9_000, "a"), Line(1_000, 2_000, "b")), WindowSizes(100, 100_000, 10))
    assert (window.start_ms, window.end_ms) == (0, 9_000)
