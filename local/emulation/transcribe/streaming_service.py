"""Local Amazon Transcribe streaming, which recognises English speech.

Transcription's handlers connect to it in place of the real service. It uses the same protocol, and sends results while
audio arrives. It recognises speech in lines, which are about as long as a sentence. A line has partial versions while it
grows, and a final version. All streams share one model, which recognises one piece of audio at a time.

botocore decodes the frames of a client, so that mistakes of the handlers' own encoder are noticed. The signature of a
presigned URL is not verified, because the service does not know the client's secret key.
"""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from subprocess import DEVNULL, PIPE, Popen
from urllib.parse import parse_qsl, urlsplit

import imageio_ffmpeg
from botocore.eventstream import EventStreamBuffer
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websockets

from local import LOOPBACK
from local.audio_formats import DEMUXERS, RATE, SAMPLE_BYTES
from local.emulation.faults import Fault, Faults
from local.emulation.speech.languages import find_language_note
from local.emulation.speech.recognition import MIN_UPDATE_SECONDS, Recogniser, SpokenLine
from local.emulation.transcribe.streaming_results import StreamFailed, StreamResults

PATH = "/stream-transcription-websocket"
SILENCE_SECONDS = 15.0
"""Time after which a stream ends with an error if no audio event arrives."""
MAX_CHUNK_BYTES = 32 * 1024
"""Maximum size of the audio in one event."""
MAX_FRAME_BYTES = MAX_CHUNK_BYTES + 1024  # with the frame's headers
READ_BYTES = 64 * 1024
"""Maximum size of the samples that are read from ffmpeg at once."""
CLOSE_SECONDS = 1
"""Time limit for the client's answer when the server closes a connection."""
LOAD_FACTOR = 1.5
"""The next piece of audio lasts at least this multiple of the time in which the last piece was recognised. So on a busy
machine, streams get fewer results, but not later and later ones."""


@dataclass(frozen=True)
class StreamSettings:
    """Settings of one stream, from its URL."""

    language: str
    encoding: str
    """`pcm`, or a key of DEMUXERS."""
    sample_rate: int
    stabilised: bool
    """True if the results have a flag for each word that shows if later partial results can change it."""


def parse_settings(url: str) -> StreamSettings:
    query = dict(parse_qsl(urlsplit(url).query))
    stabilised = query.get("enable-partial-results-stabilization") == "true"
    return StreamSettings(query["language-code"], query["media-encoding"], int(query["sample-rate"]), stabilised)


@contextmanager
def serve(
    faults: Faults, *, silence_seconds: float = SILENCE_SECONDS, load_factor: float = LOAD_FACTOR
) -> Iterator[int]:
    """Serve while the `with` block runs, and yield the port. Each connection has its own thread.

    With `load_factor` zero, the results of a single stream do not depend on the speed of the machine.
    """

    def refuse_invalid(connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        if parts.path != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, "")
        is_signed = "X-Amz-Signature" in dict(parse_qsl(parts.query))
        return None if is_signed else connection.respond(HTTPStatus.FORBIDDEN, "")

    def serve_stream(connection: ServerConnection) -> None:
        # When this function returns, the server closes the connection normally.
        with contextlib.suppress(ConnectionClosed):
            try:
                settings = parse_settings(connection.request.path if connection.request else "")
                is_dropped = faults.take(Fault.STREAM_DROPPED)
                results = StreamResults(stabilised=settings.stabilised, new_id=lambda: str(uuid.uuid4()))
                chunks = _receive_audio(connection, silence_seconds)
                for line in _transcribe(chunks, settings, load_factor):
                    for frame in results.add(line):
                        connection.send(frame)
                        if is_dropped:  # the fault closes the connection after the first result
                            connection.close_socket()
                            return
            except StreamFailed as failed:
                connection.send(failed.frame)

    with serve_websockets(
        serve_stream,
        LOOPBACK,
        0,
        process_request=refuse_invalid,
        compression=None,
        ping_interval=None,
        close_timeout=CLOSE_SECONDS,
        max_size=MAX_FRAME_BYTES,
    ) as server:
        threading.Thread(target=server.serve_forever, name="transcribe-streams", daemon=True).start()
        yield server.socket.getsockname()[1]


