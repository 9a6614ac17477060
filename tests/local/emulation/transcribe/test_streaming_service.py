"""Tests of the streams of the local Transcribe, with the handlers' client and real speech."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import moonshine_voice
import pytest

from handlers.transcription.audio import Encoding
from handlers.transcription.audio_processor.stream import (
    StreamFailureCode,
    TranscribeStream,
    TranscribeStreamFailed,
    encode_frame,
)
from local.audio_formats import decode_file, encode_audio, silence
from local.emulation.faults import Fault, Faults
from local.emulation.transcribe.streaming_service import MAX_CHUNK_BYTES
from local.flows.speech_clips import clip_texts, join_clips
from local.flows.word_errors import word_error_rate
from tests.local.emulation.server_threads import TIMEOUT_SECONDS
from tests.local.emulation.transcribe.stream_listener import (
    Result,
    final_texts,
    parse_results,
    presign_url,
    receive_to_end,
    serve_transcribe,
)

pytestmark = pytest.mark.media
TWO_SENTENCES = ("hello", "slowly")
FAULTS = Faults()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve_transcribe(FAULTS) as endpoint:
        yield endpoint


def open_stream(endpoint: str, encoding: Encoding = Encoding.PCM, **options: Any) -> TranscribeStream:
    return TranscribeStream.open(presign_url(endpoint, encoding, **options), TIMEOUT_SECONDS)


def recognise(endpoint: str, samples: bytes, encoding: Encoding = Encoding.PCM, **options: Any) -> list[Result]:
    """Return the results of a stream with this speech."""
    audio = encode_audio(samples, encoding)
    with open_stream(endpoint, encoding, **options) as stream:
        for start in range(0, len(audio), 8000):
            stream.send(audio[start : start + 8000])
        stream.end()
        return receive_to_end(stream)


def recognise_until_failure(endpoint: str, samples: bytes) -> tuple[list[Result], StreamFailureCode]:
    """Return the results before a stream fails, and the code of the failure."""
    results: list[Result] = []
    with open_stream(endpoint) as stream:
        stream.send(samples)
        try:
            while (payload := stream.receive(TIMEOUT_SECONDS)) is not None:
                results += parse_results(payload)
        except TranscribeStreamFailed as failure:
            return results, failure.code
    pytest.fail("the stream did not fail")


def assert_rejected(stream: TranscribeStream, code: StreamFailureCode = StreamFailureCode.REJECTED) -> None:
    """Check that the next message from the service reports this failure."""
    with pytest.raises(TranscribeStreamFailed) as failure:
        stream.receive(TIMEOUT_SECONDS)
    assert failure.value.code is code


def test_partial_results_grow_and_are_revised_until_a_final_result(endpoint: str) -> None:
    results = recognise(endpoint, join_clips(*TWO_SENTENCES))
    assert final_texts(results) == clip_texts(*TWO_SENTENCES)
    first, second = ([result for result in results if result.id == final.id] for final in results if not final.partial)
    for versions, clip in ((first, "hello"), (second, "slowly")):
        assert len(versions) > 3, clip
        assert [version.partial for version in versions] == [True] * (len(versions) - 1) + [False]
        assert len(versions[0].text.split()) < len(versions[-1].text.split()), clip
    assert 0.2 < first[-1].start < 0.6, "the silence before the first word is not part of the result"
    assert first[-1].end < second[-1].start < second[-1].end


def test_the_stable_items_of_partial_results_never_change_and_grow_in_number(endpoint: str) -> None:
    results = recognise(endpoint, join_clips("questions"))
    stable_texts = [result.stable_contents for result in results if result.partial]
    assert any(0 < len(result.stable_contents) < len(result.stable) for result in results), "a prefix is stable"
    for earlier, later in itertools.pairwise(stable_texts):
        assert later[: len(earlier)] == earlier
    assert all(results[-1].stable)


def test_results_without_stabilisation_have_no_flags(endpoint: str) -> None:
    results = recognise(endpoint, join_clips("hello"), stabilised=False)
    assert {flag for result in results for flag in result.stable} == {None}
    assert final_texts(results) == clip_texts("hello")


@pytest.mark.parametrize("seconds", [0.5, 4.0])
def test_no_word_is_invented_in_silence(endpoint: str, seconds: float) -> None:
    assert recognise(endpoint, silence(seconds)) == []
    assert final_texts(recognise(endpoint, silence(seconds) + join_clips("hear"))) == clip_texts("hear")


def test_speech_in_another_language_gets_a_note_in_place_of_its_text(endpoint: str) -> None:
    [result] = recognise(endpoint, join_clips("hello"), language="de-DE")
    assert not result.partial
    assert "understands English" in result.text
    assert "de-DE" in result.text


DICKENS = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it "
    "was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of "
    "Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing "
    "before us, we were all going direct to Heaven, we were all going direct the other way. In short, the period was "
    "so far like the present period, that some of its noisiest authorities insisted on its being received, for good "
    "or for evil, in the superlative degree of comparison only."
)
BECKETT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."


@pytest.mark.parametrize(("file", "text", "limit"), [("two_cities.wav", DICKENS, 0.1), ("beckett.wav", BECKETT, 0.2)])
def test_a_reader_is_understood(endpoint: str, file: str, text: str, limit: float) -> None:
    """The model's wheel contains these readings of Dickens and Beckett."""
    samples = decode_file(Path(moonshine_voice.__file__).parent / "assets" / file, ["wav"])
    recognised = " ".join(final_texts(recognise(endpoint, samples)))
    assert word_error_rate(text, recognised) <= limit, recognised


