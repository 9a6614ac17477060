"""Tests of the local Transcribe with the handlers' client: results in every encoding, and every fault."""

from collections.abc import Iterator

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
from tests.local.emulation.transcribe.stream_listener import RATE, Result, address, finals, listening, rest, results

SENTENCE = ("hello", "world", "this", "is", "a", "live", "test")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with listening() as endpoint:
        yield endpoint


def recognise(endpoint: str, *words: str, stabilised: bool = True) -> list[Result]:
    with TranscribeStream.open(address(endpoint, stabilised=stabilised), TIMEOUT_SECONDS) as stream:
        stream.send(speech(words, RATE))
        stream.end()
        return rest(stream)


def failure(endpoint: str, *words: str, stabilised: bool = True) -> tuple[list[Result], StreamFailureCode]:
    result: list[Result] = []
    with TranscribeStream.open(address(endpoint, stabilised=stabilised), TIMEOUT_SECONDS) as stream:
        stream.send(speech(words, RATE))
        try:
            while (payload := stream.receive(TIMEOUT_SECONDS)) is not None:
                result += results(payload)
        except TranscribeStreamFailed as failed:
            return result, failed.code
    pytest.fail("the stream did not fail")


def test_a_result_grows_and_becomes_final(endpoint: str) -> None:
    actual = recognise(endpoint, "we", "speak", "in", "tones", SENTENCE_END, "good", "day")
    assert [result.text for result in actual] == [
        *("We", "We speak", "We speak in", "We speak in tones", "We speak in tones."),
        *("Good", "Good day", "Good day."),
    ]
    assert [result.partial for result in actual] == [True] * 4 + [False] + [True] * 2 + [False]
    assert len({result.id for result in actual[:5]}) == len({result.id for result in actual[5:]}) == 1
    assert actual[0].id != actual[5].id
    assert actual[4].start < 0.05
    assert actual[4].end == pytest.approx(1.04, abs=0.05)
    assert actual[7].start == pytest.approx(1.52, abs=0.05)


def test_older_words_are_stable_and_the_newest_is_not(endpoint: str) -> None:
    *growing, final = recognise(endpoint, *SENTENCE)
    assert [result.stable for result in growing] == [(True,) * at + (False,) for at in range(len(SENTENCE))]
    assert final.stable == (True,) * (len(SENTENCE) + 1)


def test_results_arrive_while_audio_is_still_being_sent(endpoint: str) -> None:
    with TranscribeStream.open(address(endpoint), TIMEOUT_SECONDS) as stream:
        stream.send(speech(["hello", "world", SENTENCE_END], RATE))
        actual = [result for _ in range(3) for result in results(stream.receive(TIMEOUT_SECONDS) or b"")]
        assert [result.text for result in actual] == ["Hello", "Hello world", "Hello world."]
        assert stream.receive(0) is None
        assert not stream.ended
        stream.send(speech(["again"], RATE))
        stream.end()
        assert finals(rest(stream)) == ["Again."]


