"""Tests of tone words: recognition of each word at any sample rate, in pieces of any size, and after Opus encoding."""

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
from local.ffmpeg import run_ffmpeg
from tests.local.emulation.transcribe.stream_listener import RATE

RATES = (8000, 11025, 16000, 44100, 48000)
SAID = st.lists(st.sampled_from([*WORDS, SENTENCE_END]), max_size=8)


def recognise(pcm: bytes, rate: int = RATE) -> list[SpokenWord | Pause]:
    recogniser = Recogniser(rate)
    return [*recogniser.feed(pcm), *recogniser.finish()]


def words(found: list[SpokenWord | Pause]) -> list[str]:
    return [item.text for item in found if isinstance(item, SpokenWord)]


def test_the_vocabulary_has_each_word_once_and_all_faults() -> None:
    assert 16 <= len(WORDS) == len(set(WORDS)) <= 36
    assert set(StreamFault) <= set(WORDS)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pitch", [None, *PITCHES])
def test_every_voice_is_distinguished_from_all_others_at_every_sample_rate(rate: int, pitch: int | None) -> None:
    result = recognise(speech(WORDS, rate, pitch), rate)
    assert words(result) == list(WORDS)
    assert {item.pitch for item in result if isinstance(item, SpokenWord)} == {pitch}


def test_an_unknown_pitch_or_word_is_refused() -> None:
    with pytest.raises(ValueError, match="not the pitch of a voice"):
        speech(["hello"], RATE, 100)
    with pytest.raises(ValueError, match="vocabulary"):
        speech(["supercalifragilistic"], RATE)


@given(SAID, st.integers(0, 700))
def test_words_are_recognised_at_any_offset(said: list[str], offset: int) -> None:
    assert words(recognise(bytes(2 * offset) + speech(said, 8000), 8000)) == [
        item for item in said if item != SENTENCE_END
    ]


@given(SAID, st.integers(1, 5000))
def test_the_size_of_the_pieces_does_not_matter(said: list[str], piece: int) -> None:
    audio = speech(said, 8000)
    recogniser = Recogniser(8000)
    result = [item for at in range(0, len(audio), piece) for item in recogniser.feed(audio[at : at + piece])]
    assert [*result, *recogniser.finish()] == recognise(audio, 8000)


def test_a_word_has_its_start_and_end() -> None:
    _, word = recognise(silence(1, RATE) + speech(["hello", "world"], RATE))
    assert isinstance(word, SpokenWord)
    assert word.start == pytest.approx(1.28, abs=0.021)
    assert word.end - word.start == pytest.approx(WORD_SECONDS, abs=0.021)


def test_a_pause_is_reported_once_and_only_after_a_word() -> None:
    result = recognise(silence(2, RATE) + speech(["hello"], RATE) + silence(2, RATE) + speech(["world"], RATE))
    assert [type(item) for item in result] == [SpokenWord, Pause, SpokenWord]
    pause = result[1]
    assert isinstance(pause, Pause)
    assert pause.at == pytest.approx(2 + WORD_SECONDS + PAUSE_SECONDS, abs=0.041)


def test_a_full_stop_is_a_pause_and_a_gap_between_words_is_not() -> None:
    assert not [item for item in recognise(speech(WORDS, RATE)) if isinstance(item, Pause)]
    assert [type(item) for item in recognise(speech(["hello", SENTENCE_END, "world"], RATE))] == [
        SpokenWord,
        Pause,
        SpokenWord,
    ]


@given(st.integers(0, 3200))
def test_a_word_that_is_cut_in_two_is_recognised_at_most_once(cut: int) -> None:
    audio = speech(["hello"], RATE)
    assert len(words(recognise(audio[: 2 * cut])) + words(recognise(audio[2 * cut :]))) <= 1


def test_noise_is_neither_a_word_nor_a_pause() -> None:
    noise = random.Random(1).randbytes(2 * RATE)  # noqa: S311 - noise
    assert words(recognise(noise)) == []
    assert [type(item) for item in recognise(speech(["hello"], RATE) + noise)] == [SpokenWord]


@pytest.mark.media
def test_a_single_tone_is_not_a_word() -> None:
    source = ("-f", "lavfi", "-i", "sine=450:duration=1")
    tone = run_ffmpeg(*source, "-f", "s16le", "-ar", str(RATE), "-ac", "1", "pipe:1")
    assert tone
    assert words(recognise(tone)) == []


VOICES = [None, *PITCHES]
SAID_IN_OPUS = [word for word in WORDS for _ in range(1 + (word == "hello"))]


def in_opus(rate: int, offset: int) -> bytes:
    """Return all words in all voices."""
    audio = b"".join(speech([word], rate, VOICES[at % len(VOICES)]) for at, word in enumerate(SAID_IN_OPUS))
    return encode_audio(bytes(2 * offset) + audio, rate, "ogg-opus")


@pytest.mark.media
@pytest.mark.parametrize(
    ("rate", "offset", "out"),
    [(16000, 0, 48000), (16000, 111, 16000), (24000, 37, 44100), (48000, 0, 16000), (48000, 111, 48000)],
)
def test_words_and_voices_survive_opus_at_24_kbit_and_resampling(rate: int, offset: int, out: int) -> None:
    output = ("-f", "s16le", "-ar", str(out), "-ac", "1", "pipe:1")
    result = recognise(run_ffmpeg("-f", "ogg", "-i", "pipe:0", *output, data=in_opus(rate, offset)), out)
    assert words(result) == SAID_IN_OPUS
    pitches = [item.pitch for item in result if isinstance(item, SpokenWord)]
    assert pitches == [VOICES[at % len(VOICES)] for at in range(len(SAID_IN_OPUS))]
