"""The local Transcribe in a thread of its own, and what tests of it and of its client share."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.credentials import Credentials

from handlers.transcription.audio_processor.transcribe_stream.stream_client import TranscribeStream
from handlers.transcription.stream_signing import Encoding, StreamRequest, presign_stream_url
from local.emulation.transcribe.streaming_service import SILENCE_SECONDS, serve
from tests.local.emulation.server_threads import PATIENCE, served

RATE = 16000


@contextlib.contextmanager
def listening(silence_seconds: float = SILENCE_SECONDS) -> Iterator[str]:
    """A local Transcribe, and its endpoint."""
    with served(serve(silence_seconds=silence_seconds), "transcribe") as port:
        yield f"ws://127.0.0.1:{port}"


def address(endpoint: str, encoding: Encoding = "pcm", *, stabilised: bool = True, language: str = "en-US") -> str:
    """A signed address of a stream there."""
    request = StreamRequest(language, RATE, encoding, stabilised=stabilised)
    return presign_stream_url(Credentials("key", "secret"), "eu-west-1", request, expires_seconds=60, endpoint=endpoint)


@dataclass(frozen=True)
class Result:
    """One result, as a test looks at it."""

    text: str
    partial: bool
    id: str
    stable: tuple[bool | None, ...]
    start: float
    end: float


def results(payload: bytes) -> list[Result]:
    """The results of an event's payload."""
    return [result(one) for one in json.loads(payload)["Transcript"]["Results"]]


def result(one: dict[str, Any]) -> Result:
    """A result of an event."""
    [alternative] = one["Alternatives"]
    stable = tuple(item.get("Stable") for item in alternative["Items"])
    return Result(
        alternative["Transcript"], one["IsPartial"], one["ResultId"], stable, one["StartTime"], one["EndTime"]
    )


def rest(stream: TranscribeStream) -> list[Result]:
    """All results until the stream has ended."""
    found: list[Result] = []
    while (payload := stream.receive(PATIENCE)) is not None:
        found += results(payload)
    assert stream.ended
    return found


def finals(found: list[Result]) -> list[str]:
    """What is final of it."""
    return [one.text for one in found if not one.partial]
