"""Files that the local agent can download, and questions about them."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

from handlers.voice_qa.query_worker.agent.agent_types import (
    AgentQuestion,
    Lecture,
    SpokenQuery,
    Turn,
    WrittenQuery,
    opaque_session_id,
)
from local.emulation.speech.tone_words import speech
from local.ffmpeg import pcm_input, run_ffmpeg
from local.http_server import serve_handler

RATE = 16000
ENCODINGS = {
    "mp3": ("-f", "mp3"),
    "mp4": ("-f", "mp4", "-movflags", "frag_keyframe+empty_moov"),
    "m4a": ("-f", "ipod", "-movflags", "frag_keyframe+empty_moov"),
    "wav": ("-f", "wav"),
    "flac": ("-f", "flac"),
    "ogg": ("-c:a", "libopus", "-b:a", "24k", "-f", "ogg"),
    "webm": ("-c:a", "libopus", "-b:a", "24k", "-f", "webm"),
}
LECTURE = (
    *("hello", "world", "this", "is", "a", "test", "."),
    *("we", "speak", "of", "the", "stream", "."),
    *("captions", "come", "back", "again", "."),
    *("this", "is", "the", "stream", "again"),
)


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@dataclass(frozen=True)
class Shelf:
    """HTTP server of files, in place of presigned S3 URLs."""

    folder: Path
    port: int

    def put(self, name: str, content: bytes) -> str:
        """Store a file, and return its URL."""
        (self.folder / name).write_bytes(content)
        return self.url(name)

    def url(self, name: str) -> str:
        """Return the URL of a file, which need not exist."""
        return f"http://127.0.0.1:{self.port}/{name}?X-Amz-Signature=canary"


@contextlib.contextmanager
def shelf(folder: Path) -> Iterator[Shelf]:
    """Serve a folder while the block runs."""
    with serve_handler(partial(_Silent, directory=str(folder))) as port:
        yield Shelf(folder, port)


def recorded(words: tuple[str, ...], audio_format: str = "ogg") -> bytes:
    """Return words as an audio file of a format."""
    return run_ffmpeg(*pcm_input(RATE), *ENCODINGS[audio_format], "pipe:1", data=speech(words, RATE))


def question(
    lecture_url: str,
    query: WrittenQuery | SpokenQuery,
    *,
    lecture_format: str = "ogg",
    query_id: str = "query",
    before: tuple[Turn, ...] = (),
) -> AgentQuestion:
    """Return a question about a lecture that lasts one minute."""
    lecture = Lecture("lecture", lecture_url, lecture_format, 60_000)
    return AgentQuestion(query_id, opaque_session_id("session"), lecture, query, before)