def test_each_of_two_concurrent_streams_gets_only_its_own_words(endpoint: str) -> None:
    with open_stream(endpoint) as first, open_stream(endpoint) as second:
        audio = [(first, join_clips("slowly")), (second, join_clips("hear"))]
        for part in (slice(None, 30_000), slice(30_000, None)):
            for stream, samples in audio:
                stream.send(samples[part])
        for stream, _ in audio:
            stream.end()
        assert [final_texts(receive_to_end(stream)) for stream, _ in audio] == [
            clip_texts("slowly"),
            clip_texts("hear"),
        ]


@pytest.mark.parametrize(("encoding", "piece_bytes"), [("pcm", 317), ("flac", 8000), ("ogg-opus", 317)])
def test_audio_of_every_encoding_is_recognised(endpoint: str, encoding: Encoding, piece_bytes: int) -> None:
    audio = encode_audio(join_clips(*TWO_SENTENCES), encoding)
    with open_stream(endpoint, encoding) as stream:
        for start in range(0, len(audio), piece_bytes):
            stream.send(audio[start : start + piece_bytes])
        stream.end()
        assert final_texts(receive_to_end(stream)) == clip_texts(*TWO_SENTENCES)


@pytest.mark.parametrize("encoding", ["flac", "ogg-opus"])
def test_compressed_audio_is_recognised_before_it_ends(endpoint: str, encoding: Encoding) -> None:
    audio = encode_audio(join_clips("hello", "slowly"), encoding)
    with open_stream(endpoint, encoding) as stream:
        stream.send(audio[: len(audio) // 2])
        assert len(parse_results(stream.receive(TIMEOUT_SECONDS) or b"")) == 1


@pytest.mark.parametrize("encoding", ["flac", "ogg-opus"])
def test_audio_of_another_encoding_is_rejected(endpoint: str, encoding: Encoding) -> None:
    with open_stream(endpoint, encoding) as stream:
        stream.send(join_clips("slowly"))
        stream.end()
        assert_rejected(stream)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.STREAM_THROTTLED, StreamFailureCode.THROTTLED),
        (Fault.STREAM_DROPPED, StreamFailureCode.BROKEN),
        (Fault.STREAM_MALFORMED, StreamFailureCode.BROKEN),
        (Fault.STREAM_BROKEN, StreamFailureCode.BROKEN),
    ],
)
def test_a_fault_ends_one_stream_after_its_first_result(endpoint: str, fault: Fault, code: StreamFailureCode) -> None:
    FAULTS.set(fault)
    results, failure_code = recognise_until_failure(endpoint, join_clips("hello"))
    assert len(results) == 1
    assert failure_code == code
    assert final_texts(recognise(endpoint, join_clips("hear"))) == clip_texts("hear"), "it happens only once"


def test_a_stream_that_gets_no_audio_for_too_long_is_ended() -> None:
    with serve_transcribe(FAULTS, silence_seconds=0.05) as endpoint, open_stream(endpoint) as stream:
        assert_rejected(stream, StreamFailureCode.BROKEN)


def test_an_invalid_parameter_is_rejected_in_the_stream(endpoint: str) -> None:
    with open_stream(endpoint, language="english") as stream:
        assert_rejected(stream)


def test_an_unsigned_request_is_refused_at_the_handshake(endpoint: str) -> None:
    with pytest.raises(TranscribeStreamFailed) as failure:
        TranscribeStream.open(presign_url(endpoint).replace("X-Amz-Signature", "X-Amz-Other"), TIMEOUT_SECONDS)
    assert failure.value.code is StreamFailureCode.REFUSED


@pytest.mark.parametrize(
    "message",
    [
        "text",
        b"no frame",
        encode_frame({":message-type": "event", ":event-type": "AudioEvent"}, b"xy") * 2,
        encode_frame({":message-type": "event", ":event-type": "OtherEvent"}, b"xy"),
        encode_frame({":message-type": "event", ":event-type": "AudioEvent"}, bytes(MAX_CHUNK_BYTES + 2)),
    ],
    ids=["text", "no frame", "two frames", "another event", "too much audio"],
)
def test_a_message_that_is_not_an_audio_event_is_rejected(endpoint: str, message: str | bytes) -> None:
    with open_stream(endpoint) as stream:
        stream._runner.run(stream._connection.send(message))
        assert_rejected(stream)


def test_the_service_continues_after_a_client_has_disconnected(endpoint: str) -> None:
    stream = open_stream(endpoint)
    stream.send(join_clips("slowly"))
    stream._connection.transport.abort()
    stream.close()
    assert final_texts(recognise(endpoint, join_clips("hear"))) == clip_texts("hear")
