"""Tones: every word is told from every other, at any rate, in pieces of any size, and after Opus."""

import random
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulation.speech.audio_files import encode_audio, run_ffmpeg
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
from tests.local.emulation.transcribe.stream_listener import RATE

RATES = (8000, 11025, 16000, 22050, 24000, 44100, 48000)
SAID = st.lists(st.sampled_from([*WORDS, SENTENCE_END]), max_size=8)


def heard(pcm: bytes, rate: int = RATE) -> list[SpokenWord | Pause]:
    recogniser = Recogniser(rate)
    return [*recogniser.feed(pcm), *recogniser.finish()]


def words(found: list[SpokenWord | Pause]) -> list[str]:
    return [one.text for one in found if isinstance(one, SpokenWord)]


def test_the_vocabulary_has_each_word_once_and_all_faults() -> None:
    assert 16 <= len(WORDS) == len(set(WORDS)) <= 36
    assert set(StreamFault) <= set(WORDS)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pitch", [None, *PITCHES])
def test_every_voice_is_told_from_every_other_at_every_rate(rate: int, pitch: int | None) -> None:
    found = heard(speech(WORDS, rate, pitch), rate)
    assert words(found) == list(WORDS)
    assert {one.pitch for one in found if isinstance(one, SpokenWord)} == {pitch}


def test_there_are_no_other_voices_and_no_other_words() -> None:
    with pytest.raises(ValueError, match="not the pitch of a voice"):
        speech(["hello"], RATE, 100)
    with pytest.raises(ValueError, match="vocabulary"):
        speech(["supercalifragilistic"], RATE)


@given(SAID, st.integers(0, 700))
def test_what_is_said_is_heard_wherever_it_begins(said: list[str], offset: int) -> None:
    assert words(heard(bytes(2 * offset) + speech(said, 8000), 8000)) == [one for one in said if one != SENTENCE_END]


@given(SAID, st.integers(1, 5000))
def test_pieces_make_no_difference(said: list[str], piece: int) -> None:
    audio = speech(said, 8000)
    recogniser = Recogniser(8000)
    found = [one for at in range(0, len(audio), piece) for one in recogniser.feed(audio[at : at + piece])]
    assert [*found, *recogniser.finish()] == heard(audio, 8000)


def test_a_word_has_its_time() -> None:
    _, word = heard(silence(1, RATE) + speech(["hello", "world"], RATE))
    assert isinstance(word, SpokenWord)
    assert word.start == pytest.approx(1.28, abs=0.021)
    assert word.end - word.start == pytest.approx(WORD_SECONDS, abs=0.021)


def test_a_pause_is_said_once_and_only_after_a_word() -> None:
    found = heard(silence(2, RATE) + speech(["hello"], RATE) + silence(2, RATE) + speech(["world"], RATE))
    assert [type(one) for one in found] == [SpokenWord, Pause, SpokenWord]
    pause = found[1]
    assert isinstance(pause, Pause)
    assert pause.at == pytest.approx(2 + WORD_SECONDS + PAUSE_SECONDS, abs=0.041)


def test_a_full_stop_is_a_pause_and_the_gap_between_words_is_none() -> None:
    assert not [one for one in heard(speech(WORDS, RATE)) if isinstance(one, Pause)]
    assert [type(one) for one in heard(speech(["hello", SENTENCE_END, "world"], RATE))] == [
        SpokenWord,
        Pause,
        SpokenWord,
    ]


@given(st.integers(0, 3200))
def test_a_word_that_is_cut_in_two_is_heard_once_at_most(cut: int) -> None:
    audio = speech(["hello"], RATE)
    assert len(words(heard(audio[: 2 * cut])) + words(heard(audio[2 * cut :]))) <= 1


def test_noise_is_neither_a_word_nor_a_pause() -> None:
    noise = random.Random(1).randbytes(2 * RATE)  # noqa: S311 - noise
    assert words(heard(noise)) == []
    assert [type(one) for one in heard(speech(["hello"], RATE) + noise)] == [SpokenWord]


@pytest.mark.media
def test_one_tone_alone_is_no_word() -> None:
    source = ("-f", "lavfi", "-i", "sine=450:duration=1")
    tone = run_ffmpeg(*source, "-f", "s16le", "-ar", str(RATE), "-ac", "1", "pipe:1")
    assert tone
    assert words(heard(tone)) == []


VOICES = [None, *PITCHES]
SAID_IN_OPUS = [word for word in WORDS for _ in range(1 + (word == "hello"))]


@cache
def in_opus(rate: int, offset: int) -> bytes:
    """All words in all voices; encoded once for all rates that they are heard at."""
    audio = b"".join(speech([word], rate, VOICES[at % len(VOICES)]) for at, word in enumerate(SAID_IN_OPUS))
    return encode_audio(bytes(2 * offset) + audio, rate, "ogg-opus")


@pytest.mark.media
@pytest.mark.parametrize("rate", [16000, 24000, 48000])
@pytest.mark.parametrize("offset", [0, 37, 111])
@pytest.mark.parametrize("out", [16000, 44100, 48000])
def test_words_and_voices_survive_opus_at_24_kbit_and_resampling(rate: int, offset: int, out: int) -> None:
    output = ("-f", "s16le", "-ar", str(out), "-ac", "1", "pipe:1")
    found = heard(run_ffmpeg("-f", "ogg", "-i", "pipe:0", *output, data=in_opus(rate, offset)), out)
    assert words(found) == SAID_IN_OPUS
    pitches = [one.pitch for one in found if isinstance(one, SpokenWord)]
    assert pitches == [VOICES[at % len(VOICES)] for at in range(len(SAID_IN_OPUS))]
