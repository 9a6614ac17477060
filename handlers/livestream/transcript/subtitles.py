"""The two kinds of subtitles, SubRip (SRT) and WebVTT, read as cues. Pure.

SubRip: numbered blocks of a line of times and lines of text. Nobody wrote it down, so what players take is taken: numbers
may be missing, hours too, points stand for commas, and empty lines are within a text. What begins like a line of times
must be one, though: a wrong time is never read as something said.

WebVTT: a head, then blocks: cues, comments, styles and regions.

Blocks end where the specification ends them: at an empty line, not at one of blanks, which is in the midst of what some
programs write; and where times begin the next cue, also right under the head. A number alone before such times is theirs,
as in SRT, and times within a comment begin nothing.

A cue in which several voices speak becomes one cue a voice, all with its times. Karaoke times, classes and rubies are
style; a block that is none of these is passed over, as the specification wants it.
"""

import html
import re
from collections.abc import Iterator

from handlers.livestream.transcript.cues import BadTranscript, Cue, TranscriptProblem, strip_bounded

_TIME = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,2}):([0-9]{1,2})[.,]([0-9]{1,3})")
_TIMES = re.compile(r"[ \t]*([0-9:.,]+)[ \t]*-->[ \t]*([0-9:.,]+)(?:[ \t].*)?")
"""A line of times; what follows them says where on the screen."""
_LIKE_TIMES = re.compile(r"[ \t]*[-+]?[0-9]+[:.,][-+0-9:.,]*[ \t]*-->")
_NUMBER = re.compile(r"[ \t]*[0-9]+[ \t]*")
_SRT_TAG = re.compile(r"</?(?:b|i|u|s|font)(?:\s[^<>]*)?>|\{\\[^{}]*\}|\{/?[biu]\}", re.IGNORECASE)
"""What players show as style. Any other angle bracket may be something that was written."""
_WEBVTT_HEADER = re.compile(r"WEBVTT(?:[ \t].*)?")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t\n]([^<>]*)>|</v>")
"""One blank, because the name may have blanks too: of several that no bracket ends, each would be tried as the last."""
_WEBVTT_TAG = re.compile(r"<[^<>]*>")
_OTHER_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t].*)?")


def is_srt(lines: list[str]) -> bool:
    """Whether there is a line of times in it."""
    return any(_LIKE_TIMES.match(line) for line in lines)


def srt_cues(lines: list[str]) -> Iterator[Cue]:
    """The cues, as they stand there."""
    times: tuple[int, int] | None = None
    said: list[str] = []
    for line in lines:
        if _LIKE_TIMES.match(line) is None:
            said.append(line)
            continue
        if said and _NUMBER.fullmatch(said[-1]):
            said.pop()
        yield from _srt_cue(times, said)
        times, said = _parse_times_line(line), []
    yield from _srt_cue(times, said)


def _parse_times_line(line: str) -> tuple[int, int]:
    """From when to when."""
    found = _TIMES.fullmatch(line)
    if found is None:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    return _parse_time(found[1]), _parse_time(found[2])


def _srt_cue(times: tuple[int, int] | None, said: list[str]) -> Iterator[Cue]:
    text = _SRT_TAG.sub("", "\n".join(said))
    if times is not None:
        yield Cue(*times, text)
    elif text.strip():
        # Something stands before the first times: this is no SRT, or its beginning is lost.
        raise BadTranscript(TranscriptProblem.MALFORMED)


def _parse_time(written: str) -> int:
    """A moment as SRT and WebVTT write it: `1:02:03,450` or `02:03.450`."""
    found = _TIME.fullmatch(written)
    if found is None:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    hours, minutes, seconds = (int(part or 0) for part in found.group(1, 2, 3))
    if minutes > 59 or seconds > 59:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int(found[4].ljust(3, "0"))


def is_webvtt(lines: list[str]) -> bool:
    """Whether the head says so."""
    return bool(lines) and _WEBVTT_HEADER.fullmatch(lines[0]) is not None


def webvtt_cues(lines: list[str]) -> Iterator[Cue]:
    """The cues, as they stand there."""
    for block in _blocks(lines[1:]):
        at = next((at for at, line in enumerate(block[:2]) if "-->" in line), None)
        if at is None:
            continue  # what the head says, or nothing
        if _LIKE_TIMES.match(block[at]) is None:
            raise BadTranscript(TranscriptProblem.BAD_TIMES)
        start_ms, end_ms = _parse_times_line(block[at])
        for speaker, text in _voices(strip_bounded("\n".join(block[at + 1 :]))):
            yield Cue(start_ms, end_ms, text, speaker)


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """All but comments, styles and regions: what begins with times, with a name above them, or with neither."""
    block: list[str] = []
    other = False
    for line in lines:
        if other:
            other = bool(line.strip())
        elif not line:
            yield block
            block = []
        elif not block and _OTHER_BLOCK.fullmatch(line):
            other = True
        elif _LIKE_TIMES.match(line) and (len(block) > 1 or (block and _LIKE_TIMES.match(block[0]))):
            if len(block) > 2 and _NUMBER.fullmatch(block[-1]):
                block.pop()
            yield block
            block = [line]
        else:
            block.append(line)
    yield block


def _voices(payload: str) -> Iterator[tuple[str | None, str]]:
    """Who says what."""
    speaker: str | None = None
    start = 0
    for tag in _VOICE.finditer(payload):
        yield speaker, _strip_tags(payload[start : tag.start()])
        speaker, start = None if tag[1] is None else _unescape(tag[1]), tag.end()
    yield speaker, _strip_tags(payload[start:])


def _strip_tags(payload: str) -> str:
    return _unescape(_WEBVTT_TAG.sub("", payload))


def _unescape(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:
        # The number of a character has more digits than Python turns into one. The exception quotes the text.
        pass
    raise BadTranscript(TranscriptProblem.MALFORMED)
