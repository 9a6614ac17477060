"""Readers for the subtitle formats SubRip (SRT) and WebVTT.

SRT consists of numbered blocks, each with a line of times and lines of text. The format has no specification, so the
reader accepts what players accept. Numbers and hours may be missing, points may replace commas, and a text may contain
empty lines. But a line that starts like a line of times must be valid, so that a malformed time is never read as
speech.

WebVTT consists of a header and blocks: cues, comments, styles and regions. A block ends at an empty line, as the
specification requires. A line that contains only white space does not end a cue, because some programs write such lines
within a cue. But it ends a comment, a style or a region. A line of times also starts a new cue, even directly below the
header. A line of times within a comment does not start a cue.

The empty line between two WebVTT cues may be missing. If the line above the second line of times then contains only a
number, this number is the name of the second cue, as in SRT. Here the name is `2`:

    00:01.000 --> 00:02.000
    Good evening.
    2
    00:02.000 --> 00:03.000

Without the line `Good evening.`, the number would be the only line below the times of the first cue, so it is read as
the text of this cue. If a name is above the times of the first cue, the number is read as a name even then.

A WebVTT cue with several voices becomes one cue for each voice, all with the same times. All tags are removed from the
text, for example karaoke times, classes and ruby. Comments, styles and regions are skipped.
"""

import html
import re
from collections.abc import Iterator

from handlers.livestream.transcript.cues import BadTranscript, Cue, TranscriptProblem, strip_bounded

_TIME = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,2}):([0-9]{1,2})[.,]([0-9]{1,3})")
_TIMES = re.compile(r"[ \t]*([0-9:.,]+)[ \t]*-->[ \t]*([0-9:.,]+)(?:[ \t].*)?")
"""Line of times: start, arrow, end, and settings that position the cue on the screen."""
_LIKE_TIMES = re.compile(r"[ \t]*[-+]?[0-9]+[:.,][-+0-9:.,]*[ \t]*-->")
"""Start of a line that looks like a line of times, whether or not its times are valid."""
_NUMBER = re.compile(r"[ \t]*[0-9]+[ \t]*")
"""Line that contains only a number, as above the times of an SRT block."""
_SRT_TAG = re.compile(r"</?(?:b|i|u|s|font)(?:\s[^<>]*)?>|\{\\[^{}]*\}|\{/?[biu]\}", re.IGNORECASE)
"""Tags that players interpret as style. Other text in angle brackets is kept, because it may be speech."""
_WEBVTT_HEADER = re.compile(r"WEBVTT(?:[ \t].*)?")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t\n]([^<>]*)>|</v>")
"""Start or end of a voice. The pattern allows one blank before the name, which may contain blanks itself. With several
optional blanks, the search would backtrack over all of them in text that has no closing bracket."""
_WEBVTT_TAG = re.compile(r"<[^<>]*>")
_OTHER_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t].*)?")
"""First line of a comment, a style or a region."""


def is_srt(lines: list[str]) -> bool:
    """Return True if at least one line looks like a line of times."""
    return any(_LIKE_TIMES.match(line) for line in lines)


def srt_cues(lines: list[str]) -> Iterator[Cue]:
    times: tuple[int, int] | None = None
    text_lines: list[str] = []
    for line in lines:
        if _LIKE_TIMES.match(line) is None:
            text_lines.append(line)
            continue
        if text_lines and _NUMBER.fullmatch(text_lines[-1]):
            text_lines.pop()
        yield from _srt_cue(times, text_lines)
        times, text_lines = _parse_times_line(line), []
    yield from _srt_cue(times, text_lines)


def _parse_times_line(line: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(line)
    if match is None:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    return _parse_time(match[1]), _parse_time(match[2])


def _srt_cue(times: tuple[int, int] | None, text_lines: list[str]) -> Iterator[Cue]:
    text = _SRT_TAG.sub("", "\n".join(text_lines))
    if times is not None:
        yield Cue(*times, text)
    elif text.strip():
        # There is text before the first line of times. So the file is not SRT, or its beginning is lost.
        raise BadTranscript(TranscriptProblem.MALFORMED)


def _parse_time(written: str) -> int:
    """Return a time such as `1:02:03,450` or `02:03.450` in milliseconds."""
    match = _TIME.fullmatch(written)
    if match is None:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    hours, minutes, seconds = (int(part or 0) for part in match.group(1, 2, 3))
    if minutes > 59 or seconds > 59:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int(match[4].ljust(3, "0"))


def is_webvtt(lines: list[str]) -> bool:
    """Return True if the first line is a WebVTT header."""
    return bool(lines) and _WEBVTT_HEADER.fullmatch(lines[0]) is not None


def webvtt_cues(lines: list[str]) -> Iterator[Cue]:
    for block in _blocks(lines[1:]):
        # The line of times is the first line of a cue, or the second one below the cue's name.
        times_index = next((index for index, line in enumerate(block[:2]) if "-->" in line), None)
        if times_index is None:
            continue  # text of the header, or an empty block
        if _LIKE_TIMES.match(block[times_index]) is None:
            raise BadTranscript(TranscriptProblem.BAD_TIMES)
        start_ms, end_ms = _parse_times_line(block[times_index])
        for speaker, text in _voices(strip_bounded("\n".join(block[times_index + 1 :]))):
            yield Cue(start_ms, end_ms, text, speaker)


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Yield the blocks that are not comments, styles or regions. A block may have a cue name above its times."""
    block: list[str] = []
    in_other_block = False
    for line in lines:
        if in_other_block:
            in_other_block = bool(line.strip())
        elif not line:
            yield block
            block = []
        elif not block and _OTHER_BLOCK.fullmatch(line):
            in_other_block = True
        elif _LIKE_TIMES.match(line) and (len(block) > 1 or (block and _LIKE_TIMES.match(block[0]))):
            # The block is more than the name of a cue, so these times start a new cue. The module's docstring explains
            # a number at the end of the block.
            if len(block) > 2 and _NUMBER.fullmatch(block[-1]):
                block.pop()
            yield block
            block = [line]
        else:
            block.append(line)
    yield block


def _voices(payload: str) -> Iterator[tuple[str | None, str]]:
    """Yield each voice and its text. The voice is None for text outside voice tags."""
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
        # A character reference has more digits than Python converts. The exception would quote the text.
        pass
    raise BadTranscript(TranscriptProblem.MALFORMED)
