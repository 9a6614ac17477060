"""Artificial speech of the local platform, which is recognised without a speech model.

Each word of a small vocabulary is a pair of tones, like a key of a telephone. A third, lower tone can be added as the
voice, whose pitch identifies the speaker. This module turns words into audio samples, and recognises words and pauses
in samples. The tones are far enough apart to survive Opus at 24 kbit/s and any sample rate from 8 kHz.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from operator import add, mul

from local.emulation.speech.tone_energy import ToneEnergy

LOW = (450, 600, 750, 900, 1050, 1200)
HIGH = (1450, 1650, 1850, 2050, 2250, 2450)
"""Frequencies in hertz. A word has one tone of each tuple. Multiples of 50 Hz can be distinguished in a frame of 20 ms.
None is the second harmonic of another, except 900 and 1200."""
PITCHES = (150, 200, 250, 300, 350)
"""Frequencies of voices in hertz. Words can also have no voice."""
WORDS = (
    *("hello", "world", "this", "is", "a", "live", "test", "of", "the", "stream", "we", "speak"),
    *("in", "tones", "and", "captions", "come", "back", "good", "day", "please", "thank", "you", "again"),
    *("send", "report", "budget", "monday", "agree"),
    *("throttled", "dropped", "malformed", "unflagged", "repeating", "endless", "broken"),
)
"""Vocabulary. For tests, each word of the last line makes some local service fail."""
SENTENCE_END = "."
TONES_ONLY = "The local platform understands no voices: it recognises only tones that represent words."
"""Note that `make samples` prints for users."""

WORD_SECONDS = 0.2
GAP_SECONDS = 0.08
"""Silence after each word."""
SENTENCE_GAP_SECONDS = 0.4
"""Silence for a full stop."""
PAUSE_SECONDS = 0.3
"""Silence that is recognised as a pause."""
FRAME_SECONDS = 0.02
"""Length of the pieces (frames) in which audio is analysed."""
MIN_WORD_FRAMES = 6
"""Minimum number of frames of a recognised word. It is more than half of a whole word. So a word that is cut in two is
recognised at most once."""
ANALYSED_RATE = 8000
"""Lowest sample rate in hertz. If the rate of some audio is n times as high, only every n-th sample is analysed."""

_AMPLITUDE = 0.3 * 32767
"""Amplitude of each tone of a word, as a sample's value."""
_RAMP_SECONDS = 0.01
"""Time in which the amplitude rises at the start of a word and falls at its end."""
_MAX_SILENCE = 150.0
"""A frame is silent up to this root mean square of its samples."""
_MIN_TONE_SHARE = 0.6
"""Minimum share of a frame's energy in the two tones together. Each of them needs at least a quarter of this value."""
_VOICE_AMPLITUDE = 0.4
"""Amplitude of the voice relative to a tone of a word."""
_MIN_VOICE_SHARE = 0.03
"""Minimum share of a frame's energy that a voice has. In speech from this module, it is more than twice as much."""

_FREQUENCIES = (*LOW, *HIGH, *PITCHES)

_PAIRS = dict(zip(WORDS, ((low, high) for low in LOW for high in HIGH), strict=True))
_WORD_OF = {pair: word for word, pair in _PAIRS.items()}


@dataclass(frozen=True)
class SpokenWord:
    """A recognised word with its start and end, in seconds since the beginning of the audio."""

    text: str
    start: float
    end: float
    pitch: int | None = None
    """Frequency of the speaker's voice, or None for a word without a voice."""


@dataclass(frozen=True)
class Pause:
    """Silence after a word that lasts `PAUSE_SECONDS` or longer."""

    at: float
    """Time in the audio at which the silence has lasted `PAUSE_SECONDS`, in seconds."""


def speech(words: Iterable[str], sample_rate: int, pitch: int | None = None) -> bytes:
    """Return words as audio: one channel of 16-bit little-endian samples. The word `.` becomes a silence, which ends
    the sentence.
    """
    if pitch is not None and pitch not in PITCHES:
        raise ValueError(f"{pitch} is not the pitch of a voice; allowed are {PITCHES}")
    return b"".join(
        silence(SENTENCE_GAP_SECONDS, sample_rate)
        if word == SENTENCE_END
        else _tones(*_pair(word), pitch, sample_rate) + silence(GAP_SECONDS, sample_rate)
        for word in words
    )


def silence(seconds: float, sample_rate: int) -> bytes:
    return bytes(2 * round(seconds * sample_rate))


