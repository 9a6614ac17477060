"""Test of the calculation of the shares of a sound's energy that each tone has."""

from array import array

import pytest

from local.emulation.speech.tone_energy import ToneEnergy

FREQUENCIES = (150, 450, 1450)
RATE = 8000
FRAME_SAMPLES = 160


@pytest.mark.parametrize("sample", [-32768, 32767])
def test_the_largest_samples_cause_no_overflow(sample: int) -> None:
    samples = array("h", [sample] * FRAME_SAMPLES)
    shares = ToneEnergy(FREQUENCIES, FRAME_SAMPLES, 1, RATE).shares(samples, FRAME_SAMPLES * sample**2)
    assert shares == pytest.approx([0, 0, 0], abs=1e-3)
