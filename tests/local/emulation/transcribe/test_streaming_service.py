"""Tests of the streams of the local Transcribe, with the handlers' client.

The local Transcribe recognises words that are coded as tones. Some words, for example `throttled`, cause a fault.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from handlers.transcription.audio_processor.transcribe_stream.event_stream_frames import encode_frame
from handlers.transcription.audio_processor.transcribe_stream.stream_client import (
    StreamFailureCode,
    TranscribeStream,
    TranscribeStreamFailed,
)
from handlers.transcription.utterance_audio_validation import Encoding
from local.emulation.speech.audio_encoding_and_recognition import encode_audio
from local.emulation.speech.tone_words import SENTENCE_END, speech
from local.emulation.transcribe.streaming_results import StreamFault
from local.emulation.transcribe.streaming_service import MAX_CHUNK_BYTES
from tests.local.emulation.server_threads import TIMEOUT_SECONDS
from tests.local.emulation.transcribe.stream_listener import (
    RATE,
    Result,
    final_texts,
    parse_results,
    presign_url,
    receive_to_end,
    serve_transcribe,
)

SENTENCE = ("hello", "world", "this", "is", "a", "live", "test")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve_transcribe() as endpoint:
        yield endpoint


def open_stream(endpoint: str, encoding: Encoding = Encoding.PCM, **options: Any) -> TranscribeStream:
    return TranscribeStream.open(presign_url(endpoint, encoding, **options), TIMEOUT_SECONDS)


def recognise(endpoint: str, *words: str, stabilised: bool = True) -> list[Result]:
    """Return the results of a stream in which these words are spoken."""
    with open_stream(endpoint, stabilised=stabilised) as stream:
        stream.send(speech(words, RATE))
        stream.end()
        return receive_to_end(stream)


def recognise_until_failure(
    endpoint: str, *words: str, stabilised: bool = True
) -> tuple[list[Result], StreamFailureCode]:
    """Return the results before a stream fails, and the code of the failure."""
    results: list[Result] = []
    with open_stream(endpoint, stabilised=stabilised) as stream:
        stream.send(speech(words, RATE))
        try:
            while (payload := stream.receive(TIMEOUT_SECONDS)) is not None:
                results += parse_results(payload)
        except TranscribeStreamFailed as failure:
            return results, failure.code
    pytest.fail("the stream did not fail")


def assert_rejected(stream: TranscribeStream, code: StreamFailureCode = StreamFailureCode.BAD_REQUEST) -> None:
    """Check that the next message from the service reports this failure."""
    with pytest.raises(TranscribeStreamFailed) as failure:
        stream.receive(TIMEOUT_SECONDS)
    assert failure.value.code is code


def test_partial_results_grow_until_the_sentence_ends_with_a_final_result(endpoint: str) -> None:
    results = recognise(endpoint, "we", "speak", "in", "tones", SENTENCE_END, "good", "day")
    assert [result.text for result in results] == [
        *("We", "We speak", "We speak in", "We speak in tones", "We speak in tones."),
        *("Good", "Good day", "Good day."),
    ]
    assert [result.partial for result in results] == [True] * 4 + [False] + [True] * 2 + [False]
    first_sentence, second_sentence = results[:5], results[5:]
    assert len({result.id for result in first_sentence}) == len({result.id for result in second_sentence}) == 1
    assert first_sentence[0].id != second_sentence[0].id
    assert first_sentence[-1].start < 0.05
    assert first_sentence[-1].end == pytest.approx(1.04, abs=0.05), "four words of 0.2 s with gaps of 0.08 s"
    assert second_sentence[-1].start == pytest.approx(1.52, abs=0.05), "a full stop adds 0.4 s to a gap"


def test_all_words_of_a_partial_result_but_the_newest_are_stable(endpoint: str) -> None:
    *partials, final = recognise(endpoint, *SENTENCE)
    assert [result.stable for result in partials] == [(True,) * count + (False,) for count in range(len(SENTENCE))]
    assert final.stable == (True,) * (len(SENTENCE) + 1)


def test_each_of_two_concurrent_streams_gets_only_its_own_words(endpoint: str) -> None:
    with open_stream(endpoint) as first, open_stream(endpoint) as second:
        # Each stream pauses within its second word. Its first result shows that the service has read the audio so far.
        audio = [(first, speech(["hello", "world"], RATE)), (second, speech(["good", "day"], RATE))]
        for stream, samples in audio:
            stream.send(samples[: len(samples) * 3 // 4])
            assert len(parse_results(stream.receive(TIMEOUT_SECONDS) or b"")) == 1
        for stream, samples in audio:
            stream.send(samples[len(samples) * 3 // 4 :])
        for stream, _ in audio:
            stream.end()
        assert [[result.text for result in receive_to_end(stream)] for stream, _ in audio] == [
            ["Hello world", "Hello world."],
            ["Good day", "Good day."],
        ]


@pytest.mark.media
@pytest.mark.parametrize("encoding", ["pcm", "flac", "ogg-opus"])
@pytest.mark.parametrize("piece_bytes", [317, 8000])
def test_audio_of_every_encoding_is_recognised(endpoint: str, encoding: Encoding, piece_bytes: int) -> None:
    audio = encode_audio(speech([*SENTENCE, SENTENCE_END, "captions", "come", "back"], RATE), RATE, encoding)
    with open_stream(endpoint, encoding) as stream:
        for start in range(0, len(audio), piece_bytes):
            stream.send(audio[start : start + piece_bytes])
        stream.end()
        assert final_texts(receive_to_end(stream)) == ["Hello world this is a live test.", "Captions come back."]


@pytest.mark.media
@pytest.mark.parametrize("encoding", ["flac", "ogg-opus"])
def test_compressed_audio_is_recognised_before_it_ends(endpoint: str, encoding: Encoding) -> None:
    audio = encode_audio(speech([*SENTENCE, *SENTENCE, *SENTENCE], RATE), RATE, encoding)
    with open_stream(endpoint, encoding) as stream:
        stream.send(audio[: len(audio) // 2])
        assert [result.text for result in parse_results(stream.receive(TIMEOUT_SECONDS) or b"")] == ["Hello"]


@pytest.mark.media
@pytest.mark.parametrize("encoding", ["flac", "ogg-opus"])
def test_audio_of_another_encoding_is_rejected(endpoint: str, encoding: Encoding) -> None:
    with open_stream(endpoint, encoding) as stream:
        stream.send(speech(SENTENCE, RATE))
        stream.end()
        assert_rejected(stream)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (StreamFault.THROTTLED, StreamFailureCode.THROTTLED),
        (StreamFault.DROPPED, StreamFailureCode.DROPPED),
        (StreamFault.MALFORMED, StreamFailureCode.MALFORMED),
        (StreamFault.BROKEN, StreamFailureCode.INTERNAL),
    ],
)
def test_a_fault_word_ends_the_stream(endpoint: str, fault: StreamFault, code: StreamFailureCode) -> None:
    results, failure_code = recognise_until_failure(endpoint, "hello", "world", fault, "again", "again")
    assert [result.text for result in results] == ["Hello", "Hello world"]
    assert failure_code == code


def test_only_the_word_broken_ends_a_stream_without_stabilisation(endpoint: str) -> None:
    words = ["hello", *sorted(set(StreamFault) - {StreamFault.BROKEN})]
    results = recognise(endpoint, *words, stabilised=False)
    assert final_texts(results) == [" ".join(words).capitalize() + "."]
    assert {flag for result in results for flag in result.stable} == {None}
    _, code = recognise_until_failure(endpoint, "hello", StreamFault.BROKEN, stabilised=False)
    assert code == StreamFailureCode.INTERNAL


def test_results_have_no_stability_flags_from_the_word_unflagged_on(endpoint: str) -> None:
    results = recognise(endpoint, "hello", "world", "unflagged", "again", SENTENCE_END, "good", "day")
    assert [result.stable for result in results[:2]] == [(False,), (True, False)]
    assert {flag for result in results[2:] for flag in result.stable} == {None}
    assert final_texts(results) == ["Hello world unflagged again.", "Good day."]


def test_the_final_result_with_the_word_repeating_is_sent_twice_with_different_words(endpoint: str) -> None:
    results = recognise(endpoint, "hello", "repeating", "world", SENTENCE_END, "good", "day")
    assert final_texts(results) == ["Hello repeating world.", "Well, hello repeating world.", "Good day."]
    first, second, next_sentence = (result for result in results if not result.partial)
    assert (first.id, first.start, first.end) == (second.id, second.start, second.end)
    assert next_sentence.id != first.id


def test_a_sentence_with_the_word_endless_has_no_final_result(endpoint: str) -> None:
    results = recognise(endpoint, "hello", "endless", "world", SENTENCE_END, "good", "day")
    assert "Hello endless world" in [result.text for result in results if result.partial]
    assert final_texts(results) == ["Good day."]
    assert final_texts(recognise(endpoint, "hello", "endless")) == []


def test_a_stream_that_gets_no_audio_for_too_long_is_ended() -> None:
    with serve_transcribe(silence_seconds=0.05) as endpoint, open_stream(endpoint) as stream:
        assert_rejected(stream, StreamFailureCode.SILENT)


def test_an_invalid_parameter_is_rejected_in_the_stream(endpoint: str) -> None:
    with open_stream(endpoint, language="english") as stream:
        assert_rejected(stream)


def test_an_unsigned_request_is_refused_at_the_handshake(endpoint: str) -> None:
    with pytest.raises(TranscribeStreamFailed) as failure:
        TranscribeStream.open(presign_url(endpoint).replace("X-Amz-Signature", "X-Amz-Other"), TIMEOUT_SECONDS)
    assert failure.value.code is StreamFailureCode.ACCESS_DENIED


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
        if isinstance(message, str):
            stream._connection._protocol.send_text(message.encode())
        else:
            stream._connection.send(message)
        assert_rejected(stream)


def test_the_service_continues_after_a_client_has_disconnected(endpoint: str) -> None:
    stream = open_stream(endpoint)
    stream.send(speech(["hello"], RATE))
    stream._connection._socket.close()
    stream.close()
    assert final_texts(recognise(endpoint, "hello")) == ["Hello."]
