"""Tests of the share of a sound's energy that each tone has."""

import math
from array import array

import pytest

from local.emulation.speech.tone_energy import ToneEnergy

FREQUENCIES = (150, 450, 1450)
RATE = 8000
FRAME_SAMPLES = 160


def wave(frequency: int, amplitude: int) -> "array[int]":
    return array(
        "h",
        (round(amplitude * math.sin(math.tau * frequency * index / RATE + 1)) for index in range(FRAME_SAMPLES)),
    )


def shares(samples: "array[int]") -> list[float]:
    return ToneEnergy(FREQUENCIES, FRAME_SAMPLES, 1, RATE).shares(samples, sum(sample * sample for sample in samples))


def test_two_tones_share_the_energy_by_the_squares_of_their_amplitudes() -> None:
    samples = array("h", map(sum, zip(wave(150, 4000), wave(1450, 8000), strict=True)))
    assert shares(samples) == pytest.approx([0.2, 0, 0.8], abs=1e-3)


@pytest.mark.parametrize("sample", [-32768, 32767])
def test_the_largest_samples_cause_no_overflow(sample: int) -> None:
    assert shares(array("h", [sample] * FRAME_SAMPLES)) == pytest.approx([0, 0, 0], abs=1e-3)
