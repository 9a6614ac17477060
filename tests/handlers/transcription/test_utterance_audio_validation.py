"""Tests of the validation of an utterance (a few seconds of speech) and of its division into chunks for streaming.

The client's session states the encoding and the sample rate. A chunk is 100 ms long.
"""

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.utterance_audio_validation import (
    CHUNK_MS,
    CODER_PADDING_SECONDS,
    MAX_BYTES,
    MAX_SECONDS,
    MIN_MS,
    SAMPLE_RATES,
    AudioProblem,
    BadAudio,
    Encoding,
    check_utterance,
)
from tests.handlers.transcription.crafted_audio import (
    PACKET_20_MS,
    flac_file,
    flac_frame,
    ogg_page,
    opus_file,
    opus_head,
    streaminfo,
)
from tests.handlers.transcription.recordings import recording

PCM, FLAC, OGG_OPUS = Encoding.PCM, Encoding.FLAC, Encoding.OGG_OPUS


MAX_OPUS_PACKETS = 262
"""Maximum number of packets of 20 ms: 5 s of speech, and 0.25 s that an encoder may add."""


def validation_error(audio: bytes, encoding: Encoding = PCM, sample_rate: int = 16000) -> BadAudio:
    with pytest.raises(BadAudio) as raised:
        check_utterance(audio, encoding, sample_rate)
    return raised.value


def samples(count: int) -> bytes:
    """Return different samples of 16 bits."""
    return b"".join(number.to_bytes(2, "little") for number in range(count))


def opus(packets: int, *, rate: int = 48000, channels: int = 1) -> bytes:
    """Return an Ogg Opus file with packets of 20 ms, fifty per page."""
    page_ends = [*range(50, packets, 50), packets]
    pages = [
        ogg_page(page_number, 960 * end, *[PACKET_20_MS] * (end - start))
        for page_number, (start, end) in enumerate(itertools.pairwise([0, *page_ends]), 2)
    ]
    return opus_file(*pages, head=opus_head(pre_skip=0, rate=rate, channels=channels))


def flac(length: int, *, rate: int = 16000, channels: int = 1, bits: int = 16) -> bytes:
    """Return a FLAC file with this number of samples, in frames of at most a second."""
    frame_lengths = [min(rate, length - start) for start in range(0, length, rate)]
    frames = [
        flac_frame(number, frame_length, channels_and_bits=channels - 1 << 4)
        for number, frame_length in enumerate(frame_lengths)
    ]
    return flac_file(*frames, info=streaminfo(rate=rate, channels=channels, bits=bits))


@pytest.mark.media
@pytest.mark.parametrize(
    ("codec", "encoding", "rate"),
    [
        *[("opus", OGG_OPUS, rate) for rate in SAMPLE_RATES[OGG_OPUS]],
        *[("flac", FLAC, rate) for rate in SAMPLE_RATES[FLAC]],
        *[("pcm", PCM, rate) for rate in SAMPLE_RATES[PCM]],
    ],
)
def test_a_real_utterance_is_accepted_and_divided_into_chunks(codec: str, encoding: Encoding, rate: int) -> None:
    audio = recording(codec, rate=rate, seconds=0.95)
    utterance = check_utterance(audio, encoding, rate)
    assert (utterance.encoding, utterance.sample_rate, utterance.duration_ms) == (encoding, rate, 950)
    assert len(utterance.chunks) == 10
    assert b"".join(utterance.chunks) == audio


@pytest.mark.media
@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(
    ("codec", "format_name"),
    [
        *(("webm", "wrap the Opus packets in Ogg"), ("mp4", "MP4"), ("mp3", "MP3"), ("wav", "without the header")),
        *(("vorbis", "Vorbis"), ("speex", "Speex"), ("ogg-flac", "FLAC in Ogg")),
        *(("mp3-bare", "MP3 or AAC"), ("aac", "MP3 or AAC")),
    ],
)
def test_the_error_names_the_format_that_was_sent(codec: str, format_name: str, encoding: Encoding) -> None:
    if format_name == "MP3 or AAC" and encoding is PCM:
        return  # PCM samples can begin with the same bytes as such a frame.
    error = validation_error(recording(codec, seconds=1), encoding)
    assert error.code is AudioProblem.WRONG_ENCODING
    assert format_name in str(error)


@pytest.mark.media
@pytest.mark.parametrize(
    ("codec", "encoding"),
    [("opus", PCM), ("opus", FLAC), ("flac", PCM), ("flac", OGG_OPUS), ("pcm", FLAC), ("pcm", OGG_OPUS)],
)
def test_audio_in_another_encoding_than_that_of_the_session_is_refused(codec: str, encoding: Encoding) -> None:
    error = validation_error(recording(codec, seconds=1), encoding)
    assert error.code is AudioProblem.WRONG_ENCODING
    assert f"the session has the encoding {encoding}" in str(error)


