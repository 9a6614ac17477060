"""The local Transcribe in a thread, and helpers for the tests of it and of its client."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.credentials import Credentials

from handlers.transcription.audio_processor.transcribe_stream.stream_client import TranscribeStream
from handlers.transcription.transcribe_stream_urls import StreamRequest, presign_stream_url
from handlers.transcription.utterance_audio_validation import Encoding
from local.emulation.transcribe.streaming_service import SILENCE_SECONDS, serve
from tests.local.emulation.server_threads import TIMEOUT_SECONDS, serve_in_thread

RATE = 16000


@contextlib.contextmanager
def listening(silence_seconds: float = SILENCE_SECONDS) -> Iterator[str]:
    with serve_in_thread(serve(silence_seconds=silence_seconds), "transcribe") as port:
        yield f"ws://127.0.0.1:{port}"


def address(
    endpoint: str, encoding: Encoding = Encoding.PCM, *, stabilised: bool = True, language: str = "en-US"
) -> str:
    request = StreamRequest(language, RATE, encoding, stabilised=stabilised)
    return presign_stream_url(Credentials("key", "secret"), "eu-west-1", request, expires_seconds=60, endpoint=endpoint)


@dataclass(frozen=True)
class Result:
    """The parts of a result that tests check."""

    text: str
    partial: bool
    id: str
    stable: tuple[bool | None, ...]
    start: float
    end: float


def results(payload: bytes) -> list[Result]:
    return [result(item) for item in json.loads(payload)["Transcript"]["Results"]]


def result(item: dict[str, Any]) -> Result:
    [alternative] = item["Alternatives"]
    stable = tuple(item.get("Stable") for item in alternative["Items"])
    return Result(
        alternative["Transcript"], item["IsPartial"], item["ResultId"], stable, item["StartTime"], item["EndTime"]
    )


def rest(stream: TranscribeStream) -> list[Result]:
    actual: list[Result] = []
    while (payload := stream.receive(TIMEOUT_SECONDS)) is not None:
        actual += results(payload)
    assert stream.ended
    return actual


def finals(found: list[Result]) -> list[str]:
    return [item.text for item in found if not item.partial]
