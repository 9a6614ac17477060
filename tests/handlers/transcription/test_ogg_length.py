"""Tests of the length of Ogg Opus files, and of the errors for incomplete or invalid files.

An Ogg file consists of pages with packets. The position of a page is the number of samples of 48 kHz at its end. The
first tests use real files, the others files that are built page by page: `ogg_page(2, 960, ...)` is page 2 with the
position 960. The position is -1 if no packet ends on the page. The audio starts on page 2. The flags BOS and EOS mark
the first and the last page of a stream, and CONTINUED a page on which a packet of the previous page continues. The
last value in the segment table (`table`) of the previous page is then 255. A decoder drops the first PRE_SKIP samples.
"""

from contextlib import suppress
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.ogg_length import MAX_PACKET_SAMPLES, MalformedOgg, OpusAudio, read_ogg
from tests.handlers.transcription.crafted_audio import (
    BOS,
    CONTINUED,
    EOS,
    OPUS_TAGS,
    PACKET_20_MS,
    PRE_SKIP,
    ogg_page,
    opus_file,
    opus_head,
)
from tests.handlers.transcription.recordings import decoded_ms, recording, rewrap

TEN_PACKETS = [PACKET_20_MS] * 10
COMPLETE_FILE = opus_file(ogg_page(2, 9600, *TEN_PACKETS, flags=EOS))


def read_error(audio: bytes) -> str:
    """Return the message with which a file is refused."""
    with pytest.raises(MalformedOgg) as error:
        read_ogg(audio)
    return str(error.value)


@pytest.mark.media
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_a_real_file_has_the_length_that_its_decoder_finds(rate: int) -> None:
    audio = recording("opus", rate=rate)
    result = read_ogg(audio)
    assert (result.channels, result.input_rate) == (1, rate)
    assert result.samples / 48 == pytest.approx(decoded_ms(audio), abs=0.1)


@pytest.mark.media
@pytest.mark.parametrize(
    "options",
    [
        *(("-frame_duration", length, "-application", "lowdelay") for length in ("2.5", "5", "10")),
        *(("-frame_duration", "40", "-vbr", "off"), ("-frame_duration", "60", "-b:a", "6k"), ("-frame_duration", "80")),
        *(("-frame_duration", "120", "-application", "voip"), ("-page_duration", "20000"), ("-dtx", "1")),
        *(("-b:a", "12k"), ("-b:a", "128k")),
    ],
)
def test_real_files_with_other_packet_and_page_lengths_have_the_right_length(options: tuple[str, ...]) -> None:
    assert read_ogg(recording("opus", *options, rate=48000)).samples == 2345 * 48


@pytest.mark.media
def test_a_file_with_packets_from_webm_has_the_length_that_its_decoder_finds() -> None:
    """WebM rounds positions to milliseconds. So they differ from the sum of the packets, but must not trim the end."""
    audio = rewrap(recording("webm", rate=48000), "opus")
    assert read_ogg(audio).samples / 48 == pytest.approx(decoded_ms(audio), abs=0.1)


@pytest.mark.media
@given(data=st.data())
def test_a_damaged_or_truncated_real_file_is_refused(data: st.DataObject) -> None:
    audio = recording("opus", seconds=0.5)
    damaged = bytearray(audio)
    position = data.draw(st.integers(0, len(audio) - 1))
    damaged[position] ^= data.draw(st.integers(1, 255))
    read_error(bytes(damaged))
    if not audio.startswith(b"OggS", position):  # a file that ends between two pages may be complete
        read_error(audio[:position])


@given(
    st.integers(0, 2**32 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.binary(max_size=300), max_size=5),
    st.integers(0, 7),
)
def test_pages_with_valid_checksums_and_any_content_are_read_or_refused(
    sequence: int, position: int, packets: list[bytes], flags: int
) -> None:
    for audio in (
        opus_file(ogg_page(2, position, *packets, flags=flags)),
        ogg_page(sequence, position, *packets, flags=flags),
    ):
        with suppress(MalformedOgg):
            assert read_ogg(audio).samples >= 0