class Recogniser:
    """Recogniser of words and pauses in audio of one channel, which can arrive in pieces of any length."""

    def __init__(self, sample_rate: int) -> None:
        self._frame_samples = round(sample_rate * FRAME_SECONDS)
        self._step = max(1, sample_rate // ANALYSED_RATE)
        self._rate = sample_rate
        self._tone_energy = ToneEnergy(_FREQUENCIES, self._frame_samples, self._step, sample_rate)
        self._incomplete_frame = b""
        """Audio after the last complete frame."""
        self._frame_count = 0
        self._word: str | None = None
        """Word whose tones the latest frame contains, or None."""
        self._pitches: Counter[int | None] = Counter()
        """Number of the current word's frames by pitch."""
        self._run_frames = 0
        """Number of consecutive frames up to the latest one with the same `_word`."""
        self._silent_frames = 0
        """Number of silent frames since the last sound."""
        self._has_spoken = False
        """True if a word was recognised since the last pause."""

    def feed(self, pcm: bytes) -> Iterator[SpokenWord | Pause]:
        """Yield the words and pauses that this piece completes."""
        data = self._incomplete_frame + pcm
        frame_bytes = 2 * self._frame_samples
        complete_bytes = len(data) // frame_bytes * frame_bytes
        self._incomplete_frame = data[complete_bytes:]
        for start in range(0, complete_bytes, frame_bytes):
            yield from self._recognise_frame(data[start : start + frame_bytes])

    def finish(self) -> Iterator[SpokenWord]:
        """Yield the word that the end of the audio completes."""
        yield from self._complete_word()
        self._word, self._run_frames = None, 0

    def _recognise_frame(self, frame: bytes) -> Iterator[SpokenWord | Pause]:
        samples = array("h", frame)[:: self._step]
        energy = sum(map(mul, samples, samples))
        is_silent = math.sqrt(energy / len(samples)) <= _MAX_SILENCE
        shares = [] if is_silent else self._tone_energy.shares(samples, energy)
        word = None if is_silent else _find_word(shares)
        if word != self._word:
            yield from self._complete_word()
            self._word, self._run_frames = word, 0
            self._pitches.clear()
        if word is not None:
            self._pitches[_find_pitch(shares)] += 1
        self._run_frames += 1
        self._frame_count += 1
        self._silent_frames = self._silent_frames + 1 if is_silent else 0
        if self._has_spoken and self._silent_frames * FRAME_SECONDS >= PAUSE_SECONDS:
            self._has_spoken = False
            yield Pause(self._seconds(self._frame_count))

    def _complete_word(self) -> Iterator[SpokenWord]:
        if self._word is not None and self._run_frames >= MIN_WORD_FRAMES:
            self._has_spoken = True
            [(pitch, _)] = self._pitches.most_common(1)
            yield SpokenWord(
                self._word, self._seconds(self._frame_count - self._run_frames), self._seconds(self._frame_count), pitch
            )

    def _seconds(self, frames: int) -> float:
        return round(frames * self._frame_samples / self._rate, 3)


def _find_word(shares: Sequence[float]) -> str | None:
    low, high = (max(part, key=shares.__getitem__) for part in (range(6), range(6, 12)))
    if shares[low] + shares[high] < _MIN_TONE_SHARE or min(shares[low], shares[high]) < _MIN_TONE_SHARE / 4:
        return None
    return _WORD_OF.get((LOW[low], HIGH[high - 6]))


def _find_pitch(shares: Sequence[float]) -> int | None:
    voices = shares[-len(PITCHES) :]
    loudest = max(range(len(PITCHES)), key=voices.__getitem__)
    return PITCHES[loudest] if voices[loudest] >= _MIN_VOICE_SHARE else None


def _pair(word: str) -> tuple[int, int]:
    if word not in _PAIRS:
        raise ValueError(f"{word} is not a word of the vocabulary")
    return _PAIRS[word]


@lru_cache(maxsize=1024)
def _tones(low: int, high: int, pitch: int | None, sample_rate: int) -> bytes:
    sounds = map(add, _sine(low, 0, sample_rate), _sine(high, 1, sample_rate))
    if pitch is not None:
        sounds = map(add, sounds, map(mul, repeat(_VOICE_AMPLITUDE), _sine(pitch, 2, sample_rate)))
    return array("h", map(round, map(mul, _slopes(sample_rate), sounds))).tobytes()


@lru_cache(maxsize=16)
def _slopes(sample_rate: int) -> list[float]:
    """Return the amplitude of a word over time. A sudden start or end would be a click, which has all frequencies."""
    count, ramp = round(WORD_SECONDS * sample_rate), round(_RAMP_SECONDS * sample_rate)
    return [_AMPLITUDE * min(1.0, (at + 1) / ramp, (count - at) / ramp) for at in range(count)]


@lru_cache(maxsize=256)
def _sine(frequency: int, phase: int, sample_rate: int) -> list[float]:
    """Return a sine wave of a word's length. It is cached, because its calculation takes most of the time."""
    return [
        math.sin(math.tau * at / sample_rate * frequency + phase) for at in range(round(WORD_SECONDS * sample_rate))
    ]
