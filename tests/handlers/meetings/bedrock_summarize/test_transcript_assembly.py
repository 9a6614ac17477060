"""Tests of the transcript assembly: no word is lost, and all are in order and at the right time."""

import json
from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.meetings.bedrock_summarize.transcript_assembly import (
    MAX_CHARACTERS,
    MAX_OUTPUT_BYTES,
    MAX_OVERRUN_MS,
    MAX_SEGMENT_CHARACTERS,
    PAUSE_MS,
    SENTENCE_END_CHARACTERS,
    UNKNOWN_SPEAKER,
    InvalidPartOutput,
    TranscribedPart,
    join_parts,
    parse_part,
)
from handlers.meetings.bedrock_summarize.transcript_data_models import Transcript, TranscriptSegment
from tests.handlers.meetings.sample_transcripts import Turn, length, output, turns

CANARY = "canary"
WORDS = st.lists(
    st.builds(str.__add__, st.text("abcdeäß東", min_size=1, max_size=12), st.sampled_from(["", "", ".", ",", "?"])),
    min_size=1,
    max_size=60,
)


@st.composite
def turn_lists(draw: st.DrawFn) -> tuple[Turn, ...]:
    """Turns that follow each other. The same speaker may continue with or without a pause."""
    turn_list: list[Turn] = []
    for _ in range(draw(st.integers(0, 6))):
        gap = draw(st.sampled_from([0, 100, PAUSE_MS, PAUSE_MS + 1, 60_000]))
        start = turn_list[-1].end_ms + gap if turn_list else gap
        turn_list.append(Turn(draw(st.sampled_from(["spk_0", "spk_1"])), start, " ".join(draw(WORDS))))
    return tuple(turn_list)


def _item(content: str, start: str = "0.1", end: str = "0.2") -> dict[str, Any]:
    return {"type": "pronunciation", "start_time": start, "end_time": end, "alternatives": [{"content": content}]}


def _mark(content: str) -> dict[str, Any]:
    return {"type": "punctuation", "alternatives": [{"content": content}]}


def _wrapped(items: object) -> bytes:
    return json.dumps({"results": {"items": items}}).encode()


def join_turns(*parts: tuple[Turn, ...]) -> tuple[Transcript, list[int]]:
    """Return the transcript of consecutive parts, and the start of each part."""
    offsets, at, segments = [], 0, []
    for number, part in enumerate(parts, 1):
        offsets.append(at)
        transcribed_part = TranscribedPart(at, length(part), output(part))
        segments.append(parse_part(transcribed_part, "en-US", number if len(parts) > 1 else None))
        at += length(part)
    return join_parts(segments, "en-US", at), offsets


def single_part(spoken_turns: tuple[Turn, ...]) -> tuple[TranscriptSegment, ...]:
    return join_turns(spoken_turns)[0].said


@given(st.lists(turn_lists(), min_size=1, max_size=3))
def test_segments_are_in_order_and_within_their_part(parts: list[tuple[Turn, ...]]) -> None:
    transcript, offsets = join_turns(*parts)
    assert all(before.start_ms <= after.start_ms for before, after in pairwise(transcript.said))
    assert all(segment.start_ms <= segment.end_ms <= transcript.duration_ms for segment in transcript.said)
    starts = {turn.start_ms + offset for part, offset in zip(parts, offsets, strict=True) for turn in part}
    segment_starts = {segment.start_ms for segment in transcript.said}
    assert {min(starts)} <= segment_starts if starts else not segment_starts
    if len(parts) > 1:
        for number, (part, offset) in enumerate(zip(parts, offsets, strict=True), 1):
            part_segments = [segment for segment in transcript.said if segment.speaker.startswith(f"{number}-")]
            assert " ".join(segment.text for segment in part_segments) == " ".join(turn.text for turn in part)
            assert all(
                offset <= segment.start_ms <= segment.end_ms <= offset + length(part) for segment in part_segments
            )


@given(turn_lists())
def test_a_segment_has_one_speaker_and_a_limited_length(said: tuple[Turn, ...]) -> None:
    found = single_part(said)
    assert all(len(piece.text) <= MAX_SEGMENT_CHARACTERS for piece in found)
    by_speaker = [(speaker, " ".join(p.text for p in group)) for speaker, group in groupby(found, lambda p: p.speaker)]
    assert by_speaker == [
        (speaker, " ".join(turn.text for turn in group)) for speaker, group in groupby(said, lambda turn: turn.speaker)
    ]
    for before, after in pairwise(found):
        if before.speaker == after.speaker and after.start_ms - before.end_ms <= PAUSE_MS:
            assert len(before.text) + len(after.text.split()[0]) + 1 > SENTENCE_END_CHARACTERS, (
                "a piece ended for no reason"
            )


