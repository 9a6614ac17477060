"""Recordings of real sentences, made of short clips of speech. `clips/README.md` states the origin of the clips.

Two speakers, `a` and `b`, have voices of different pitch. Recordings are samples of 16 bits in one channel, or an
encoded file.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from local.audio_formats import decode_file, encode_audio, silence

FOLDER = Path(__file__).parent / "clips"
LEAD_SECONDS = 0.3
"""Silence before the first clip."""
PAUSE_SECONDS = 0.8
"""Silence after each clip. Speech recognition ends a line after a pause of half a second."""


@dataclass(frozen=True)
class Clip:
    """Recording of one spoken sentence."""

    name: str
    speaker: str
    """`a` for the low voice, or `b` for the high voice."""
    text: str

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.ogg"


def _read_clips() -> dict[str, Clip]:
    table = tomllib.loads((FOLDER / "clips.toml").read_text(encoding="utf-8"))
    return {name: Clip(name, **entry) for name, entry in table.items()}


CLIPS = _read_clips()


def join_clips(*names: str, pause_seconds: float = PAUSE_SECONDS) -> bytes:
    """Return samples in which the clips are spoken one after the other, with a pause after each."""
    parts = [part for name in names for part in (_read_samples(name), silence(pause_seconds))]
    return b"".join([silence(LEAD_SECONDS), *parts])


def encode_clips(encoding: str, *names: str) -> bytes:
    """Return a recording of the clips in an encoding of `audio_formats`, or as samples (`pcm`)."""
    return encode_audio(join_clips(*names), encoding)


def clip_texts(*names: str) -> list[str]:
    return [CLIPS[name].text for name in names]


@cache
def _read_samples(name: str) -> bytes:
    return decode_file(CLIPS[name].path, ["ogg"])
