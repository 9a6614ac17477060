"""Computes how loud some frequencies are in a frame, as their shares of the frame's energy. A frame is a short piece of
audio.

To measure one frequency, multiply the samples by a cosine wave and by a sine wave of this frequency, and add the
products of each wave. The sum of the two squared results is proportional to the energy at this frequency.

A loop over all frequencies would be slow in Python. Instead, one large integer contains the values of all waves at one
sample, in fields of 64 bits. If it is multiplied by the sample, every field is multiplied. If the products of all
samples are added, every field is added. So each sample takes only one multiplication and one addition, and the
calculation takes a quarter of the time of a loop.

The sum in a field can be negative, and would then change the next field. To prevent this, 2 ** 62 is added to every
field, and subtracted when the field is read. This is enough, because a frame has fewer than 1024 analysed samples of 16
bits. So the absolute value of a sum is less than 2 ** 55.
"""

import math
import sys
from array import array
from collections.abc import Sequence
from functools import lru_cache
from operator import mul

_UNIT = 1 << 30
"""Integer that represents 1 in the waves."""
_FIELD_BITS = 64
"""Width of a field. It is also the width of an item of `array("Q")`, which splits a large integer into its fields."""
_FIELD_OFFSET = 1 << 62
"""Number that is added to every field, so that its sum is positive."""


class ToneEnergy:
    """Calculation of the energy at some frequencies (in hertz), for frames of one length."""

    def __init__(self, frequencies: tuple[int, ...], frame_samples: int, step: int, sample_rate: int) -> None:
        """A frame has `frame_samples` samples, of which every `step`-th is analysed."""
        self._waves = _pack_waves(frequencies, frame_samples, step, sample_rate)
        self._field_count = 2 * len(frequencies)
        self._offsets = sum(_FIELD_OFFSET << _FIELD_BITS * number for number in range(self._field_count))

    def shares(self, samples: "array[int]", energy: int) -> list[float]:
        """Return the share of the energy at each frequency.

        `samples` are the analysed samples of a frame. `energy` is the sum of their squares.
        """
        packed_sums = sum(map(mul, samples, self._waves)) + self._offsets
        fields = array("Q", packed_sums.to_bytes(self._field_count * _FIELD_BITS // 8, sys.byteorder))
        if sys.byteorder == "big":
            fields.reverse()
        sums = [(field - _FIELD_OFFSET) / _UNIT for field in fields]
        # If n samples are one sine wave with amplitude a, their energy is n * a² / 2. The two squared sums then add up
        # to (n * a / 2)², which is energy * n / 2.
        full_share = energy * len(samples) / 2
        return [
            (cosine * cosine + sine * sine) / full_share for cosine, sine in zip(sums[::2], sums[1::2], strict=True)
        ]


@lru_cache(maxsize=16)
def _pack_waves(frequencies: tuple[int, ...], frame_samples: int, step: int, sample_rate: int) -> Sequence[int]:
    """Return one large integer for each analysed sample, with the cosine and sine of every frequency in its fields."""
    return tuple(
        sum(
            round(_UNIT * wave(math.tau * frequency * position / sample_rate)) << _FIELD_BITS * (2 * number + half)
            for number, frequency in enumerate(frequencies)
            for half, wave in enumerate((math.cos, math.sin))
        )
        for position in range(0, frame_samples, step)
    )
