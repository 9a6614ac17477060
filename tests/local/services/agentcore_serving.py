"""The local agent in a thread of its own, audio that it can fetch, and questions about it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from subprocess import PIPE, run
from typing import Any

import imageio_ffmpeg

from handlers.voice_qa.agent import Lecture, Question, SpokenQuery, Turn, WrittenQuery, opaque
from local.http_server import running
from local.services.agentcore import PER_MINUTE, serve
from local.services.tones import speech
from tests.local.services.threads import served

RATE = 16000
ENCODINGS = {
    "mp3": ("-f", "mp3"),
    "mp4": ("-f", "mp4"),
    "m4a": ("-f", "ipod"),
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


@contextlib.contextmanager
def answering(per_minute: int = PER_MINUTE) -> Iterator[str]:
    """A local agent, and its endpoint."""
    with served(serve(per_minute=per_minute, word_seconds=0), "agent") as port:
        yield f"http://127.0.0.1:{port}"


@dataclass
class Shelf:
    """Files over HTTP, as presigned addresses lead to them."""

    files: dict[str, bytes] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    port: int = 0

    def put(self, name: str, content: bytes) -> str:
        """Its address."""
        self.files[f"/{name}"] = content
        return f"http://127.0.0.1:{self.port}/{name}?X-Amz-Signature=canary"

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What answers."""
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                shelf.fetched.append(path)
                content = shelf.files.get(path)
                self.send_response(403 if content is None or path in shelf.forbidden else 200)
                self.end_headers()
                self.wfile.write(content or b"expired")

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler


@contextlib.contextmanager
def shelf() -> Iterator[Shelf]:
    """A shelf that serves."""
    made = Shelf()
    with running(made.handler()) as made.port:
        yield made


def recorded(words: tuple[str, ...], audio_format: str = "ogg") -> bytes:
    """Words as a file of a format, made by a real ffmpeg."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "s16le", "-ar", str(RATE), "-ac", "1"]
    command += ["-i", "pipe:0", *ENCODINGS[audio_format]]
    if audio_format in {"mp4", "m4a"}:
        command += ["-movflags", "frag_keyframe+empty_moov"]
    return run([*command, "pipe:1"], input=speech(words, RATE), stdout=PIPE, check=True).stdout  # noqa: S603 - our own


def question(
    lecture_url: str,
    query: WrittenQuery | SpokenQuery,
    *,
    lecture_format: str = "ogg",
    query_id: str = "query",
    session: str = "session",
    before: tuple[Turn, ...] = (),
) -> Question:
    """A question about a lecture of a minute."""
    lecture = Lecture("lecture", lecture_url, lecture_format, 60_000)
    return Question(query_id, opaque(session), lecture, query, before)
