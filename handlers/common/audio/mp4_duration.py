"""Reader of the duration and the codec of the first audio track of an MP4 file.

An MP4 file consists of nested boxes, each with a size, a kind of four letters, and content. This reader only visits the
boxes that lead to the first audio track. Mutagen's reader visits all boxes, so a long recording of a browser would need
too many reads. It also fails for some QuickTime files, because it expects metadata in the form of iTunes.

Browsers write fragmented files: the box `moov` describes the tracks, and the samples follow in fragments (boxes of the
kind `moof`), each with a start time. Such a file often states no duration, or only the duration of its first fragment.
So the reader searches backwards from the end of the file for the last fragment of the track. It uses the later of that
fragment's end time and the stated duration. If there is no such fragment in the last MAX_TAIL bytes (`ranged_file`), it
visits all fragments from the start, as far as the read limits allow.

A file without fragments is rejected as truncated if a box ends beyond the end of the file. The last fragment of a
fragmented file may be incomplete, because a recording can be stopped at any moment. Edit lists are ignored, because
encoders only use them to hide a few milliseconds at the start.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from handlers.common.audio.probe_result import AudioFile, AudioFormat, RejectedAudio, RejectionReason
from handlers.common.audio.ranged_file import RangedFile, ReadLimitExceeded

CODECS = {b"mp4a": "aac", b"Opus": "opus", b"fLaC": "flac", b"alac": "alac"}
"""Codecs by sample entry. Encrypted entries (`enca`, `drms`) are not supported."""
HAS_BASE_OFFSET, HAS_DESCRIPTION, HAS_DURATION = 0x1, 0x2, 0x8
"""Flags of a fragment header (tfhd)."""
HAS_DATA_OFFSET, HAS_FIRST_FLAGS, HAS_SAMPLE_DURATION = 0x1, 0x4, 0x100
"""Flags of a run (trun), which is a sequence of samples in a fragment."""
SAMPLE_FIELDS = (0x100, 0x200, 0x400, 0x800)
"""Flags of the fields that a run has for each sample. A field has four bytes, and the first field is the duration."""


@dataclass(frozen=True)
class Box:
    """Kind and position of a box."""

    kind: bytes
    begin: int
    """Offset of the content."""
    end: int
    """Offset after the box."""


@dataclass(frozen=True)
class AudioTrack:
    """Properties of the audio track that are needed to read its fragments."""

    id: int
    sample_duration: int
    """Default duration of a sample in a fragment, in units of the track's timescale."""


def read_mp4(file: RangedFile) -> AudioFile:
    """Return the properties of the first audio track. Raises RejectedAudio.

    Damaged bytes may cause any other exception, which `probe` reports as `UNREADABLE`.
    """
    movie, fragment_defaults = _find_movie(file)
    tracks = (box for box in _read_boxes(file, movie.begin, movie.end) if box.kind == b"trak")
    track = next(
        (box for box in tracks if _read_bytes(file, _find_inner_box(file, box, b"mdia", b"hdlr"), 8, 4) == b"soun"),
        None,
    )
    if track is None:
        raise RejectedAudio(RejectionReason.NO_AUDIO)
    codec = CODECS.get(_read_bytes(file, _find_inner_box(file, track, b"mdia", b"minf", b"stbl", b"stsd"), 12, 4))
    if codec is None:
        raise RejectedAudio(RejectionReason.CODEC_NOT_SUPPORTED)
    header = _find_inner_box(file, track, b"mdia", b"mdhd")
    # The timescale (four bytes, units per second) precedes the duration, and two times precede both.
    offset, width = (20, 8) if _has_wide_times(file, header) else (12, 4)
    timescale, duration = _read_number(file, header, offset, 4), _read_number(file, header, offset + 4, width)
    if duration == (1 << 8 * width) - 1:
        duration = 0  # A value with all bits set means that the duration is unknown.
    if fragment_defaults is not None:
        audio_track = _read_audio_track(file, track, fragment_defaults)
        duration = max(duration, _find_last_fragment_end(file, movie.end, audio_track))
    return AudioFile(AudioFormat.MP4, codec, round(duration * 1000 / timescale))


def _find_movie(file: RangedFile) -> tuple[Box, Box | None]:
    """Return the moov box, and the mvex box in it (defaults for fragments) or None if the file has no fragments.

    Raises RejectedAudio if there is no moov box, or if the file has no fragments and an incomplete box.
    """
    movie = None
    for box in _read_boxes(file, 0, file.size, may_be_cut=True):
        if box.kind == b"moov":
            movie = box
            for child in _read_boxes(file, box.begin, box.end):
                if child.kind == b"mvex":
                    return movie, child
        if box.end > file.size:
            raise RejectedAudio(RejectionReason.TRUNCATED)
    if movie is None:
        raise RejectedAudio(RejectionReason.UNREADABLE)
    return movie, None


