"""Audio that is somewhere near, and the words in it.

It decides where audio may be fetched from (this machine alone) and how much of it. A real ffmpeg decodes it, told what
format to expect, so that no file is anything else than what it was said to be. What was heard is kept for the next
time.
"""

import hashlib
import http.client
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from urllib.parse import urlsplit

import imageio_ffmpeg

from local.services.tones import Pause, Recogniser, Word

HOSTS = frozenset(["127.0.0.1", "localhost", "::1"])
DEMUXERS = {
    "mp3": "mp3",
    "mp4": "mov",
    "m4a": "mov",
    "wav": "wav",
    "flac": "flac",
    "ogg": "ogg",
    "ogg-opus": "ogg",
    "webm": "matroska",
}
MAX_BYTES = 256 * 1024 * 1024
RATE = 8000
FETCH_SECONDS = 10
READ_BYTES = 64 * 1024
REMEMBERED = 16

Heard = tuple[Word | Pause, ...]


class Unheard(Exception):
    """The audio cannot be fetched, or is not what it was said to be."""


class Ears:
    """Hears recordings; the same one only once."""

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[bytes, str], Heard] = OrderedDict()

    def hear(self, url: str, audio_format: str) -> Heard:
        """The words and pauses of a recording. Blocks; may be called by several threads."""
        if audio_format not in DEMUXERS:
            raise Unheard
        with tempfile.TemporaryDirectory() as folder:
            audio = Path(folder, "audio")
            known = (_fetch(url, audio), audio_format)
            heard = self._heard.get(known)
            if heard is None:
                heard = self._heard[known] = tuple(_words(audio, DEMUXERS[audio_format]))
                if len(self._heard) > REMEMBERED:
                    self._heard.popitem(last=False)
        return heard


def _fetch(url: str, audio: Path) -> bytes:
    """Saves what is there, and gives its digest."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in HOSTS:
        raise Unheard
    digest, size = hashlib.sha256(), 0
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        with closing(http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=FETCH_SECONDS)) as connection:
            connection.request("GET", target)
            response = connection.getresponse()
            with response, audio.open("wb") as file:
                while response.status == http.HTTPStatus.OK and (data := response.read(READ_BYTES)):
                    size += len(data)
                    if size > MAX_BYTES:
                        raise Unheard
                    digest.update(data)
                    file.write(data)
    except (OSError, http.client.HTTPException):
        raise Unheard from None
    if not size:
        raise Unheard
    return digest.digest()


def _words(audio: Path, demuxer: str) -> Iterator[Word | Pause]:
    recogniser = Recogniser(RATE)
    with _decoding(audio, demuxer) as process:
        if process.stdout is not None:
            while samples := process.stdout.read(READ_BYTES):
                yield from recogniser.feed(samples)
        if process.wait():
            raise Unheard
    yield from recogniser.finish()


@contextmanager
def _decoding(audio: Path, demuxer: str) -> Iterator["Popen[bytes]"]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "quiet", "-nostdin", "-threads", "1"]
    # Only this file: some containers name others.
    command += ["-protocol_whitelist", "file", "-f", demuxer, "-i", str(audio), "-map", "0:a:0"]
    command += ["-protocol_whitelist", "pipe", "-f", "s16le", "-ac", "1", "-ar", str(RATE), "pipe:1"]
    with Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
