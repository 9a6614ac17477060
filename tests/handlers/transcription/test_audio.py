"""Tests of the audio of an utterance: a few seconds of speech in one message, divided into chunks of 100 ms."""

import base64
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.audio import (
    CHUNK_MS,
    CODER_PADDING_SECONDS,
    MAX_BYTES,
    MAX_SECONDS,
    BadAudio,
    Encoding,
    check_utterance,
)
from handlers.transcription.messages import SampleRate
from tests.handlers.transcription.recordings import flac, opus, recording

PCM, FLAC, OGG_OPUS = Encoding.PCM, Encoding.FLAC, Encoding.OGG_OPUS
SAMPLE_RATES = st.sampled_from(get_args(SampleRate))


def refusal(audio: bytes, encoding: Encoding = PCM, sample_rate: int = 16_000) -> str:
    with pytest.raises(BadAudio) as raised:
        check_utterance(audio, encoding, sample_rate)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None, "no exception of a parser is logged"
    return str(raised.value)


@pytest.mark.media
@pytest.mark.parametrize(("codec", "encoding", "rate"), [("opus", OGG_OPUS, 48_000), ("flac", FLAC, 8_000)])
def test_a_real_utterance_is_accepted_and_divided_into_chunks(codec: str, encoding: Encoding, rate: int) -> None:
    audio = recording(codec, rate=rate, seconds=0.95)
    utterance = check_utterance(audio, encoding, rate)
    assert utterance.duration_ms == 950
    assert len(utterance.chunks) == 10
    assert b"".join(utterance.chunks) == audio


def test_the_error_names_the_format_that_was_sent() -> None:
    starts = [
        *((b"\x1a\x45\xdf\xa3", "wrap the Opus packets in Ogg"), (b"\0\0\0\x18ftypM4A ", "MP4"), (b"ID3\4", "MP3")),
        (b"RIFF\0\0\0\0WAVE", "without the header"),
    ]
    for start, name in starts:
        for encoding in Encoding:
            assert name in refusal(start + bytes(4_000), encoding)
    assert "This begins like ogg-opus" in refusal(opus(48_000), FLAC)
    assert "This begins like flac" in refusal(flac(16_000), PCM)
    assert "This does not begin like ogg-opus" in refusal(bytes(4_000), OGG_OPUS)


@given(
    st.sampled_from([b"", b"fLaC", b"OggS", b"ID3\x04", opus(9_600), flac(1_600)]),
    st.integers(0, 100),
    st.binary(max_size=4_000),
    st.sampled_from(Encoding),
    SAMPLE_RATES,
)
def test_any_bytes_are_divided_into_chunks_or_refused_with_a_short_message(
    start: bytes, length: int, noise: bytes, encoding: Encoding, rate: int
) -> None:
    audio = start[:length] + noise
    try:
        utterance = check_utterance(audio, encoding, rate)
    except BadAudio as error:
        message = str(error)
        assert len(message) < 200
        assert message.isascii()
        assert message.isprintable()
    else:
        assert b"".join(utterance.chunks) == audio
        assert all(utterance.chunks), "an empty chunk would end the stream"
        assert 100 <= utterance.duration_ms <= 5_250


