"""Tests of the streams of the local Transcribe, with the handlers' client and real speech."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from handlers.transcription.audio import Encoding
from handlers.transcription.audio_processor.stream import (
    StreamFailureCode,
    TranscribeStream,
    TranscribeStreamFailed,
    encode_frame,
)
from local.audio_formats import encode_audio, silence
from local.emulation.transcribe.streaming_service import MAX_CHUNK_BYTES
from local.flows.speech_clips import clip_texts, join_clips
from tests.local.emulation.fake_account import TIMEOUT_SECONDS
from tests.local.emulation.transcribe.stream_listener import (
    Result,
    final_texts,
    parse_results,
    presign_url,
    receive_to_end,
    serve_transcribe,
)

pytestmark = pytest.mark.media


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve_transcribe() as endpoint:
        yield endpoint


def open_stream(endpoint: str, encoding: Encoding = Encoding.PCM, **options: Any) -> TranscribeStream:
    return TranscribeStream.open(presign_url(endpoint, encoding, **options), TIMEOUT_SECONDS)


def send(stream: TranscribeStream, audio: bytes) -> None:
    """Send audio in chunks, because the service limits their size."""
    for start in range(0, len(audio), 8000):
        stream.send(audio[start : start + 8000])


def recognise(endpoint: str, samples: bytes, **options: Any) -> list[Result]:
    """Return the results of a stream with this speech."""
    with open_stream(endpoint, **options) as stream:
        send(stream, samples)
        stream.end()
        return receive_to_end(stream)


def receive_failure(stream: TranscribeStream) -> tuple[list[Result], StreamFailureCode]:
    """Return the results before a stream fails, and the code of the failure."""
    results: list[Result] = []
    try:
        while (payload := stream.receive(TIMEOUT_SECONDS)) is not None:
            results += parse_results(payload)
    except TranscribeStreamFailed as failure:
        return results, failure.code
    pytest.fail("the stream did not fail")


def test_partial_results_grow_and_keep_their_stable_items_until_a_final_result(endpoint: str) -> None:
    results = recognise(endpoint, join_clips("hello"))
    final = results[-1]
    assert final_texts(results) == clip_texts("hello")
    assert {result.id for result in results} == {final.id}
    assert len(results) > 3
    assert len(results[0].text.split()) < len(final.text.split())
    assert 0.2 < final.start < 0.6, "the silence before the first word is not part of the result"
    stable_contents = [result.stable_contents for result in results[:-1]]
    assert any(stable_contents), "a prefix is stable before the end"
    for earlier, later in itertools.pairwise(stable_contents):
        assert later[: len(earlier)] == earlier
    assert all(final.stable)


def test_compressed_audio_is_recognised_before_it_ends(endpoint: str) -> None:
    """The flow of transcription sends the other compressed encoding, Opus."""
    audio = encode_audio(join_clips("hello"), Encoding.FLAC)
    with open_stream(endpoint, Encoding.FLAC, stabilised=False) as stream:
        send(stream, audio[: 2 * len(audio) // 3])
        [first] = parse_results(stream.receive(TIMEOUT_SECONDS) or b"")
        assert set(first.stable) == {None}, "results without stabilisation have no flags"
        send(stream, audio[2 * len(audio) // 3 :])
        stream.end()
        assert final_texts(receive_to_end(stream)) == clip_texts("hello")


def test_audio_of_another_encoding_is_rejected(endpoint: str) -> None:
    with open_stream(endpoint, Encoding.FLAC) as stream:
        send(stream, join_clips("hear"))
        stream.end()
        assert receive_failure(stream) == ([], StreamFailureCode.REJECTED)


def test_speech_in_another_language_gets_a_note_in_place_of_its_text(endpoint: str) -> None:
    [result] = recognise(endpoint, silence(1), language="de-DE")
    assert not result.partial
    assert "understands English" in result.text
    assert "de-DE" in result.text


def test_a_stream_that_gets_no_audio_for_too_long_is_ended() -> None:
    with serve_transcribe(silence_seconds=0.05) as endpoint, open_stream(endpoint) as stream:
        assert receive_failure(stream) == ([], StreamFailureCode.REJECTED)


def test_an_unsigned_request_is_refused_at_the_handshake(endpoint: str) -> None:
    with pytest.raises(TranscribeStreamFailed) as failure:
        TranscribeStream.open(presign_url(endpoint).replace("X-Amz-Signature", "X-Amz-Other"), TIMEOUT_SECONDS)
    assert failure.value.code is StreamFailureCode.REFUSED


@pytest.mark.parametrize(
    "message",
    [
        "text",
        encode_frame({":message-type": "event", ":event-type": "AudioEvent"}, b"xy") * 2,
        encode_frame({":message-type": "event", ":event-type": "OtherEvent"}, b"xy"),
        encode_frame({":message-type": "event", ":event-type": "AudioEvent"}, bytes(MAX_CHUNK_BYTES + 2)),
    ],
    ids=["text", "two frames", "another event", "too much audio"],
)
def test_a_message_that_is_not_an_audio_event_is_rejected(endpoint: str, message: str | bytes) -> None:
    with open_stream(endpoint) as stream:
        stream._runner.run(stream._connection.send(message))
        assert receive_failure(stream) == ([], StreamFailureCode.REJECTED)