def test_concurrent_streams_do_not_mix_their_audio(endpoint: str) -> None:
    with (
        TranscribeStream.open(address(endpoint), TIMEOUT_SECONDS) as first,
        TranscribeStream.open(address(endpoint), TIMEOUT_SECONDS) as second,
    ):
        # Each stream pauses within its second word. Its first result shows that the service has read the audio so far.
        audio = [(first, speech(["hello", "world"], RATE)), (second, speech(["good", "day"], RATE))]
        for stream, samples in audio:
            stream.send(samples[: len(samples) * 3 // 4])
            assert len(results(stream.receive(TIMEOUT_SECONDS) or b"")) == 1
        for stream, samples in audio:
            stream.send(samples[len(samples) * 3 // 4 :])
        for stream, _ in audio:
            stream.end()
        assert [[result.text for result in rest(stream)] for stream, _ in audio] == [
            ["Hello world", "Hello world."],
            ["Good day", "Good day."],
        ]


@pytest.mark.media
@pytest.mark.parametrize("encoding", ["pcm", "flac", "ogg-opus"])
@pytest.mark.parametrize("piece", [317, 8000])
def test_every_encoding_is_recognised(endpoint: str, encoding: Encoding, piece: int) -> None:
    audio = encode_audio(speech([*SENTENCE, SENTENCE_END, "captions", "come", "back"], RATE), RATE, encoding)
    with TranscribeStream.open(address(endpoint, encoding), TIMEOUT_SECONDS) as stream:
        for start in range(0, len(audio), piece):
            stream.send(audio[start : start + piece])
        stream.end()
        assert finals(rest(stream)) == ["Hello world this is a live test.", "Captions come back."]


@pytest.mark.media
@pytest.mark.parametrize("encoding", ["flac", "ogg-opus"])
def test_compressed_audio_is_recognised_before_it_ends(endpoint: str, encoding: Encoding) -> None:
    audio = encode_audio(speech([*SENTENCE, *SENTENCE, *SENTENCE], RATE), RATE, encoding)
    with TranscribeStream.open(address(endpoint, encoding), TIMEOUT_SECONDS) as stream:
        stream.send(audio[: len(audio) // 2])
        assert [result.text for result in results(stream.receive(TIMEOUT_SECONDS) or b"")] == ["Hello"]


@pytest.mark.media
@pytest.mark.parametrize("encoding", ["flac", "ogg-opus"])
def test_audio_of_another_encoding_is_rejected(endpoint: str, encoding: Encoding) -> None:
    with TranscribeStream.open(address(endpoint, encoding), TIMEOUT_SECONDS) as stream:
        stream.send(speech(SENTENCE, RATE))
        stream.end()
        with pytest.raises(TranscribeStreamFailed) as failed:
            stream.receive(TIMEOUT_SECONDS)
        assert failed.value.code is StreamFailureCode.BAD_REQUEST


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (StreamFault.THROTTLED, StreamFailureCode.THROTTLED),
        (StreamFault.DROPPED, StreamFailureCode.DROPPED),
        (StreamFault.MALFORMED, StreamFailureCode.MALFORMED),
        (StreamFault.BROKEN, StreamFailureCode.INTERNAL),
    ],
)
def test_a_fault_ends_the_stream_at_its_word(endpoint: str, fault: StreamFault, code: StreamFailureCode) -> None:
    actual, failed = failure(endpoint, "hello", "world", fault, "again", "again")
    assert [result.text for result in actual] == ["Hello", "Hello world"]
    assert failed == code
    if fault is StreamFault.BROKEN:
        assert failure(endpoint, "hello", fault, stabilised=False)[1] == code


@pytest.mark.parametrize("fault", sorted(set(StreamFault) - {StreamFault.BROKEN}))
def test_without_stabilisation_a_fault_is_a_word_like_any_other(endpoint: str, fault: StreamFault) -> None:
    actual = recognise(endpoint, "hello", fault, "world", stabilised=False)
    assert finals(actual) == [f"Hello {fault} world."]
    assert {flag for result in actual for flag in result.stable} == {None}


def test_stable_flags_are_missing_after_the_fault_word(endpoint: str) -> None:
    actual = recognise(endpoint, "hello", "world", "unflagged", "again", SENTENCE_END, "good", "day")
    assert [result.stable for result in actual[:2]] == [(False,), (True, False)]
    assert {flag for result in actual[2:] for flag in result.stable} == {None}
    assert finals(actual) == ["Hello world unflagged again.", "Good day."]


def test_a_final_result_is_sent_twice_with_different_words(endpoint: str) -> None:
    actual = recognise(endpoint, "hello", "repeating", "world", SENTENCE_END, "good", "day")
    assert finals(actual) == ["Hello repeating world.", "Well, hello repeating world.", "Good day."]
    first, second, other = (result for result in actual if not result.partial)
    assert (first.id, first.start, first.end) == (second.id, second.start, second.end)
    assert other.id != first.id


def test_one_sentence_has_no_final_result_and_the_next_has_one(endpoint: str) -> None:
    actual = recognise(endpoint, "hello", "endless", "world", SENTENCE_END, "good", "day")
    assert "Hello endless world" in [result.text for result in actual if result.partial]
    assert finals(actual) == ["Good day."]
    assert finals(recognise(endpoint, "hello", "endless")) == []


def test_too_long_without_audio_is_a_timeout() -> None:
    with (
        listening(silence_seconds=0.05) as endpoint,
        TranscribeStream.open(address(endpoint), TIMEOUT_SECONDS) as stream,
    ):
        with pytest.raises(TranscribeStreamFailed) as failed:
            stream.receive(TIMEOUT_SECONDS)
        assert failed.value.code is StreamFailureCode.SILENT


def test_a_request_that_cannot_be_served_is_rejected_and_an_unsigned_one_is_refused(endpoint: str) -> None:
    with TranscribeStream.open(address(endpoint, language="english"), TIMEOUT_SECONDS) as stream:
        with pytest.raises(TranscribeStreamFailed) as failed:
            stream.receive(TIMEOUT_SECONDS)
        assert failed.value.code is StreamFailureCode.BAD_REQUEST
    with pytest.raises(TranscribeStreamFailed) as failed:
        TranscribeStream.open(address(endpoint).replace("X-Amz-Signature", "X-Amz-Other"), TIMEOUT_SECONDS)
    assert failed.value.code is StreamFailureCode.ACCESS_DENIED


@pytest.mark.parametrize(
    "message",
    [
        "text",
        b"no frame",
        encode_frame({":message-type": "event", ":event-type": "AudioEvent"}, b"xy") * 2,
        encode_frame({":message-type": "event", ":event-type": "OtherEvent"}, b"xy"),
        encode_frame({":message-type": "event", ":event-type": "AudioEvent"}, bytes(MAX_CHUNK_BYTES + 2)),
    ],
    ids=["text", "noise", "two", "other", "long"],
)
def test_a_message_that_is_not_an_audio_event_is_rejected(endpoint: str, message: str | bytes) -> None:
    with TranscribeStream.open(address(endpoint), TIMEOUT_SECONDS) as stream:
        _say(stream, message)
        with pytest.raises(TranscribeStreamFailed) as failed:
            stream.receive(TIMEOUT_SECONDS)
        assert failed.value.code is StreamFailureCode.BAD_REQUEST


def _say(stream: TranscribeStream, message: str | bytes) -> None:
    """Send messages that the handlers' client never sends."""
    if isinstance(message, str):
        stream._connection._protocol.send_text(message.encode())
    else:
        stream._connection.send(message)


def test_the_service_continues_after_a_client_has_disconnected(endpoint: str) -> None:
    stream = TranscribeStream.open(address(endpoint), TIMEOUT_SECONDS)
    stream.send(speech(["hello"], RATE))
    stream._connection._socket.close()
    stream.close()
    assert finals(recognise(endpoint, "hello")) == ["Hello."]
