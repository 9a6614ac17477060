"""WebVTT: a head, then blocks: cues, comments, styles and regions. Pure.

Blocks end where the specification ends them: at an empty line, not at one of blanks, which is in the midst of what some
programs write; and where times begin the next cue, also right under the head. A number alone before such times is theirs,
as in SRT, and times within a comment begin nothing.

A cue in which several voices speak becomes one cue a voice, all with its times. Karaoke times, classes and rubies are
style; a block that is none of these is passed over, as the specification wants it.
"""

import html
import re
from collections.abc import Iterator

from handlers.livestream.cues import BadTranscript, Cue, TranscriptProblem, bounded
from handlers.livestream.srt import LIKE_TIMES, NUMBER, times_of

_HEAD = re.compile(r"WEBVTT(?:[ \t].*)?")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t\n]([^<>]*)>|</v>")
"""One blank, because the name may have blanks too: of several that no bracket ends, each would be tried as the last."""
_TAG = re.compile(r"<[^<>]*>")
_OTHER_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t].*)?")


def is_webvtt(lines: list[str]) -> bool:
    """Whether the head says so."""
    return bool(lines) and _HEAD.fullmatch(lines[0]) is not None


def webvtt_cues(lines: list[str]) -> Iterator[Cue]:
    """The cues, as they stand there."""
    for block in _blocks(lines[1:]):
        at = next((at for at, line in enumerate(block[:2]) if "-->" in line), None)
        if at is None:
            continue  # what the head says, or nothing
        if LIKE_TIMES.match(block[at]) is None:
            raise BadTranscript(TranscriptProblem.BAD_TIMES)
        start_ms, end_ms = times_of(block[at])
        for speaker, text in _voices(bounded("\n".join(block[at + 1 :]))):
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
        elif LIKE_TIMES.match(line) and (len(block) > 1 or (block and LIKE_TIMES.match(block[0]))):
            if len(block) > 2 and NUMBER.fullmatch(block[-1]):
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
        yield speaker, _plain(payload[start : tag.start()])
        speaker, start = None if tag[1] is None else _unescaped(tag[1]), tag.end()
    yield speaker, _plain(payload[start:])


def _plain(payload: str) -> str:
    return _unescaped(_TAG.sub("", payload))


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:
        # The number of a character has more digits than Python turns into one. The exception quotes the text.
        pass
    raise BadTranscript(TranscriptProblem.MALFORMED)
