"""Test of the calculation of each tone's share of a sound's energy."""

import math
from array import array

import pytest

from local.emulation.speech.tone_energy import ToneEnergy

FREQUENCIES = (150, 450, 1450)
RATE = 8000
FRAME_SAMPLES = 160


@pytest.mark.parametrize("sign", [1, -1])
def test_the_loudest_possible_tone_causes_no_overflow(sign: int) -> None:
    wave = [math.cos(math.tau * 150 * index / RATE) for index in range(FRAME_SAMPLES)]
    samples = array("h", [32767 if sign * value > 0 else -32768 for value in wave])
    energy = sum(sample * sample for sample in samples)
    share, *_ = ToneEnergy(FREQUENCIES, FRAME_SAMPLES, step=1, sample_rate=RATE).shares(samples, energy)
    assert share == pytest.approx(8 / math.pi**2, abs=0.01), "this is the share of a square wave's base frequency"
