"""SubRip: numbered blocks of a line of times and lines of text. Pure.

Nobody wrote it down, so what players take is taken: numbers may be missing, hours too, points stand for commas, and
empty lines are within a text. What begins like a line of times must be one, though: a wrong time is never read as
something said.
"""

import re
from collections.abc import Iterator

from handlers.livestream.cues import BadTranscript, Cue, TranscriptProblem, milliseconds

TIMES = re.compile(r"[ \t]*([0-9:.,]+)[ \t]*-->[ \t]*([0-9:.,]+)(?:[ \t].*)?")
"""A line of times; what follows them says where on the screen."""
LIKE_TIMES = re.compile(r"[ \t]*[-+]?[0-9]+[:.,][-+0-9:.,]*[ \t]*-->")
NUMBER = re.compile(r"[ \t]*[0-9]+[ \t]*")
_TAG = re.compile(r"</?(?:b|i|u|s|font)(?:\s[^<>]*)?>|\{\\[^{}]*\}|\{/?[biu]\}", re.IGNORECASE)
"""What players show as style. Any other angle bracket may be something that was written."""


def is_srt(lines: list[str]) -> bool:
    """Whether there is a line of times in it."""
    return any(LIKE_TIMES.match(line) for line in lines)


def srt_cues(lines: list[str]) -> Iterator[Cue]:
    """The cues, as they stand there."""
    times: tuple[int, int] | None = None
    said: list[str] = []
    for line in lines:
        if LIKE_TIMES.match(line) is None:
            said.append(line)
            continue
        if said and NUMBER.fullmatch(said[-1]):
            said.pop()
        yield from _cue(times, said)
        times, said = times_of(line), []
    yield from _cue(times, said)


def times_of(line: str) -> tuple[int, int]:
    """From when to when."""
    found = TIMES.fullmatch(line)
    if found is None:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    return milliseconds(found[1]), milliseconds(found[2])


def _cue(times: tuple[int, int] | None, said: list[str]) -> Iterator[Cue]:
    text = _TAG.sub("", "\n".join(said))
    if times is not None:
        yield Cue(*times, text)
    elif text.strip():
        # Something stands before the first times: this is no SRT, or its beginning is lost.
        raise BadTranscript(TranscriptProblem.MALFORMED)
