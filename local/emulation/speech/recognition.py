"""Speech recognition of the local platform: the English model `tiny-en`, which the wheel of Moonshine Voice contains.

A recogniser gets audio in pieces, and returns lines, which are about as long as a sentence. The text of a line can
change with each piece until the line is complete, which is about half a second after its last word. The local Transcribe
and the agent of voice Q&A use it. Samples are 16-bit integers of one channel, `RATE` of them a second.

The model is loaded at the first use, which takes a quarter of a second. The library is not safe for concurrent calls,
so a lock lets only one recogniser work at a time.
"""

import math
import threading
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from moonshine_voice.moonshine_api import ModelArch, Transcript
from moonshine_voice.transcriber import Transcriber
from moonshine_voice.utils import get_assets_path
from numpy.typing import NDArray

from local.audio_formats import RATE, SAMPLE_BYTES

MIN_UPDATE_SECONDS = 0.3
"""Minimum length of a piece of audio after which the text of a line is computed again."""
PIECE_SECONDS = 10
"""Length of the pieces in which a whole recording is recognised, so that other recognisers get their turn in between."""
OPTIONS = {
    "return_audio_data": "false",
    # Less than the shortest piece, so that a piece does not seem too short because its length is rounded.
    "transcription_interval": str(MIN_UPDATE_SECONDS * 0.75),
    # With the default of 0.5, the first syllable of some sentences was cut off.
    "vad_threshold": "0.3",
}
"""Settings of the model. The voice activity detector (VAD) finds the lines."""
_FRAME = RATE // 50
"""Samples in which the loudness is measured: 20 ms."""
_SILENT_SHARE = 0.1
"""Loudness of a frame that counts as silence, as a share of the line's loudest frame."""
_lock = threading.Lock()


@dataclass(frozen=True)
class SpokenLine:
    """Recognised speech between two pauses."""

    id: int
    """Number of the line in its recording. A newer version of a line has the same number."""
    text: str
    start: float
    """Seconds from the beginning of the audio to the beginning of the line."""
    end: float
    is_complete: bool = True
    """True if the text will not change any more."""
    audio_seconds: float = 0.0
    """Length of the audio from which this version was computed."""

    @property
    def has_words(self) -> bool:
        """False if the model found only punctuation marks, for example in a noise."""
        return any(map(str.isalnum, self.text))


class Recogniser:
    """Recogniser of speech that arrives in pieces. It keeps all audio, to find the exact start and end of lines."""

    def __init__(self) -> None:
        self._audio = bytearray()
        self._lines: dict[int, SpokenLine] = {}
        with _lock:
            # The stream computes texts only when `_recognise` and `finish` ask for them.
            self._stream = _load_model().create_stream(update_interval=math.inf)
            self._stream.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with _lock:
            self._stream.close()

    @property
    def lines(self) -> list[SpokenLine]:
        """All lines with words, in the order of speech."""
        return [line for line in self._lines.values() if line.has_words]

    def add(self, samples: bytes) -> list[SpokenLine]:
        """Recognise a piece. Return the new versions, even with the same text, of lines that were not complete before."""
        with _lock:
            return self._recognise(samples)

    def add_if_free(self, samples: bytes) -> list[SpokenLine] | None:
        """Do the same as `add`, or return None at once if another recogniser is working."""
        if not _lock.acquire(blocking=False):
            return None
        try:
            return self._recognise(samples)
        finally:
            _lock.release()

    def _recognise(self, samples: bytes) -> list[SpokenLine]:
        self._audio += samples
        self._stream.add_audio(_to_floats(samples).tolist(), RATE)
        return self._update(self._stream.update_transcription())

    def finish(self) -> list[SpokenLine]:
        """Return the complete versions of the lines that were not complete before the end of the audio."""
        with _lock:
            transcript = self._stream.stop()
        if transcript is None:  # the library reports its exception only to listeners
            raise RuntimeError("The speech model failed.")
        return self._update(transcript)

    def _update(self, transcript: Transcript) -> list[SpokenLine]:
        """Store the new versions of the lines. Return those with words."""
        updated = []
        previous_end, seconds = 0.0, len(self._audio) / SAMPLE_BYTES / RATE
        for number, line in enumerate(transcript.lines):
            known = self._lines.get(number)
            if known is None or not known.is_complete:
                # A line begins with some audio from before its first word, so lines can overlap.
                start, end = max(line.start_time, previous_end), line.start_time + line.duration
                times = trim_silence(self._audio, start, end)
                self._lines[number] = SpokenLine(number, line.text.strip(), *times, line.is_complete, seconds)
                updated.append(self._lines[number])
            previous_end = self._lines[number].end
        return [line for line in updated if line.has_words]


def recognise(samples: bytes) -> list[SpokenLine]:
    """Return the lines of a whole recording."""
    with Recogniser() as recogniser:
        size = SAMPLE_BYTES * RATE * PIECE_SECONDS
        for start in range(0, len(samples), size):
            recogniser.add(samples[start : start + size])
        recogniser.finish()
        return recogniser.lines


def trim_silence(samples: bytes | bytearray, start: float, end: float) -> tuple[float, float]:
    """Return the start and end of the sound between two times in seconds, without the silence before and after it.

    Return the given times if there is no sound.
    """
    first = round(start * RATE)
    part = _to_floats(samples[SAMPLE_BYTES * first : SAMPLE_BYTES * round(end * RATE)])
    frames = part[: len(part) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not frames.any():
        return start, max(start, end)
    loudness = np.sqrt((frames**2).mean(axis=1))
    [loud] = np.nonzero(loudness > _SILENT_SHARE * loudness.max())
    return (first + int(loud[0]) * _FRAME) / RATE, (first + (int(loud[-1]) + 1) * _FRAME) / RATE


def _to_floats(samples: bytes | bytearray) -> NDArray[np.float32]:
    """Return samples as numbers from -1 to 1."""
    return np.frombuffer(bytes(samples), "<i2").astype(np.float32) / np.float32(32768)


@cache
def _load_model() -> Transcriber:
    return Transcriber(get_assets_path() / "tiny-en", ModelArch.TINY, options=OPTIONS)
