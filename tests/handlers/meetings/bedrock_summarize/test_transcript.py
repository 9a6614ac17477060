"""Tests of how the outputs of Amazon Transcribe for the parts of the audio become one transcript of segments.

A segment contains consecutive words of one speaker. The transcript contains every word, in order and at the right time.
Its field `said` is the list of its segments.
"""

from collections.abc import Sequence
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.transcribe_output import MAX_PAUSE_MS, InvalidTranscribeOutput
from handlers.meetings.bedrock_summarize.handler import (
    MAX_OVERRUN_MS,
    MAX_SEGMENT_CHARACTERS,
    SENTENCE_END_CHARACTERS,
    UNKNOWN_SPEAKER,
    parse_part,
)
from handlers.meetings.bedrock_summarize.models import TranscriptSegment
from handlers.meetings.recording_files import AudioPart
from tests.handlers.meetings.bedrock_summarize.summary_harness import (
    Turn,
    audio_milliseconds,
    create_turns,
    job_output,
    mark_item,
    transcribe_output,
    word_item,
)

WORDS = st.lists(
    st.builds(str.__add__, st.text("abcdeäß東", min_size=1, max_size=12), st.sampled_from(["", "", ".", ",", "?"])),
    min_size=1,
    max_size=60,
)


@st.composite
def turn_lists(draw: st.DrawFn) -> tuple[Turn, ...]:
    """Turns that follow each other. The same speaker may continue with or without a pause."""
    turns: list[Turn] = []
    for _ in range(draw(st.integers(0, 6))):
        gap = draw(st.sampled_from([0, 100, MAX_PAUSE_MS, MAX_PAUSE_MS + 1, 60_000]))
        start = turns[-1].end_ms + gap if turns else gap
        turns.append(Turn(draw(st.sampled_from(["spk_0", "spk_1"])), start, " ".join(draw(WORDS))))
    return tuple(turns)


def audio_part(duration_ms: int = 2_000, offset_ms: int = 0) -> AudioPart:
    return AudioPart(offset_ms=offset_ms, duration_ms=duration_ms)


def single_part_segments(turns: tuple[Turn, ...], offset_ms: int = 0) -> tuple[TranscriptSegment, ...]:
    """Return the segments of a part that contains these turns."""
    return parse_part(audio_part(audio_milliseconds(turns), offset_ms), transcribe_output(turns), "en-US")


def texts_by_speaker(speeches: Sequence[Turn | TranscriptSegment]) -> list[tuple[str, str]]:
    """Return the joined text of each series of turns or segments with the same speaker."""
    return [
        (speaker, " ".join(speech.text for speech in series))
        for speaker, series in groupby(speeches, lambda speech: speech.speaker)
    ]


@given(turn_lists(), st.integers(0, 10**7))
def test_segments_are_in_order_and_within_their_part(turns: tuple[Turn, ...], offset_ms: int) -> None:
    segments = single_part_segments(turns, offset_ms)
    assert texts_by_speaker(segments) == texts_by_speaker(turns)
    assert all(len(segment.text) <= MAX_SEGMENT_CHARACTERS for segment in segments)
    times = [time for segment in segments for time in (segment.start_ms, segment.end_ms)]
    assert times == sorted(times)
    if turns:
        assert (times[0], times[-1]) == (turns[0].start_ms + offset_ms, turns[-1].end_ms + offset_ms)
    for before, after in pairwise(segments):
        if before.speaker == after.speaker and after.start_ms - before.end_ms <= MAX_PAUSE_MS:
            assert len(before.text) + len(after.text.split()[0]) + 1 > SENTENCE_END_CHARACTERS, (
                "a segment of the same speaker without a pause ends only because of its length"
            )


def test_a_segment_ends_at_another_speaker_or_a_pause() -> None:
    turns = create_turns(("spk_0", "Good morning, all."), ("spk_0", "Shall we?"), ("spk_1", "Yes."))
    after_pause = Turn("spk_1", turns[-1].end_ms + MAX_PAUSE_MS + 1, "Wait.")
    assert single_part_segments((*turns, after_pause)) == (
        TranscriptSegment(speaker="spk_0", start_ms=0, end_ms=turns[1].end_ms, text="Good morning, all. Shall we?"),
        TranscriptSegment(speaker="spk_1", start_ms=turns[2].start_ms, end_ms=turns[2].end_ms, text="Yes."),
        TranscriptSegment(speaker="spk_1", start_ms=after_pause.start_ms, end_ms=after_pause.end_ms, text="Wait."),
    )


def test_a_long_speech_is_cut_after_a_sentence_if_possible() -> None:
    sentence = "word " * 9 + "end."
    segments = single_part_segments(create_turns(("spk_0", " ".join([sentence] * 40))))
    assert {segment.text[-1] for segment in segments} == {"."}
    segments = single_part_segments(create_turns(("spk_0", "word " * 1_000)))
    assert 4 < len(segments) < 7, "5,000 characters without a sentence end, in segments of up to 1,000"
    assert all(len(segment.text) > SENTENCE_END_CHARACTERS for segment in segments[:-1])


def test_a_word_without_a_speaker_label_has_an_unknown_speaker() -> None:
    output = job_output([word_item("Hm")])
    assert [segment.speaker for segment in parse_part(audio_part(), output, "en-US")] == [UNKNOWN_SPEAKER]


def test_only_neighbouring_latin_words_of_a_language_without_spaces_keep_a_space() -> None:
    items = [word_item(word) for word in ["今日", "は", "AI", "tools", " を", "見る"]] + [mark_item("。")]
    assert parse_part(audio_part(), job_output(items), "ja-JP")[0].text == "今日はAI toolsを見る。"
    assert parse_part(audio_part(), job_output(items), "en-US")[0].text == "今日 は AI tools を 見る。"
    texts = {"4 K": "4 K", "AI. tools": "AI.tools", "AI (b)": "AI(b)", "日A B": "日A B", "(A B": "(A B"}
    for words, text in texts.items():
        [segment] = parse_part(audio_part(), job_output([word_item(word) for word in words.split()]), "th-TH")
        assert segment.text == text


def test_an_output_without_words_has_no_segments() -> None:
    output = job_output([mark_item("."), word_item("\u0007")])
    assert parse_part(audio_part(), output, "en-US") == ()


def test_a_word_may_end_only_a_little_after_its_part() -> None:
    part = audio_part(offset_ms=60_000)
    (segment,) = parse_part(part, job_output([word_item("Bye", 1_500, 2_900)]), "en-US")
    assert (segment.start_ms, segment.end_ms) == (61_500, 62_000)
    with pytest.raises(InvalidTranscribeOutput):
        parse_part(part, job_output([word_item("Bye", 1_500, 2_001 + MAX_OVERRUN_MS)]), "en-US")