def _transcribe(chunks: Iterator[bytes], settings: StreamSettings, load_factor: float) -> Iterator[SpokenLine]:
    """Yield the versions of the lines in the audio. For a language other than English, yield one line with a note."""
    is_ready = (settings.encoding, settings.sample_rate) == ("pcm", RATE)
    samples = chunks if is_ready else _decode_audio(chunks, settings)
    unsupported_language_note = find_language_note(settings.language)
    if unsupported_language_note is None:
        yield from _recognise(samples, load_factor)
    else:
        seconds = sum(map(len, samples)) / SAMPLE_BYTES / RATE
        yield SpokenLine(id=0, text=unsupported_language_note, start=0.0, end=seconds)


def _recognise(samples: Iterable[bytes], load_factor: float) -> Iterator[SpokenLine]:
    """Yield the versions of the lines in the samples.

    While another stream uses the model, audio waits and partial versions are skipped. So final versions of the other
    streams are not late on a busy machine.
    """
    with Recogniser() as recogniser:
        pending, piece_seconds = b"", MIN_UPDATE_SECONDS
        for received in samples:
            pending += received
            while len(pending) >= (size := SAMPLE_BYTES * round(piece_seconds * RATE)):
                started_at = time.monotonic()
                lines = recogniser.add_if_free(pending[:size])
                if lines is None:  # the next audio tries again, with all audio that waits
                    break
                yield from lines
                pending = pending[size:]
                piece_seconds = max(load_factor * (time.monotonic() - started_at), MIN_UPDATE_SECONDS)
        yield from recogniser.add(pending)
        yield from recogniser.finish()


def _receive_audio(connection: ServerConnection, silence_seconds: float) -> Iterator[bytes]:
    """Yield the audio of each event. An event without audio ends the stream."""
    while True:
        try:
            message = connection.recv(silence_seconds, decode=False)
        except TimeoutError:
            raise _bad_request(
                f"Your request timed out because no new audio was received for {silence_seconds:g} seconds."
            ) from None
        chunk = _parse_audio_event(message)
        if not chunk:
            return
        yield chunk


def _decode_audio(chunks: Iterator[bytes], settings: StreamSettings) -> Iterator[bytes]:
    """Yield samples as soon as ffmpeg has decoded them. Raise StreamFailed if the audio has another encoding."""
    raw = ("-f", "s16le", "-ar", str(settings.sample_rate), "-ac", "1")
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "quiet"),
        # With more threads, ffmpeg would return samples later.
        *("-threads", "1", *(raw if settings.encoding == "pcm" else ("-f", DEMUXERS[settings.encoding]))),
        *("-i", "pipe:0", "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-flush_packets", "1", "pipe:1"),
    ]
    failures: list[StreamFailed] = []
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, bufsize=0) as process:

        def feed() -> None:
            assert process.stdin is not None
            # ffmpeg closes its input early if it cannot read the audio. Its exit status is checked below.
            with contextlib.suppress(ConnectionClosed, OSError, ValueError), process.stdin as audio_input:
                try:
                    for chunk in chunks:
                        audio_input.write(chunk)
                except StreamFailed as failure:
                    failures.append(failure)

        threading.Thread(target=feed, name="transcribe-audio", daemon=True).start()
        try:
            while process.stdout is not None and (samples := process.stdout.read(READ_BYTES)):
                yield samples
            if failures:
                raise failures[0]
            if process.wait():
                raise _bad_request("The audio does not have the requested encoding.")
        finally:
            process.kill()


def _parse_audio_event(message: bytes) -> bytes:
    """Return the audio of an audio event. Raise StreamFailed for any other message."""
    try:
        buffer = EventStreamBuffer()
        buffer.add_data(message)
        [event] = list(buffer)
    except Exception:  # noqa: BLE001 - botocore's decoder raises exceptions of many types
        raise _bad_request("The message is not an event-stream frame.") from None
    headers = event.to_response_dict()["headers"]
    if (headers.get(":message-type"), headers.get(":event-type")) != ("event", "AudioEvent"):
        raise _bad_request("The message is not an audio event.")
    if len(event.payload) > MAX_CHUNK_BYTES:
        raise _bad_request("The audio event is too long.")
    return event.payload


def _bad_request(message: str) -> StreamFailed:
    return StreamFailed("BadRequestException", message)