def test_a_segment_ends_at_another_speaker_or_a_pause() -> None:
    spoken = turns(("spk_0", "Good morning, all."), ("spk_0", "Shall we?"), ("spk_1", "Yes."))
    later = Turn("spk_1", spoken[-1].end_ms + PAUSE_MS + 1, "Wait.")
    assert single_part((*spoken, later)) == (
        TranscriptSegment(speaker="spk_0", start_ms=0, end_ms=spoken[1].end_ms, text="Good morning, all. Shall we?"),
        TranscriptSegment(speaker="spk_1", start_ms=spoken[2].start_ms, end_ms=spoken[2].end_ms, text="Yes."),
        TranscriptSegment(speaker="spk_1", start_ms=later.start_ms, end_ms=later.end_ms, text="Wait."),
    )


def test_a_long_speech_is_cut_after_a_sentence_if_possible() -> None:
    sentence = "word " * 9 + "end."
    assert {piece.text[-1] for piece in single_part(turns(("spk_0", " ".join([sentence] * 40))))} == {"."}
    endless = single_part(turns(("spk_0", "word " * 1_000)))
    assert 4 < len(endless) < 7
    assert all(len(piece.text) > SENTENCE_END_CHARACTERS for piece in endless[:-1])


def test_speaker_labels_contain_the_part_if_there_are_several() -> None:
    spoken = turns(("spk_0", "Yes."))
    assert [piece.speaker for piece in join_turns(spoken)[0].said] == ["spk_0"]
    assert [piece.speaker for piece in join_turns(spoken, spoken)[0].said] == ["1-spk_0", "2-spk_0"]
    nobody = _wrapped([_item("Hm")])
    assert [piece.speaker for piece in parse_part(TranscribedPart(0, 2_000, nobody), "en-US")] == [UNKNOWN_SPEAKER]


def test_words_of_languages_without_spaces_are_joined() -> None:
    items = [_item(word) for word in ["今日", "は", "AI", "tools", " を", "見る"]] + [_mark("。")]
    part = TranscribedPart(0, 2_000, _wrapped(items))
    assert parse_part(part, "ja-JP")[0].text == "今日はAI toolsを見る。"
    assert parse_part(part, "en-US")[0].text == "今日 は AI tools を 見る。"


def test_an_empty_output_gives_an_empty_transcript() -> None:
    assert single_part(()) == ()
    marks = _wrapped([_mark("."), _item("\u0007")])
    assert parse_part(TranscribedPart(0, 2_000, marks), "en-US") == ()


def test_a_word_may_end_only_a_little_after_its_part() -> None:
    late = _wrapped([_item("Bye", "1.5", "2.9")])
    (said,) = parse_part(TranscribedPart(60_000, 2_000, late), "en-US")
    assert (said.start_ms, said.end_ms) == (61_500, 62_000)
    wrong = _wrapped([_item("Bye", "1.5", f"{(2_000 + MAX_OVERRUN_MS + 1) / 1000}")])
    assert _problem(wrong) == "bad_times"


def _problem(data: bytes) -> str:
    with pytest.raises(InvalidPartOutput) as caught:
        parse_part(TranscribedPart(0, 2_000, data), "en-US")
    assert caught.value.__context__ is None, "what it was raised from may hold the text"
    assert CANARY not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "malformed"),
        (CANARY.encode(), "malformed"),
        (b"\xff" + CANARY.encode(), "no_utf8"),
        (b" " * (MAX_OUTPUT_BYTES + 1), "too_large"),
        (_wrapped([_item(CANARY, CANARY)]), "bad_times"),
        (_wrapped([_item("a"), *[_mark("!" * 999)] * 9]), "malformed"),
    ],
)
def test_a_malformed_output_is_refused(data: bytes, expected: str) -> None:
    assert _problem(data) == expected


def test_outputs_beyond_the_size_limits_are_refused() -> None:
    much = TranscriptSegment(speaker="spk_0", start_ms=0, end_ms=1, text="a" * (MAX_CHARACTERS // 2))
    assert join_parts([[much], [much]], "en-US", 1).said
    with pytest.raises(InvalidPartOutput, match="too_large"):
        join_parts([[much], [much], [much]], "en-US", 1)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(max_size=5), st.lists, max_leaves=8).map(_wrapped))
@example(b"[" * 100_000)
def test_any_output_is_parsed_or_refused(data: bytes) -> None:
    try:
        found = parse_part(TranscribedPart(0, 2_000, data), "en-US")
    except InvalidPartOutput:
        return
    assert all(0 <= said.start_ms <= said.end_ms <= 2_000 for said in found)
