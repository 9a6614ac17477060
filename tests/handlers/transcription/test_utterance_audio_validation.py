"""Validation of utterances and their division into chunks."""

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
    Utterance,
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


def validation_error(audio: bytes, encoding: Encoding = PCM, sample_rate: int = 16000) -> BadAudio:
    with pytest.raises(BadAudio) as raised:
        check_utterance(audio, encoding, sample_rate)
    return raised.value


def outcome_of(audio: bytes, encoding: Encoding, sample_rate: int) -> Utterance | BadAudio:
    try:
        return check_utterance(audio, encoding, sample_rate)
    except BadAudio as error:
        return error


def samples(count: int) -> bytes:
    return b"".join(number.to_bytes(2, "little") for number in range(count))


def opus(packets: int, *, rate: int = 48000, channels: int = 1) -> bytes:
    """Return an Ogg Opus file with packets of 20 ms, fifty per page."""
    spread = [min(50, packets - begin) for begin in range(0, packets, 50)]
    pages = [
        ogg_page(2 + number, 960 * total, *[PACKET_20_MS] * count)
        for number, (count, total) in enumerate(zip(spread, itertools.accumulate(spread), strict=True))
    ]
    return opus_file(*pages, head=opus_head(pre_skip=0, rate=rate, channels=channels))


def flac(length: int, *, rate: int = 16000, channels: int = 1, bits: int = 16) -> bytes:
    """Return a FLAC file with frames of at most a second."""
    sizes = [min(rate, length - begin) for begin in range(0, length, rate)]
    frames = [flac_frame(number, size, channels_and_bits=channels - 1 << 4) for number, size in enumerate(sizes)]
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
def test_a_real_utterance_is_accepted_and_its_chunks_are_the_whole_audio(
    codec: str, encoding: Encoding, rate: int
) -> None:
    audio = recording(codec, rate=rate, seconds=0.95)
    taken = check_utterance(audio, encoding, rate)
    assert (taken.encoding, taken.sample_rate, taken.duration_ms) == (encoding, rate, 950)
    assert len(taken.chunks) == 10
    assert b"".join(taken.chunks) == audio


@pytest.mark.media
@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(
    ("codec", "named"),
    [
        *(("webm", "wrap the Opus packets in Ogg"), ("mp4", "MP4"), ("mp3", "MP3"), ("wav", "without the header")),
        *(("vorbis", "Vorbis"), ("speex", "Speex"), ("ogg-flac", "FLAC in Ogg")),
        *(("mp3-bare", "MP3 or AAC"), ("aac", "MP3 or AAC")),
    ],
)
def test_the_error_names_the_format_that_was_sent(codec: str, named: str, encoding: Encoding) -> None:
    if named == "MP3 or AAC" and encoding is PCM:
        return  # Samples can have the same bytes as such a frame.
    error = validation_error(recording(codec, seconds=1), encoding)
    assert error.code is AudioProblem.WRONG_ENCODING
    assert named in str(error)


@pytest.mark.media
@pytest.mark.parametrize(
    ("codec", "encoding"),
    [("opus", PCM), ("opus", FLAC), ("flac", PCM), ("flac", OGG_OPUS), ("pcm", FLAC), ("pcm", OGG_OPUS)],
)
def test_one_encoding_is_not_taken_for_another(codec: str, encoding: Encoding) -> None:
    error = validation_error(recording(codec, seconds=1), encoding)
    assert error.code is AudioProblem.WRONG_ENCODING
    assert f"the session has the encoding {encoding}" in str(error)


@pytest.mark.parametrize("begin", [b"RIFF\n\n\n\nWAVE", b"\n\n\n\nftyp", b"OggS" + b"\n" * 24 + b"\x01vorbis"])
def test_a_foreign_file_is_named_whatever_lengths_it_states(begin: bytes) -> None:
    assert str(validation_error(begin + bytes(400))).startswith("this is ")


