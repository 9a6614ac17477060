"""How long an MP4 file's sound plays: boxes down to its first track with sound, wherever the file keeps them.

Not mutagen's part: it walks through all boxes of a file, of which one written in fragments, as browsers' recorders do,
has thousands. Such a file often has no duration in front, or that of its first fragment; so the last fragment of the
track is looked for from the file's end, and the longer counts. Where fragments are too long for that, those are gone
through that follow the last one that the file's index names, or the tracks. Where there are fragments and the last is
not found, the length is unknown. Edit lists are not applied: they hide an encoder's first milliseconds.

A file is cut off where a box ends behind it, unless that is a fragment's: there the recording was stopped.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from handlers.voice_qa.audio_files import AudioFile, AudioFormat, BadFile, Problem
from handlers.voice_qa.ranged import RangedFile, TooMuch

MOST_BOXES = 256
"""In one box, or side by side in a file before it is clear what kind it is."""
CODECS = {b"mp4a": "aac", b"Opus": "opus", b"fLaC": "flac", b"alac": "alac"}
"""By sample entry. Those of protected sound, `enca` and `drms`, are none of these."""
HAS_BASE_OFFSET, HAS_DESCRIPTION, HAS_DURATION = 0x1, 0x2, 0x8
HAS_DATA_OFFSET, HAS_FIRST_FLAGS, SAMPLE_DURATION = 0x1, 0x4, 0x100
SAMPLE_FIELDS = (0x100, 0x200, 0x400, 0x800)
"""Flags of what a run tells of each sample; each takes four bytes, its duration first."""


@dataclass(frozen=True)
class Box:
    """Where one box is."""

    kind: bytes
    begin: int
    """Behind its head, where its content begins."""
    end: int


@dataclass(frozen=True)
class Track:
    """A track with sound."""

    id: int
    codec: str
    timescale: int
    duration: int
    sample_duration: int
    """Of its fragments' samples, where they do not say otherwise."""


def read(file: RangedFile) -> AudioFile:
    """What the file says."""
    movie, fragmented = _movie(file)
    track = _sound(file, movie)
    if not track.timescale:
        raise BadFile(Problem.UNREADABLE)
    duration = track.duration
    if fragmented:
        duration = max(duration, _end(file, movie, track))
        if not duration:
            raise BadFile(Problem.NO_DURATION)
    return AudioFile(AudioFormat.MP4, track.codec, round(duration * 1000 / track.timescale))


def _movie(file: RangedFile) -> tuple[Box, bool]:
    """The box of all tracks, and whether fragments follow."""
    movie, fragmented = None, False
    for box in _boxes(file, 0, file.size, cut=True):
        if box.kind == b"moov":
            movie = box
            fragmented = any(one.kind == b"mvex" for one in _boxes(file, box.begin, box.end))
        if box.end > file.size and not fragmented:
            raise BadFile(Problem.TRUNCATED)
        if fragmented:
            break
    if movie is None:
        raise BadFile(Problem.UNREADABLE)
    return movie, fragmented


def _boxes(file: RangedFile, place: int, end: int, *, cut: bool = False) -> Iterator[Box]:
    """Boxes side by side; `cut`: the last one may end behind the end."""
    for _ in range(MOST_BOXES):
        if place >= end:
            return
        head = file.at(place, min(16, end - place))
        size, kind, begin = int.from_bytes(head[:4], "big"), head[4:8], place + 8
        if size == 1:
            size, begin = int.from_bytes(head[8:16], "big"), place + 16
        elif size == 0:
            size = end - place
        if len(head) < begin - place:
            raise BadFile(Problem.TRUNCATED)
        if size < begin - place or (place + size > end and not cut):
            raise BadFile(Problem.UNREADABLE)
        yield Box(kind, begin, place + size)
        place += size
    if place < end:
        raise BadFile(Problem.UNREADABLE)


def _inner(file: RangedFile, box: Box, *path: bytes) -> Box | None:
    """The first box below one, by the kinds on the way to it."""
    found: Box | None = box
    for kind in path:
        if found is None:
            return None
        found = next((one for one in _boxes(file, found.begin, found.end) if one.kind == kind), None)
    return found


def _field(file: RangedFile, box: Box, offset: int, length: int) -> int:
    """A number in a box; raises BadFile where the box is too short for it."""
    if box.begin + offset + length > min(box.end, file.size):
        raise BadFile(Problem.UNREADABLE)
    return int.from_bytes(file.at(box.begin + offset, length), "big")


def _flags(file: RangedFile, box: Box) -> int:
    return _field(file, box, 1, 3)


def _sound(file: RangedFile, movie: Box) -> Track:
    """The first track with sound."""
    for track in _boxes(file, movie.begin, movie.end):
        handler = _inner(file, track, b"mdia", b"hdlr") if track.kind == b"trak" else None
        if handler is None or _field(file, handler, 8, 4).to_bytes(4, "big") != b"soun":
            continue
        header, media = _inner(file, track, b"tkhd"), _inner(file, track, b"mdia", b"mdhd")
        samples = _inner(file, track, b"mdia", b"minf", b"stbl", b"stsd")
        if header is None or media is None or samples is None:
            raise BadFile(Problem.UNREADABLE)
        codec = CODECS.get(_field(file, samples, 12, 4).to_bytes(4, "big"))
        if codec is None:
            raise BadFile(Problem.CODEC_NOT_SUPPORTED)
        identifier = _field(file, header, 20 if _wide(file, header) else 12, 4)
        return Track(identifier, codec, *_length(file, media), _sample_duration(file, movie, identifier))
    raise BadFile(Problem.NO_AUDIO)