@pytest.mark.parametrize(
    ("audio", "samples"),
    [
        (COMPLETE_FILE, 9600 - PRE_SKIP),
        pytest.param(
            opus_file(ogg_page(2, 9600 - 700, *TEN_PACKETS, flags=EOS)), 9600 - 700 - PRE_SKIP, id="trimmed at the end"
        ),
        pytest.param(
            opus_file(ogg_page(2, 9600 + 700, *TEN_PACKETS, flags=EOS)),
            9600 - PRE_SKIP,
            id="position after the last packet",
        ),
        pytest.param(
            opus_file(ogg_page(2, 960, PACKET_20_MS), head=opus_head(pre_skip=3840)),
            0,
            id="the decoder drops all samples",
        ),
        pytest.param(
            opus_file(ogg_page(2, 960, PACKET_20_MS), ogg_page(3, -1, flags=EOS)),
            960 - PRE_SKIP,
            id="a last page without packets",
        ),
        pytest.param(
            opus_file(ogg_page(2, 1920, b"\x08" + bytes(254), PACKET_20_MS)),
            1920 - PRE_SKIP,
            id="a packet of 255 bytes",
        ),
        pytest.param(
            ogg_page(0, 0, opus_head(), flags=BOS)
            + ogg_page(1, -1, (OPUS_TAGS + bytes(600))[:510], table=b"\xff\xff")
            + ogg_page(2, 0, (OPUS_TAGS + bytes(600))[510:], flags=CONTINUED)
            + ogg_page(3, 960, PACKET_20_MS, flags=EOS),
            960 - PRE_SKIP,
            id="tags on two pages",
        ),
    ],
)
def test_the_length_is_the_last_position_without_the_samples_that_the_decoder_drops(audio: bytes, samples: int) -> None:
    assert read_ogg(audio) == OpusAudio(channels=1, input_rate=48000, samples=samples)


@pytest.mark.parametrize(
    "pages",
    [
        *(
            [ogg_page(2, position, *TEN_PACKETS, flags=EOS)]
            for position in (9600 + MAX_PACKET_SAMPLES + 1, 9600 - MAX_PACKET_SAMPLES - 1, -1, -(2**63), 2**63 - 1)
        ),
        pytest.param(
            [ogg_page(2, 489_600, *TEN_PACKETS), ogg_page(3, 499_200, *TEN_PACKETS, flags=EOS)],
            id="part of a longer recording",
        ),
        pytest.param(
            [ogg_page(2, 9600, *TEN_PACKETS), ogg_page(3, 9599, PACKET_20_MS, flags=EOS)], id="falling position"
        ),
    ],
)
def test_a_position_that_does_not_match_the_packets_is_refused(pages: list[bytes]) -> None:
    # A client sends each utterance (a few seconds of speech) as a file of its own.
    assert "count from 0 in each utterance" in read_error(opus_file(*pages))


def test_a_packet_can_continue_over_pages_without_a_position() -> None:
    packet = b"\x08" + bytes(255 * 3 + 9)
    pages = [
        ogg_page(2, -1, packet[:255], table=b"\xff"),
        ogg_page(3, -1, packet[255:510], table=b"\xff", flags=CONTINUED),
        ogg_page(4, 1920, packet[510:], PACKET_20_MS, flags=CONTINUED | EOS),
    ]
    assert read_ogg(opus_file(*pages)).samples == 1920 - PRE_SKIP
    assert "lacks a page: number 4 follows where 3 is expected" in read_error(opus_file(pages[0], pages[2]))
    assert "cut off: its last packet" in read_error(opus_file(*pages[:2]))


HEAD_PAGE = ogg_page(0, 0, opus_head(), flags=BOS)
AUDIO_PAGE = ogg_page(2, 960, PACKET_20_MS)
"""The first page after the headers."""


