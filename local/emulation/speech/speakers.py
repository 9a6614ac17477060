"""Labels the speakers of a recording by the pitch of their voices.

The local Transcribe uses it for recordings. It is much simpler than the speaker recognition of Amazon Transcribe: it
distinguishes a low and a high voice, but not two voices of similar pitch. Each recognised line has one speaker.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from local.audio_formats import RATE
from local.emulation.speech.recognition import SpokenLine

SAME_VOICE_RATIO = 1.25
"""Maximum ratio of a line's pitch to the mean pitch of its speaker. The pitch of one voice varies by about 20 %."""
_FRAME, _STEP = RATE // 25, RATE // 50
"""Length and distance of the frames in which the pitch is measured: 40 ms and 20 ms."""
_SHORTEST_PERIOD, _LONGEST_PERIOD = RATE // 400, RATE // 70
"""Periods of the highest and the lowest voice (400 and 70 Hz), in samples."""
_MIN_LOUDNESS = 0.5
"""Minimum loudness of a measured frame, as a share of the line's."""
_PERIOD_SHARE = 0.9
"""Minimum autocorrelation of a period, as a share of the frame's highest."""
_UNKNOWN_PITCH = 150.0
"""Assumed pitch in hertz of a first line without a voice."""
_MIN_PERIODICITY = 0.5
"""Minimum autocorrelation of a frame with a voice. Consonants such as `s` have less."""


def label_speakers(lines: Sequence[SpokenLine], samples: bytes, max_speakers: int) -> list[int]:
    """Return the speaker of each line, numbered from 0 in the order of their first lines.

    If there are more than `max_speakers` voices, a line gets the speaker with the most similar voice. A line without a
    voice, for example a whisper, gets the speaker of the line before.
    """
    audio = np.frombuffer(samples, "<i2").astype(np.float32)
    # Logarithms of the pitches of each speaker's lines. A difference of logarithms is a ratio of pitches.
    voices: list[list[float]] = []
    labels: list[int] = []
    for line in lines:
        pitch = measure_pitch(audio[round(line.start * RATE) : round(line.end * RATE)])
        if pitch == 0 and labels:
            labels.append(labels[-1])
            continue
        log_pitch = math.log(pitch or _UNKNOWN_PITCH)
        distances = [abs(log_pitch - sum(voice) / len(voice)) for voice in voices]
        label = min(range(len(voices)), key=distances.__getitem__, default=0)
        is_new = not voices or distances[label] > math.log(SAME_VOICE_RATIO)
        if is_new and len(voices) < max_speakers:
            label = len(voices)
            voices.append([])
        voices[label].append(log_pitch)
        labels.append(label)
    return labels


def measure_pitch(audio: NDArray[np.float32]) -> float:
    """Return the median pitch of a voice in hertz, or 0 if no voice is found.

    The period of a frame, the inverse of its pitch, is the delay with the highest autocorrelation. Quiet frames are left
    out.
    """
    if len(audio) < _FRAME:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(audio, _FRAME)[::_STEP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    energy = (frames**2).sum(axis=1)
    frames = frames[energy > _MIN_LOUDNESS**2 * energy.mean()]
    # The inverse transform of the power spectrum is the autocorrelation, by delay in samples.
    spectrum = np.fft.rfft(frames, 2 * _FRAME)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, : _LONGEST_PERIOD + 1]
    # Divided by the value at delay zero. A longer delay compares fewer samples, which the last factor balances.
    correlation = correlation / correlation[:, :1] * (_FRAME / (_FRAME - np.arange(_LONGEST_PERIOD + 1)))
    correlation = correlation[:, _SHORTEST_PERIOD:]
    # Two or more periods correlate as well as one, so the shortest delay counts. The first candidate is on the rising side
    # of its peak, so the highest correlation within half a period after it is the peak.
    candidates = correlation >= _PERIOD_SHARE * correlation.max(axis=1, keepdims=True)
    positions = np.arange(correlation.shape[1])
    first = candidates.argmax(axis=1)[:, np.newaxis]
    peaks = np.where(positions <= first + _SHORTEST_PERIOD // 2, correlation, 0).argmax(axis=1)
    voiced = correlation[np.arange(len(peaks)), peaks] > _MIN_PERIODICITY
    return float(np.median(RATE / (_SHORTEST_PERIOD + peaks[voiced]))) if voiced.any() else 0.0