@given(
    st.sampled_from([b"", b"fLaC", b"OggS", b"\xff\xfb", b"ID3\x04", opus(10), flac(1600)]),
    st.binary(max_size=4000),
    st.sampled_from(Encoding),
    st.sampled_from([0, 7350, *SAMPLE_RATES[PCM]]),
)
def test_any_bytes_are_accepted_as_a_whole_or_refused_with_a_short_message(
    begin: bytes, noise: bytes, encoding: Encoding, rate: int
) -> None:
    found = outcome_of(begin + noise, encoding, rate)
    if isinstance(found, BadAudio):
        assert len(str(found)) < 200
        assert str(found).isascii()
        assert str(found).isprintable()
    else:
        assert b"".join(found.chunks) == begin + noise
        assert all(found.chunks)


@given(st.sampled_from(SAMPLE_RATES[PCM]), st.integers(MIN_MS, 2500), st.integers(0, 40))
def test_samples_are_cut_at_each_tenth_of_a_second(rate: int, milliseconds: int, more: int) -> None:
    count = min(rate * milliseconds // 1000 + more, rate * 5 // 2, MAX_BYTES // 2)
    taken = check_utterance(samples(count), PCM, rate)
    each = rate * CHUNK_MS // 1000 * 2
    assert b"".join(taken.chunks) == samples(count)
    assert {len(chunk) for chunk in taken.chunks[:-1]} <= {each}
    assert 0 < len(taken.chunks[-1]) <= each
    assert len(taken.chunks[-1]) % 2 == 0
    assert len(taken.chunks) == -(-taken.duration_ms // CHUNK_MS)
    assert taken.duration_ms - 1 < count * 1000 / rate <= taken.duration_ms


@given(st.integers(5, 262))
def test_a_file_is_cut_into_even_chunks_for_each_tenth_of_a_second(packets: int) -> None:
    audio = opus(packets)
    taken = check_utterance(audio, OGG_OPUS, 48000)
    assert taken.duration_ms == 20 * packets
    assert len(taken.chunks) == -(-packets // 5)
    assert b"".join(taken.chunks) == audio
    even = len(audio) * CHUNK_MS / taken.duration_ms
    assert all(even - 1 < len(chunk) < even + 1 for chunk in taken.chunks[:-1])
    assert 0 < len(taken.chunks[-1]) < even + 1


@pytest.mark.parametrize(
    ("audio", "encoding", "rate"),
    [
        (flac_file(flac_frame(0, 40000, content=b""), info=streaminfo(rate=8000)), FLAC, 8000),
        (
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
    taken = check_utterance(audio, encoding, rate)
    assert len(taken.chunks) >= 50
    assert all(taken.chunks)


@pytest.mark.parametrize(
    ("audio", "encoding", "rate"),
    [
        (samples(1584), PCM, 16000),
        (flac(1584), FLAC, 16000),
        (opus(4), OGG_OPUS, 48000),
        (opus_file(ogg_page(2, 960, PACKET_20_MS), head=opus_head(pre_skip=2000)), OGG_OPUS, 48000),
    ],
)
def test_less_than_a_tenth_of_a_second_is_refused(audio: bytes, encoding: Encoding, rate: int) -> None:
    error = validation_error(audio, encoding, rate)
    assert error.code is AudioProblem.TOO_SHORT
    assert "the minimum is 100 ms" in str(error)
    for enough in ((samples(1600), PCM, 16000), (flac(1600), FLAC, 16000), (opus(5), OGG_OPUS, 48000)):
        assert len(check_utterance(*enough).chunks) == 1


@pytest.mark.parametrize(
    ("most", "over", "encoding", "rate"),
    [
        (samples(40000), samples(40001), PCM, 16000),
        (flac(80000), flac(80001), FLAC, 16000),
        (opus(262), opus(263), OGG_OPUS, 48000),
    ],
)
def test_an_utterance_has_a_maximum_length(most: bytes, over: bytes, encoding: Encoding, rate: int) -> None:
    limit = MAX_SECONDS[encoding]
    assert (
        limit * 1000
        <= check_utterance(most, encoding, rate).duration_ms
        <= 1000 * (limit + CODER_PADDING_SECONDS[encoding])
    )
    error = validation_error(over, encoding, rate)
    assert error.code is AudioProblem.TOO_LONG
    assert f"the maximum for {encoding} is {limit:g} s: send shorter utterances" in str(error)


def test_the_largest_allowed_audio_fits_into_a_message() -> None:
    assert len(base64.b64encode(bytes(MAX_BYTES))) + 2048 <= 131072
    assert len(base64.b64encode(bytes(MAX_BYTES + 1))) + 2048 > 131072
    assert check_utterance(samples(MAX_BYTES // 2), PCM, 48000).duration_ms == 1008
    for encoding in Encoding:
        error = validation_error(samples(MAX_BYTES // 2) + b"\x00", encoding, 48000)
        assert error.code is AudioProblem.TOO_LARGE
        assert "96769 bytes, but at most 96768 are allowed" in str(error)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("rate", [-1, 0, 7999, 11025, 22050, 32000, 44100, 96000])
def test_an_unsupported_sample_rate_is_refused(encoding: Encoding, rate: int) -> None:
    if rate in SAMPLE_RATES[encoding]:
        return  # Opus supports fewer rates.
    error = validation_error(opus(50, rate=rate) if rate > 0 else samples(1600), encoding, rate)
    assert error.code is AudioProblem.WRONG_SAMPLE_RATE
    assert "needs one of 8000, 16000" in str(error)


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_opus_accepts_48_khz_and_the_encoders_input_rate(rate: int) -> None:
    for stated in (0, 11025, rate, 2**32 - 1):
        assert check_utterance(opus(50, rate=stated), OGG_OPUS, 48000).sample_rate == 48000
    taken = check_utterance(opus(50, rate=rate), OGG_OPUS, rate)
    assert (taken.sample_rate, taken.duration_ms) == (rate, 1000)
    for number in {0, 8000, 16000, 24000, 44100, 48000} - {rate}:
        error = validation_error(opus(50, rate=number), OGG_OPUS, rate)
        assert error.code is AudioProblem.WRONG_SAMPLE_RATE
        assert f"encoded from {number or 'an unknown rate'}: open the session with 48000" in str(error)


@pytest.mark.parametrize(
    ("audio", "encoding", "code", "says"),
    [
        (b"", PCM, AudioProblem.EMPTY, "no audio"),
        (samples(3200)[:-1], PCM, AudioProblem.ODD_BYTES, "6399 bytes"),
        (opus(50, channels=2), OGG_OPUS, AudioProblem.NOT_MONO, "2 channels: mix them"),
        (flac(16000, channels=2), FLAC, AudioProblem.NOT_MONO, "2 channels: mix them"),
        (flac(16000, bits=32), FLAC, AudioProblem.NOT_16_BIT, "32 bits: encode 16 bits"),
        (flac(16000, rate=8000), FLAC, AudioProblem.WRONG_SAMPLE_RATE, "has 8000 Hz, but the session has 16000"),
    ],
)
def test_only_one_channel_of_16_bits_at_the_sessions_rate_is_accepted(
    audio: bytes, encoding: Encoding, code: AudioProblem, says: str
) -> None:
    error = validation_error(audio, encoding)
    assert error.code is code
    assert says in str(error)


@pytest.mark.parametrize(
    ("audio", "encoding", "begins"),
    [
        (opus(50)[:-1], OGG_OPUS, "this Ogg file is cut off"),
        (flac(16000)[:-1], FLAC, "this FLAC file is cut off"),
    ],
)
def test_an_incomplete_file_is_malformed(audio: bytes, encoding: Encoding, begins: str) -> None:
    error = validation_error(audio, encoding)
    assert error.code is AudioProblem.MALFORMED
    assert str(error).startswith(begins)
    assert error.__suppress_context__


@pytest.mark.parametrize("begin", [b"RIFF", b"\xff\xfb\x90\x64", b"ID3", b"\x1a\x45\xdf", b"WAVE"])
def test_samples_that_begin_almost_like_a_file_are_accepted(begin: bytes) -> None:
    assert check_utterance(begin + bytes(3200 - len(begin)), PCM, 16000).duration_ms == 100