@pytest.mark.parametrize(
    ("audio", "problem"),
    [
        (COMPLETE_FILE + COMPLETE_FILE, "after the end of its stream"),
        *(
            (HEAD_PAGE + ogg_page(1, 0, opus_head(), flags=flags, serial=1), "more than one stream")
            for flags in (0, BOS)
        ),
        (opus_file(AUDIO_PAGE) + b"\x00", "no whole page at byte"),
        (ogg_page(1, 0, opus_head(), flags=BOS), "lacks a page"),
        (ogg_page(0, 0, opus_head()), "flags"),
        (HEAD_PAGE + ogg_page(1, 0, OPUS_TAGS, flags=BOS), "flags"),
        (opus_file(ogg_page(2, 960, PACKET_20_MS, flags=CONTINUED)), "flags"),
        (opus_file(ogg_page(2, -1, bytes(255), table=b"\xff"), ogg_page(3, 960, PACKET_20_MS)), "flags"),
        (opus_file(ogg_page(2, 960, PACKET_20_MS, version=1)), "no whole page at byte"),
        *(
            (opus_file(AUDIO_PAGE) + ogg_page(3, 10560, *TEN_PACKETS)[:cut], "no whole page at byte")
            for cut in (1, 3, 20, 26, 27, 28, 60)
        ),
        (COMPLETE_FILE[:-1] + b"\x01", "checksum"),
        (opus_file(ogg_page(2, 960, PACKET_20_MS, flags=EOS), head=opus_head()[:18]), "OpusHead"),
        *(
            (opus_file(AUDIO_PAGE, head=head), "OpusHead")
            for head in (
                *(opus_head(version=16), opus_head(channels=0), opus_head(family=1), opus_head(channels=2, family=255)),
                *(b"OpusHead", b"OpusTags" + bytes(20)),
            )
        ),
        (ogg_page(0, 0, opus_head(), OPUS_TAGS, flags=BOS) + ogg_page(1, 0, OPUS_TAGS) + AUDIO_PAGE, "only OpusHead"),
        (ogg_page(0, 0, flags=BOS) + ogg_page(1, 0, opus_head()) + ogg_page(2, 0, OPUS_TAGS), "only OpusHead"),
        (HEAD_PAGE + ogg_page(1, 960, OPUS_TAGS, PACKET_20_MS) + AUDIO_PAGE, "OpusTags"),
        (
            HEAD_PAGE
            + ogg_page(1, 0, OPUS_TAGS, bytes(255), table=bytes([len(OPUS_TAGS), 255]))
            + ogg_page(2, 960, bytes(3), PACKET_20_MS, flags=CONTINUED),
            "OpusTags",
        ),
        (b"", "OpusHead"),
        (HEAD_PAGE, "no OpusTags"),
        (HEAD_PAGE + ogg_page(1, 960, PACKET_20_MS), "no OpusTags"),
        (opus_file(), "no audio packet"),
        (opus_file(ogg_page(2, 0, flags=EOS)), "no audio packet"),
    ],
)
def test_a_file_that_is_not_one_complete_stream_is_refused(audio: bytes, problem: str) -> None:
    assert problem in read_error(audio)


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        # The upper five bits of the first byte are the configuration, which determines the length of a frame.
        *(
            (bytes([configuration << 3]), samples)
            for configuration, samples in ((0, 480), (3, 2880), (11, 2880), (12, 480), (15, 960), (16, 120), (31, 960))
        ),
        (bytes([31 << 3 | 4]), 960),
        # The lowest two bits mean one frame (0), two frames (1 and 2), or the number in the second byte (3).
        *((bytes([3 << 3 | 1]), 5760), (bytes([3 << 3 | 2]), 5760), (bytes([1 << 3 | 3, 5]), 4800)),
        *((bytes([16 << 3 | 3, 48]), 5760), (bytes([16 << 3 | 3, 0xC0 | 48]), 5760)),
    ],
)
def test_the_length_of_a_packet_is_read_from_its_first_bytes(packet: bytes, samples: int) -> None:
    audio = opus_file(ogg_page(2, 20 * samples, *[packet] * 20, flags=EOS), head=opus_head(pre_skip=0))
    assert read_ogg(audio).samples == 20 * samples


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes([3]), id="without the number of frames"),
        pytest.param(bytes([3, 0]), id="no frame"),
        pytest.param(bytes([16 << 3 | 3, 49]), id="49 frames of 2.5 ms, more than 120 ms"),
        pytest.param(bytes([3 << 3 | 3, 3]), id="3 frames of 60 ms, more than 120 ms"),
    ],
)
def test_a_packet_that_is_not_opus_is_refused(packet: bytes) -> None:
    assert "not Opus" in read_error(opus_file(ogg_page(2, 960, packet, PACKET_20_MS, flags=EOS)))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_packets_can_be_divided_among_pages_in_any_way(packet_counts: list[int]) -> None:
    pages = [
        ogg_page(2 + index, 960 * total, *[PACKET_20_MS] * count)
        for index, (count, total) in enumerate(zip(packet_counts, accumulate(packet_counts), strict=True))
    ]
    assert read_ogg(opus_file(*pages)).samples == 960 * sum(packet_counts) - PRE_SKIP