@pytest.mark.parametrize("first_bytes", [b"RIFF\n\n\n\nWAVE", b"\n\n\n\nftyp", b"OggS" + b"\n" * 24 + b"\x01vorbis"])
def test_another_format_is_recognised_even_if_its_length_fields_are_line_breaks(first_bytes: bytes) -> None:
    assert str(validation_error(first_bytes + bytes(400))).startswith("this is ")


@given(
    st.sampled_from([b"", b"fLaC", b"OggS", b"\xff\xfb", b"ID3\x04", opus(10), flac(1600)]),
    st.binary(max_size=4000),
    st.sampled_from(Encoding),
    st.sampled_from([0, 7350, *SAMPLE_RATES[PCM]]),
)
def test_any_bytes_are_divided_into_chunks_or_refused_with_a_short_message(
    first_bytes: bytes, noise: bytes, encoding: Encoding, rate: int
) -> None:
    error_message = ""
    try:
        chunks = check_utterance(first_bytes + noise, encoding, rate).chunks
    except BadAudio as error:
        error_message = str(error)
    else:
        assert b"".join(chunks) == first_bytes + noise
        assert all(chunks)
    assert len(error_message) < 200
    assert error_message.isascii()
    assert error_message.isprintable()


@given(st.sampled_from(SAMPLE_RATES[PCM]), st.integers(MIN_MS, 2500), st.integers(0, 40))
def test_pcm_is_divided_at_each_tenth_of_a_second(rate: int, milliseconds: int, additional_samples: int) -> None:
    count = min(rate * milliseconds // 1000 + additional_samples, int(rate * MAX_SECONDS[PCM]), MAX_BYTES // 2)
    utterance = check_utterance(samples(count), PCM, rate)
    chunk_bytes = rate * CHUNK_MS // 1000 * 2
    assert b"".join(utterance.chunks) == samples(count)
    assert {len(chunk) for chunk in utterance.chunks[:-1]} <= {chunk_bytes}
    assert 0 < len(utterance.chunks[-1]) <= chunk_bytes
    assert len(utterance.chunks[-1]) % 2 == 0
    assert len(utterance.chunks) == -(-utterance.duration_ms // CHUNK_MS)
    assert utterance.duration_ms - 1 < count * 1000 / rate <= utterance.duration_ms


@given(st.integers(5, MAX_OPUS_PACKETS))
def test_a_file_is_divided_into_chunks_of_equal_size_one_for_each_tenth_of_a_second(packets: int) -> None:
    audio = opus(packets)
    utterance = check_utterance(audio, OGG_OPUS, 48000)
    assert utterance.duration_ms == 20 * packets
    assert len(utterance.chunks) == -(-packets // 5)
    assert b"".join(utterance.chunks) == audio
    mean_bytes = len(audio) * CHUNK_MS / utterance.duration_ms
    assert all(mean_bytes - 1 < len(chunk) < mean_bytes + 1 for chunk in utterance.chunks[:-1])
    assert 0 < len(utterance.chunks[-1]) < mean_bytes + 1


@pytest.mark.parametrize(
    ("audio", "encoding", "rate"),
    [
        (flac_file(flac_frame(0, 40000, content=b""), info=streaminfo(rate=8000)), FLAC, 8000),
        (  # each packet has one byte and 120 ms, which are 5760 samples
            opus_file(ogg_page(2, 43 * 5760, *[b"\x19"] * 43), head=opus_head(pre_skip=0), tags=b"OpusTags"),
            OGG_OPUS,
            48000,
        ),
    ],
    ids=["flac", "ogg-opus"],
)
def test_the_smallest_files_of_the_longest_utterances_have_no_empty_chunk(
    audio: bytes, encoding: Encoding, rate: int
) -> None:
    """An empty chunk would end the stream."""
    utterance = check_utterance(audio, encoding, rate)
    assert len(utterance.chunks) >= 50
    assert all(utterance.chunks)


@pytest.mark.parametrize(
    ("too_short", "shortest", "encoding", "rate"),
    [
        (samples(1584), samples(1600), PCM, 16000),
        (flac(1584), flac(1600), FLAC, 16000),
        (opus(4), opus(5), OGG_OPUS, 48000),
        pytest.param(
            opus_file(ogg_page(2, 960, PACKET_20_MS), head=opus_head(pre_skip=2000)),
            opus(5),
            OGG_OPUS,
            48000,
            id="the decoder drops all samples",
        ),
    ],
)
def test_less_than_a_tenth_of_a_second_is_refused(
    too_short: bytes, shortest: bytes, encoding: Encoding, rate: int
) -> None:
    error = validation_error(too_short, encoding, rate)
    assert error.code is AudioProblem.TOO_SHORT
    assert "the minimum is 100 ms" in str(error)
    assert len(check_utterance(shortest, encoding, rate).chunks) == 1


@pytest.mark.parametrize(
    ("longest", "too_long", "encoding", "rate"),
    [
        (samples(40000), samples(40001), PCM, 16000),
        (flac(80000), flac(80001), FLAC, 16000),
        (opus(MAX_OPUS_PACKETS), opus(MAX_OPUS_PACKETS + 1), OGG_OPUS, 48000),
    ],
)
def test_an_utterance_has_a_maximum_length(longest: bytes, too_long: bytes, encoding: Encoding, rate: int) -> None:
    limit = MAX_SECONDS[encoding]
    duration_seconds = check_utterance(longest, encoding, rate).duration_ms / 1000
    assert limit <= duration_seconds <= limit + CODER_PADDING_SECONDS[encoding]
    error = validation_error(too_long, encoding, rate)
    assert error.code is AudioProblem.TOO_LONG
    assert f"the maximum for {encoding} is {limit:g} s: send shorter utterances" in str(error)


def test_the_largest_allowed_audio_fits_into_a_message() -> None:
    """API Gateway's limit is 128 KB, of which 2 KB are reserved for the other fields of the message."""
    assert len(base64.b64encode(bytes(MAX_BYTES))) + 2048 <= 131072
    assert len(base64.b64encode(bytes(MAX_BYTES + 1))) + 2048 > 131072
    assert check_utterance(samples(MAX_BYTES // 2), PCM, 48000).duration_ms == MAX_BYTES // 2 // 48
    for encoding in Encoding:
        error = validation_error(samples(MAX_BYTES // 2) + b"\x00", encoding, 48000)
        assert error.code is AudioProblem.TOO_LARGE
        assert "96769 bytes, but at most 96768 are allowed" in str(error)


@pytest.mark.parametrize(
    ("encoding", "rate"),
    [
        *((encoding, rate) for encoding in Encoding for rate in (0, 7999, 22050)),
        *((OGG_OPUS, rate) for rate in (32000, 44100)),
    ],
)
def test_an_unsupported_sample_rate_is_refused(encoding: Encoding, rate: int) -> None:
    error = validation_error(opus(50, rate=rate), encoding, rate)
    assert error.code is AudioProblem.WRONG_SAMPLE_RATE
    assert "needs one of 8000, 16000" in str(error)


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_an_opus_session_can_use_48_khz_or_the_input_rate_in_the_files_header(rate: int) -> None:
    for input_rate in (0, 11025, rate, 2**32 - 1):
        assert check_utterance(opus(50, rate=input_rate), OGG_OPUS, 48000).sample_rate == 48000
    utterance = check_utterance(opus(50, rate=rate), OGG_OPUS, rate)
    assert (utterance.sample_rate, utterance.duration_ms) == (rate, 1000)
    for other_rate in {0, 8000, 16000, 24000, 44100, 48000} - {rate}:
        error = validation_error(opus(50, rate=other_rate), OGG_OPUS, rate)
        assert error.code is AudioProblem.WRONG_SAMPLE_RATE
        assert f"encoded from {other_rate or 'an unknown rate'}: open the session with 48000" in str(error)


@pytest.mark.parametrize(
    ("audio", "encoding", "code", "error_text"),
    [
        (b"", PCM, AudioProblem.EMPTY, "no audio"),
        (samples(3200)[:-1], PCM, AudioProblem.ODD_BYTES, "6399 bytes"),
        (opus(50, channels=2), OGG_OPUS, AudioProblem.NOT_MONO, "2 channels: mix them"),
        (flac(16000, channels=2), FLAC, AudioProblem.NOT_MONO, "2 channels: mix them"),
        (flac(16000, bits=32), FLAC, AudioProblem.NOT_16_BIT, "32 bits: encode 16 bits"),
        (flac(16000, rate=8000), FLAC, AudioProblem.WRONG_SAMPLE_RATE, "has 8000 Hz, but the session has 16000"),
    ],
)
def test_audio_must_have_one_channel_whole_samples_of_16_bits_and_the_sessions_rate(
    audio: bytes, encoding: Encoding, code: AudioProblem, error_text: str
) -> None:
    error = validation_error(audio, encoding)
    assert error.code is code
    assert error_text in str(error)


@pytest.mark.parametrize(
    ("audio", "encoding", "error_start"),
    [(opus(50)[:-1], OGG_OPUS, "this Ogg file is cut off"), (flac(16000)[:-1], FLAC, "this FLAC file is cut off")],
)
def test_an_incomplete_file_is_malformed(audio: bytes, encoding: Encoding, error_start: str) -> None:
    error = validation_error(audio, encoding)
    assert error.code is AudioProblem.MALFORMED
    assert str(error).startswith(error_start)
    assert error.__suppress_context__, "the parser's exception is not logged with it"


@pytest.mark.parametrize("first_bytes", [b"RIFF", b"\xff\xfb\x90\x64", b"ID3", b"\x1a\x45\xdf", b"WAVE"])
def test_pcm_that_begins_almost_like_a_file_is_accepted(first_bytes: bytes) -> None:
    assert check_utterance(first_bytes + bytes(3200 - len(first_bytes)), PCM, 16000).duration_ms == 100
