"""Tests of the distinction of speakers by the pitch of their voices."""

from pathlib import Path

import moonshine_voice
import numpy as np
import pytest
from numpy.typing import NDArray

from local.audio_formats import RATE, decode_file
from local.emulation.speech.recognition import SpokenLine, recognise
from local.emulation.speech.speakers import label_speakers, measure_pitch


def voice(hertz: float, seconds: float = 0.5) -> NDArray[np.float32]:
    """Return a sound with the overtones of a voice."""
    times = np.arange(round(seconds * RATE)) / RATE
    sound: NDArray[np.float32] = 3000 * np.sum(
        [np.sin(2 * np.pi * hertz * times * n) / n for n in range(1, 12)], axis=0
    ).astype(np.float32)
    return sound


def label(*pitches: float, max_speakers: int = 10) -> list[int]:
    """Return the speakers of lines of half a second with voices of these pitches."""
    samples = np.concatenate([voice(pitch) for pitch in pitches]).astype("<i2").tobytes()
    lines = [SpokenLine(at, "x", at / 2, (at + 1) / 2) for at in range(len(pitches))]
    return label_speakers(lines, samples, max_speakers)


@pytest.mark.parametrize("hertz", [80, 120, 200, 330])
def test_the_pitch_of_a_voice_is_measured(hertz: float) -> None:
    assert measure_pitch(voice(hertz)) == pytest.approx(hertz, rel=0.03)
    assert measure_pitch(np.zeros(RATE, np.float32) + np.random.default_rng(1).normal(size=RATE).astype("f4")) == 0


def test_lines_of_similar_pitch_have_the_same_speaker() -> None:
    assert label(100, 180, 110, 170, 95, 190) == [0, 1, 0, 1, 0, 1]
    assert label(100, 180, 300, 100, max_speakers=2) == [0, 1, 1, 0]


@pytest.mark.media
def test_a_dialogue_of_two_actors_has_two_speakers() -> None:
    """The model's wheel contains a scene of a man and a woman, who speak in turn."""
    samples = decode_file(Path(moonshine_voice.__file__).parent / "assets" / "endgame_nagg_nell.wav", ["wav"])
    lines = recognise(samples)
    assert len(lines) == 14
    assert label_speakers(lines, samples, 10) == [0, 1] * 7
