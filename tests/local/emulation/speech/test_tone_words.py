"""Tests of tone words, the artificial speech of the local platform, in which each word of a small vocabulary is a pair
of tones.

A third, lower tone can be added as the voice, whose pitch identifies the speaker. The words must be recognised at any
sample rate, in pieces of any size, and after Opus encoding.
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulation.speech.audio_encoding_and_recognition import encode_audio
from local.emulation.speech.tone_words import (
    PAUSE_SECONDS,
    PITCHES,
    SENTENCE_END,
    WORD_SECONDS,
    WORDS,
    Pause,
    Recogniser,
    SpokenWord,
    silence,
    speech,
)
from local.emulation.transcribe.streaming_results import StreamFault
from local.emulation.transcribe.transcription_jobs import JobFault
from local.emulation.voice_qa_agent.agent_service import AnswerFault
from local.ffmpeg import run_ffmpeg
from tests.local.emulation.transcribe.stream_listener import RATE

RATES = (8000, 11025, 16000, 44100, 48000)
SENTENCES = st.lists(st.sampled_from([*WORDS, SENTENCE_END]), max_size=8)
"""Lists of words and sentence ends."""


def recognise(pcm: bytes, rate: int = RATE) -> list[SpokenWord | Pause]:
    recogniser = Recogniser(rate)
    return [*recogniser.feed(pcm), *recogniser.finish()]


def words(items: list[SpokenWord | Pause]) -> list[str]:
    """Return the recognised words without the pauses."""
    return [item.text for item in items if isinstance(item, SpokenWord)]


def test_the_vocabulary_has_no_duplicates_and_contains_the_words_that_cause_faults() -> None:
    assert len(WORDS) == len(set(WORDS))
    assert {*StreamFault, *JobFault, *AnswerFault} <= set(WORDS)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pitch", [None, *PITCHES])
def test_the_words_of_every_voice_are_recognised_at_every_sample_rate(rate: int, pitch: int | None) -> None:
    result = recognise(speech(WORDS, rate, pitch), rate)
    assert words(result) == list(WORDS)
    assert {item.pitch for item in result if isinstance(item, SpokenWord)} == {pitch}


def test_an_unknown_pitch_or_word_is_refused() -> None:
    with pytest.raises(ValueError, match="not the pitch of a voice"):
        speech(["hello"], RATE, 100)
    with pytest.raises(ValueError, match="vocabulary"):
        speech(["supercalifragilistic"], RATE)


@given(SENTENCES, st.integers(0, 700))
def test_words_are_recognised_after_any_number_of_silent_samples(sentences: list[str], silent_samples: int) -> None:
    audio = bytes(2 * silent_samples) + speech(sentences, 8000)
    assert words(recognise(audio, 8000)) == [word for word in sentences if word != SENTENCE_END]


@given(SENTENCES, st.integers(1, 5000))
def test_the_result_does_not_depend_on_the_size_of_the_audio_pieces(sentences: list[str], piece_bytes: int) -> None:
    audio = speech(sentences, 8000)
    recogniser = Recogniser(8000)
    pieces = [audio[start : start + piece_bytes] for start in range(0, len(audio), piece_bytes)]
    result = [item for piece in pieces for item in recogniser.feed(piece)]
    assert [*result, *recogniser.finish()] == recognise(audio, 8000)


def test_a_recognised_word_has_its_start_and_end_time() -> None:
    _, word = recognise(silence(1, RATE) + speech(["hello", "world"], RATE))
    assert isinstance(word, SpokenWord)
    assert word.start == pytest.approx(1.28, abs=0.021), "after a silence of 1 s, a word of 0.2 s, and a gap of 0.08 s"
    assert word.end - word.start == pytest.approx(WORD_SECONDS, abs=0.021)


def test_a_pause_is_reported_once_and_only_after_a_word() -> None:
    result = recognise(silence(2, RATE) + speech(["hello"], RATE) + silence(2, RATE) + speech(["world"], RATE))
    assert [type(item) for item in result] == [SpokenWord, Pause, SpokenWord]
    pause = result[1]
    assert isinstance(pause, Pause)
    assert pause.at == pytest.approx(2 + WORD_SECONDS + PAUSE_SECONDS, abs=0.041)


def test_a_full_stop_is_a_pause_and_a_gap_between_words_is_not() -> None:
    assert not [item for item in recognise(speech(WORDS, RATE)) if isinstance(item, Pause)]
    result = recognise(speech(["hello", SENTENCE_END, "world"], RATE))
    assert [type(item) for item in result] == [SpokenWord, Pause, SpokenWord]


@given(st.integers(0, 3200))
def test_a_word_that_is_divided_between_two_streams_is_recognised_at_most_once(samples: int) -> None:
    audio = speech(["hello"], RATE)
    assert len(words(recognise(audio[: 2 * samples])) + words(recognise(audio[2 * samples :]))) <= 1


def test_noise_is_neither_a_word_nor_a_pause() -> None:
    noise = random.Random(1).randbytes(2 * RATE)  # noqa: S311 - noise
    assert words(recognise(noise)) == []
    assert [type(item) for item in recognise(speech(["hello"], RATE) + noise)] == [SpokenWord]


VOICES = [None, *PITCHES]


@pytest.mark.media
@pytest.mark.parametrize(
    ("rate", "silent_samples", "output_rate"),
    [(16000, 0, 48000), (16000, 111, 16000), (24000, 37, 44100), (48000, 0, 16000), (48000, 111, 48000)],
)
def test_words_and_voices_are_recognised_after_opus_encoding_and_resampling(
    rate: int, silent_samples: int, output_rate: int
) -> None:
    pitches = [VOICES[index % len(VOICES)] for index in range(len(WORDS))]
    audio = b"".join(speech([word], rate, pitch) for word, pitch in zip(WORDS, pitches, strict=True))
    encoded = encode_audio(bytes(2 * silent_samples) + audio, rate, "ogg-opus")
    output = ("-f", "s16le", "-ar", str(output_rate), "-ac", "1", "pipe:1")
    result = recognise(run_ffmpeg("-f", "ogg", "-i", "pipe:0", *output, data=encoded), output_rate)
    assert words(result) == list(WORDS)
    assert [item.pitch for item in result if isinstance(item, SpokenWord)] == pitches
