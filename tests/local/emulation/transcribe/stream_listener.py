"""Harness for tests with the local Transcribe: the service in a thread, presigned URLs, and parsed results."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.credentials import Credentials

from handlers.transcription.audio import Encoding
from handlers.transcription.audio_processor.stream import StreamRequest, TranscribeStream, presign_stream_url
from local.emulation.faults import Faults
from local.emulation.transcribe.streaming_service import SILENCE_SECONDS, serve
from tests.local.emulation.fake_account import TIMEOUT_SECONDS

RATE = 16000


@contextlib.contextmanager
def serve_transcribe(*, silence_seconds: float = SILENCE_SECONDS) -> Iterator[str]:
    """Run the service while the block runs, and yield the endpoint of its WebSocket."""
    with serve(Faults(), silence_seconds=silence_seconds, load_factor=0) as port:
        yield f"ws://127.0.0.1:{port}"


def presign_url(
    endpoint: str, encoding: Encoding = Encoding.PCM, *, stabilised: bool = True, language: str = "en-US"
) -> str:
    """Return the URL of a stream, as the handlers presign it."""
    request = StreamRequest(language, RATE, encoding, stabilised=stabilised)
    return presign_stream_url(Credentials("key", "secret"), "eu-west-1", request, endpoint)


@dataclass(frozen=True)
class Result:
    """The parts of a result that tests check."""

    text: str
    partial: bool
    id: str
    stable: tuple[bool | None, ...]
    """Stability flag of each word and punctuation mark, or None if it has no flag."""
    stable_contents: tuple[str, ...]
    """Words and punctuation marks that are flagged as stable."""
    start: float
    end: float

    @classmethod
    def parse(cls, result: dict[str, Any]) -> "Result":
        [alternative] = result["Alternatives"]
        stable = tuple(item.get("Stable") for item in alternative["Items"])
        contents = tuple(item["Content"] for item in alternative["Items"] if item.get("Stable"))
        times = result["StartTime"], result["EndTime"]
        return cls(alternative["Transcript"], result["IsPartial"], result["ResultId"], stable, contents, *times)


def parse_results(payload: bytes) -> list[Result]:
    return [Result.parse(result) for result in json.loads(payload)["Transcript"]["Results"]]


def receive_to_end(stream: TranscribeStream) -> list[Result]:
    """Return the results that a stream sends until its end."""
    results: list[Result] = []
    while (payload := stream.receive(TIMEOUT_SECONDS)) is not None:
        results += parse_results(payload)
    assert stream.ended
    return results


def final_texts(results: list[Result]) -> list[str]:
    return [result.text for result in results if not result.partial]