def _read_boxes(file: RangedFile, offset: int, end: int, *, may_be_cut: bool = False) -> Iterator[Box]:
    """Yield the boxes between two offsets. The last box may end beyond `end` if `may_be_cut` is set."""
    while offset < end:
        head = file.at(offset, min(16, end - offset))
        size, kind, begin = int.from_bytes(head[:4], "big"), head[4:8], offset + 8
        if size == 1:  # the size follows in eight bytes
            size, begin = int.from_bytes(head[8:16], "big"), offset + 16
        elif size == 0:  # the box extends to the end
            size = end - offset
        if len(head) < begin - offset:
            raise RejectedAudio(RejectionReason.TRUNCATED)
        if size < begin - offset or (offset + size > end and not may_be_cut):
            raise RejectedAudio(RejectionReason.UNREADABLE)
        yield Box(kind, begin, offset + size)
        offset += size


def _find_inner_box(file: RangedFile, box: Box, *path: bytes) -> Box:
    """Return the inner box that a path of kinds leads to. At each level, the first box of the kind is used.

    Raises RejectedAudio if a box is missing.
    """
    for kind in path:
        child = next((child for child in _read_boxes(file, box.begin, box.end) if child.kind == kind), None)
        if child is None:
            raise RejectedAudio(RejectionReason.UNREADABLE)
        box = child
    return box


def _read_audio_track(file: RangedFile, track: Box, fragment_defaults: Box) -> AudioTrack:
    """Return the id and the default sample duration of a track. `fragment_defaults` is the mvex box."""
    header = _find_inner_box(file, track, b"tkhd")
    track_id = _read_number(file, header, 20 if _has_wide_times(file, header) else 12, 4)
    for box in _read_boxes(file, fragment_defaults.begin, fragment_defaults.end):
        if box.kind == b"trex" and _read_number(file, box, 4, 4) == track_id:
            return AudioTrack(track_id, _read_number(file, box, 12, 4))
    return AudioTrack(track_id, 0)


def _find_last_fragment_end(file: RangedFile, fragments_begin: int, track: AudioTrack) -> int:
    """Return the end time of the track's last fragment in units of the track's timescale, or 0 without fragments.

    All fragments lie after the offset `fragments_begin`.
    """
    for offset in file.find_backwards(b"moof"):
        try:
            end = _read_fragment_end(file, next(_read_boxes(file, offset - 4, file.size)), track)
        except RejectedAudio:
            continue  # These bytes are audio data that looks like a fragment, or an incomplete last fragment.
        if end:
            return end
    end = 0
    try:
        for box in _read_boxes(file, fragments_begin, file.size, may_be_cut=True):
            if box.kind == b"moof" and box.end <= file.size:
                end = max(end, _read_fragment_end(file, box, track))
    except (RejectedAudio, ReadLimitExceeded):
        raise RejectedAudio(RejectionReason.NO_DURATION) from None
    return end


def _read_fragment_end(file: RangedFile, fragment: Box, track: AudioTrack) -> int:
    """Return the end time of the track's samples in a fragment (moof), or 0 if the fragment has none of them."""
    end = 0
    for box in _read_boxes(file, fragment.begin, fragment.end):
        if box.kind != b"traf":
            continue
        header = _find_inner_box(file, box, b"tfhd")
        if _read_number(file, header, 4, 4) == track.id:
            end = max(end, _read_track_fragment_end(file, box, header, track.sample_duration))
    return end


def _read_track_fragment_end(file: RangedFile, track_fragment: Box, header: Box, sample_duration: int) -> int:
    """Return the end time of the samples in a track fragment (traf), which has the samples of one track."""
    flags = _read_number(file, header, 1, 3)
    if flags & HAS_DURATION:
        offset = 8 + 8 * bool(flags & HAS_BASE_OFFSET) + 4 * bool(flags & HAS_DESCRIPTION)
        sample_duration = _read_number(file, header, offset, 4)
    time = _find_inner_box(file, track_fragment, b"tfdt")
    boxes = _read_boxes(file, track_fragment.begin, track_fragment.end)
    runs = (box for box in boxes if box.kind == b"trun")
    begin = _read_number(file, time, 4, 8 if _has_wide_times(file, time) else 4)
    return begin + sum(_read_run_duration(file, run, sample_duration) for run in runs)


def _read_run_duration(file: RangedFile, run: Box, sample_duration: int) -> int:
    """Return the duration of a run of samples (trun)."""
    flags, count = _read_number(file, run, 1, 3), _read_number(file, run, 4, 4)
    if not flags & HAS_SAMPLE_DURATION:
        return count * sample_duration
    begin = 8 + 4 * bool(flags & HAS_DATA_OFFSET) + 4 * bool(flags & HAS_FIRST_FLAGS)
    step = 4 * sum(bool(flags & field) for field in SAMPLE_FIELDS)
    samples = _read_bytes(file, run, begin, step * count)
    return sum(int.from_bytes(samples[start : start + 4], "big") for start in range(0, step * count, step))


def _has_wide_times(file: RangedFile, box: Box) -> bool:
    """Return True if the times of a box have eight bytes (version 1), not four."""
    return _read_number(file, box, 0, 1) == 1


def _read_number(file: RangedFile, box: Box, offset: int, length: int) -> int:
    return int.from_bytes(_read_bytes(file, box, offset, length), "big")


def _read_bytes(file: RangedFile, box: Box, offset: int, length: int) -> bytes:
    """Return a field of a box. Raises RejectedAudio if the box is too short for it."""
    if box.begin + offset + length > min(box.end, file.size):
        raise RejectedAudio(RejectionReason.UNREADABLE)
    return file.at(box.begin + offset, length)