def _wide(file: RangedFile, box: Box) -> bool:
    """Whether a box has its times in eight bytes."""
    return _field(file, box, 0, 1) == 1


def _length(file: RangedFile, media: Box) -> tuple[int, int]:
    """Timescale and duration; a duration that is all ones is unknown."""
    place, width = (20, 8) if _wide(file, media) else (12, 4)
    duration = _field(file, media, place + 4, width)
    return _field(file, media, place, 4), 0 if duration == (1 << 8 * width) - 1 else duration


def _sample_duration(file: RangedFile, movie: Box, track: int) -> int:
    extension = _inner(file, movie, b"mvex")
    for box in _boxes(file, extension.begin, extension.end) if extension else ():
        if box.kind == b"trex" and _field(file, box, 4, 4) == track:
            return _field(file, box, 12, 4)
    return 0


def _end(file: RangedFile, movie: Box, track: Track) -> int:
    """When the last sample of the track's last fragment ends; 0 where there is no fragment."""
    for place in file.backwards(b"moof"):
        try:
            fragment = next(_boxes(file, place - 4, file.size), None) if place >= 4 else None
            end = _fragment_end(file, fragment, track) if fragment else 0
        except BadFile:
            continue  # bytes of sound that happen to look like a fragment
        if end:
            return end
    return _end_far_off(file, movie, track)


def _end_far_off(file: RangedFile, movie: Box, track: Track) -> int:
    """The same, where the last fragment begins farther from the end than is searched."""
    fragments, end = False, 0
    try:
        for box in _boxes(file, _indexed(file, track) or movie.end, file.size, cut=True):
            if box.kind == b"moof" and box.end <= file.size:
                fragments, end = True, max(end, _fragment_end(file, box, track))
    except (BadFile, TooMuch):
        raise BadFile(Problem.NO_DURATION) from None
    if fragments and not end:
        raise BadFile(Problem.NO_DURATION)
    return end


def _indexed(file: RangedFile, track: Track) -> int | None:
    """Where a fragment of the track begins, as near the end as the index behind all boxes knows one; none without it.

    What it says is a hint: an index may be wrong, or older than the last fragments.
    """
    try:
        place = file.size - int.from_bytes(file.at(file.size - 4, 4), "big")
        index = next(_boxes(file, place, file.size), None) if place > 0 else None
        for box in _boxes(file, index.begin, index.end) if index and index.kind == b"mfra" else ():
            count = _field(file, box, 12, 4) if box.kind == b"tfra" and _field(file, box, 4, 4) == track.id else 0
            if count:
                width, lengths = 8 if _wide(file, box) else 4, _field(file, box, 8, 4)
                entry = 2 * width + sum((lengths >> shift & 3) + 1 for shift in (0, 2, 4))
                found = _field(file, box, 16 + entry * (count - 1) + width, width)
                return found if file.at(found + 4, 4) == b"moof" else None
    except BadFile:
        return None
    return None


def _fragment_end(file: RangedFile, fragment: Box, track: Track) -> int:
    """When the samples of one track in a fragment end; 0 where it has none of them."""
    return max((_run_end(file, one, track) for one in _boxes(file, fragment.begin, fragment.end)), default=0)


def _run_end(file: RangedFile, part: Box, track: Track) -> int:
    """When the samples of one track in a part of a fragment end; 0 where they are another's."""
    header = _inner(file, part, b"tfhd") if part.kind == b"traf" else None
    time = _inner(file, part, b"tfdt") if header else None
    if header is None or time is None or _field(file, header, 4, 4) != track.id:
        return 0
    flags, each = _flags(file, header), track.sample_duration
    if flags & HAS_DURATION:
        each = _field(file, header, 8 + 8 * bool(flags & HAS_BASE_OFFSET) + 4 * bool(flags & HAS_DESCRIPTION), 4)
    begin = _field(file, time, 4, 8 if _wide(file, time) else 4)
    runs = [one for one in _boxes(file, part.begin, part.end) if one.kind == b"trun"]
    return begin + sum(_run(file, run, each) for run in runs)


def _run(file: RangedFile, run: Box, each: int) -> int:
    """How long the samples of a run play."""
    flags, count = _flags(file, run), _field(file, run, 4, 4)
    if not flags & SAMPLE_DURATION:
        return count * each
    begin = 8 + 4 * bool(flags & HAS_DATA_OFFSET) + 4 * bool(flags & HAS_FIRST_FLAGS)
    step = 4 * sum(bool(flags & one) for one in SAMPLE_FIELDS)
    _field(file, run, begin + step * count, 0)
    samples = file.at(run.begin + begin, step * count)
    return sum(int.from_bytes(samples[place : place + 4], "big") for place in range(0, step * count, step))
