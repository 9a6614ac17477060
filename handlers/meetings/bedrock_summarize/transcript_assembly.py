"""One transcript of a meeting, out of what Amazon Transcribe makes of each part of its sound. Pure.

What one speaker says is one piece until somebody else speaks, there is a pause, or it has become long and a sentence
ends: so each piece says within seconds when something was said, and none is too long for a model's window. Times are
moved to where the part begins. Speakers are labelled anew in each part, so labels of several parts name theirs: the
same voice may have two.

A part's output may be anything: it is parsed, bounded, and refused where its words are later than the part is long.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from handlers.common.text.text_cleaning import cleaned
from handlers.common.text.transcribe_output import ENDS, BadOutput, Mark, Word, heard
from handlers.meetings.bedrock_summarize.transcript import Transcript, TranscriptSegment

MAX_OUTPUT_BYTES = 32 * 1024**2
"""Of a part's output. Four hours of speech have about 12 MB: each word stands there twice, with its times."""
MAX_CHARACTERS = 3_000_000
"""Of all that is said: two days of speech."""
MAX_SPEAKER_CHARACTERS = 50
PAUSE_MS = 1_500
SENTENCE_END_CHARACTERS = 300
"""A piece ends with the sentence that takes it beyond this."""
MAX_SEGMENT_CHARACTERS = 1_000
"""A piece ends here in any case, unless one word is longer."""
MAX_PUNCTUATED_CHARACTERS = 5_000
"""A piece is no longer, whatever stands behind its last word."""
MAX_OVERRUN_MS = 5_000
"""How much later than its part is long a word may end: encoders pad, and times are rounded."""
UNKNOWN_SPEAKER = "unknown"
"""Who speaks where the output does not say it."""
_UNSPACED = frozenset(["ja", "th", "zh"])
"""Languages that write no spaces between words."""


class BadTranscript(Exception):
    """Outputs that are not taken. It says nothing of what is in them."""


@dataclass(frozen=True)
class TranscribedPart:
    """A part of the sound, and what was heard in it."""

    offset_ms: int
    """Where it begins in the whole."""
    duration_ms: int
    output: bytes = field(repr=False)


@dataclass
class _SegmentBuilder:
    speaker: str
    start_ms: int
    end_ms: int
    words: list[str] = field(default_factory=list)
    characters: int = 0

    def add_word(self, text: str, end_ms: int) -> None:
        self.words.append(text)
        self.characters += len(text) + 1
        self.end_ms = max(self.end_ms, end_ms)

    def add_punctuation(self, text: str) -> None:
        self.words[-1] += text
        self.characters += len(text)
        if self.characters > MAX_PUNCTUATED_CHARACTERS:
            raise BadTranscript("malformed")

    def is_continued_by(self, word: Word, speaker: str, text: str) -> bool:
        """Whether the word belongs to it."""
        if speaker != self.speaker or word.start_ms - self.end_ms > PAUSE_MS or word.start_ms < self.start_ms:
            return False
        ends = self.words[-1][-1] in ENDS
        longest = SENTENCE_END_CHARACTERS if ends else MAX_SEGMENT_CHARACTERS
        return self.characters + len(text) <= longest


def parse_part(part: TranscribedPart, language: str, number: int | None = None) -> tuple[TranscriptSegment, ...]:
    """What was said in a part, of several its number from 1; raises BadTranscript."""
    spaced = language.partition("-")[0] not in _UNSPACED
    try:
        pieces = tuple(_group_words(heard(_decode(part), part.duration_ms + MAX_OVERRUN_MS)))
    except BadOutput as bad:
        problem = bad.problem
    else:
        return tuple(
            TranscriptSegment(
                speaker=piece.speaker if number is None else f"{number}-{piece.speaker}",
                start_ms=part.offset_ms + min(piece.start_ms, part.duration_ms),
                end_ms=part.offset_ms + min(piece.end_ms, part.duration_ms),
                text=" ".join(piece.words) if spaced else _join_unspaced(piece.words),
            )
            for piece in pieces
        )
    # Out here, so that it does not hold what it was raised from.
    raise BadTranscript(problem.value)


def join_parts(parts: Iterable[Sequence[TranscriptSegment]], language: str, duration_ms: int) -> Transcript:
    """The transcript of what was said in all parts; raises BadTranscript."""
    said: list[TranscriptSegment] = []
    characters = 0
    for part in parts:
        characters += sum(len(segment.text) for segment in part)
        if characters > MAX_CHARACTERS:
            raise BadTranscript("too_large")
        said += part
    said.sort(key=lambda segment: (segment.start_ms, segment.end_ms))
    return Transcript(language=language, duration_ms=duration_ms, said=tuple(said))


def _decode(part: TranscribedPart) -> str:
    if len(part.output) > MAX_OUTPUT_BYTES:
        raise BadTranscript("too_large")
    try:
        return part.output.decode()
    except UnicodeDecodeError:
        pass
    raise BadTranscript("no_utf8")


def _group_words(words: Iterable[Word | Mark]) -> Iterator[_SegmentBuilder]:
    piece: _SegmentBuilder | None = None
    for one in words:
        text = cleaned(one.text)
        if not text:
            continue
        if isinstance(one, Mark):
            if piece is not None:
                piece.add_punctuation(text)
            continue
        speaker = cleaned(one.speaker or "")[:MAX_SPEAKER_CHARACTERS].strip() or UNKNOWN_SPEAKER
        if piece is None or not piece.is_continued_by(one, speaker, text):
            if piece is not None:
                yield piece
            piece = _SegmentBuilder(speaker, one.start_ms, max(one.start_ms, one.end_ms))
        piece.add_word(text, one.end_ms)
    if piece is not None:
        yield piece


def _join_unspaced(words: Sequence[str]) -> str:
    """Words of a language without spaces; foreign ones among them keep theirs."""
    text = ""
    for word in words:
        apart = text[-1:].isascii() and text[-1:].isalnum() and word[0].isascii() and word[0].isalnum()
        text += f" {word}" if apart else word
    return text