@given(SAMPLE_RATES, st.integers(100, 2_500), st.integers(0, 40))
def test_pcm_is_divided_at_each_tenth_of_a_second(rate: int, milliseconds: int, more_samples: int) -> None:
    count = min(rate * milliseconds // 1_000 + more_samples, int(rate * MAX_SECONDS[PCM]), MAX_BYTES // 2)
    audio = bytes(range(256)) * (count // 128) + bytes(count % 128 * 2)
    utterance = check_utterance(audio, PCM, rate)
    assert b"".join(utterance.chunks) == audio
    assert {len(chunk) for chunk in utterance.chunks[:-1]} <= {rate * CHUNK_MS // 1_000 * 2}
    assert len(utterance.chunks) == -(-utterance.duration_ms // CHUNK_MS)
    assert utterance.duration_ms - 1 < count * 1_000 / rate <= utterance.duration_ms


def test_a_file_that_overstates_its_length_has_no_empty_chunk() -> None:
    for audio, encoding, rate in ((opus(240_000), OGG_OPUS, 48_000), (flac(80_000), FLAC, 16_000)):
        assert all(check_utterance(audio + bytes(9), encoding, rate).chunks)


@pytest.mark.parametrize(
    ("too_short", "shortest", "longest", "too_long", "encoding", "rate"),
    [
        (bytes(3_168), bytes(3_200), bytes(80_000), bytes(80_002), PCM, 16_000),
        (flac(1_584), flac(1_600), flac(80_000), flac(80_001), FLAC, 16_000),
        (opus(4_752), opus(4_800), opus(252_000), opus(252_001), OGG_OPUS, 48_000),
        (opus(5_000, dropped=248), opus(5_000, dropped=200), opus(252_000), opus(2**40), OGG_OPUS, 48_000),
    ],
)
def test_an_utterance_has_a_minimum_and_a_maximum_length(
    too_short: bytes, shortest: bytes, longest: bytes, too_long: bytes, encoding: Encoding, rate: int
) -> None:
    assert "The audio has 99 ms, but the minimum is 100 ms" in refusal(too_short, encoding, rate)
    assert check_utterance(shortest, encoding, rate).duration_ms == 100
    limit = MAX_SECONDS[encoding]
    assert check_utterance(longest, encoding, rate).duration_ms == 1_000 * (limit + CODER_PADDING_SECONDS[encoding])
    assert f"the maximum for {encoding} is {limit:g} s: send shorter" in refusal(too_long, encoding, rate)


def test_the_largest_allowed_audio_fits_into_a_message() -> None:
    """API Gateway's limit is 128 KB, of which 2 KB are reserved for the other fields of the message."""
    assert len(base64.b64encode(bytes(MAX_BYTES))) + 2_048 <= 131_072
    assert len(base64.b64encode(bytes(MAX_BYTES + 1))) + 2_048 > 131_072
    assert check_utterance(bytes(MAX_BYTES), PCM, 48_000).duration_ms == MAX_BYTES // 2 // 48
    assert "96769 bytes, but at most 96768" in refusal(bytes(MAX_BYTES + 1))


def test_an_opus_session_can_use_48_khz_or_the_input_rate_in_the_files_header() -> None:
    for input_rate in (0, 11_025, 2**32 - 1):
        assert check_utterance(opus(48_000, rate=input_rate), OGG_OPUS, 48_000).duration_ms == 1_000
    for rate in (8_000, 16_000, 24_000):
        assert check_utterance(opus(48_000, rate=rate), OGG_OPUS, rate).duration_ms == 1_000
        assert "an unknown rate: open the session with 48000" in refusal(opus(48_000, rate=0), OGG_OPUS, rate)


@pytest.mark.parametrize(
    ("audio", "encoding", "error"),
    [
        (b"", PCM, "no audio"),
        (bytes(3_199), PCM, "3199 bytes, an odd number"),
        (opus(48_000, channels=2), OGG_OPUS, "2 channels: mix them"),
        (flac(16_000, channels=2), FLAC, "2 channels: mix them"),
        (flac(16_000, bits=24), FLAC, "24 bits: encode 16 bits"),
        (flac(16_000, rate=8_000), FLAC, "has 8000 Hz, but the session has 16000"),
        (opus(48_000, magic=b"OtherOne"), OGG_OPUS, "does not begin with OpusHead"),
        (flac(0), FLAC, "state no length"),
        (opus(0), OGG_OPUS, "state no length"),
        (flac(16_000)[:20], FLAC, "cannot be read"),
        (opus(48_000)[:40], OGG_OPUS, "cannot be read"),
    ],
)
def test_audio_must_have_one_channel_whole_samples_of_16_bits_a_length_and_the_sessions_rate(
    audio: bytes, encoding: Encoding, error: str
) -> None:
    assert error in refusal(audio, encoding, 48_000 if encoding is OGG_OPUS else 16_000)
