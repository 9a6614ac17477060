"""Conversion of the outputs of Amazon Transcribe into one transcript of the meeting.

A transcript consists of segments. A segment ends when another speaker begins, after a pause, or at the end of a
sentence once the segment is long. So each segment's time is exact within seconds, and no segment is too long for a
model request.

Each part of the audio has its own output. The start of the part is added to all times. Amazon Transcribe labels the
speakers of each part separately. So labels of several parts include the part's number, and one voice may have two
labels.

Outputs are untrusted. They are limited in size and validated, and rejected if words end later than the part.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from handlers.common.text.text_cleaning import clean_text
from handlers.common.text.transcribe_output import (
    SENTENCE_ENDS,
    InvalidTranscribeOutput,
    PunctuationMark,
    TranscribedWord,
    parse_transcribe_output,
)
from handlers.meetings.bedrock_summarize.transcript import Transcript, TranscriptSegment

MAX_OUTPUT_BYTES = 32 * 1024**2
"""Maximum size of a part's output. Four hours of speech take about 12 MB, because each word occurs twice with its
times.
"""
MAX_CHARACTERS = 3_000_000
"""Maximum length of the whole transcript: about two days of speech."""
MAX_SPEAKER_CHARACTERS = 50
PAUSE_MS = 1_500
"""A longer pause between two words ends a segment."""
SENTENCE_END_CHARACTERS = 300
"""Once a segment is longer than this, it ends with its sentence."""
MAX_SEGMENT_CHARACTERS = 1_000
"""Maximum length to which a further word may extend a segment. The first word may be longer."""
MAX_PUNCTUATED_CHARACTERS = 5_000
"""Maximum length of a segment with the punctuation that follows its words. An output with a longer one is rejected,
because no speech has so much punctuation.
"""
MAX_OVERRUN_MS = 5_000
"""Tolerance for words that end after their part, because encoders pad audio and times are rounded."""
UNKNOWN_SPEAKER = "unknown"
"""Label for words without a speaker."""
_UNSPACED = frozenset(["ja", "th", "zh"])
"""Languages that are written without spaces between words."""


class InvalidPartOutput(Exception):
    """An output was rejected. The message contains nothing from it."""


@dataclass(frozen=True)
class TranscribedPart:
    """A part of the audio with the output of Amazon Transcribe."""

    offset_ms: int
    """Start of the part within the whole audio."""
    duration_ms: int
    output: bytes = field(repr=False)
    """JSON file that Amazon Transcribe wrote."""


@dataclass
class _SegmentBuilder:
    """A segment to which words are added."""

    speaker: str
    start_ms: int
    """Start within the part."""
    end_ms: int
    """End of the latest word within the part."""
    words: list[str] = field(default_factory=list)
    characters: int = 0
    """Length of the text, with a space after each word."""

    def add_word(self, text: str, end_ms: int) -> None:
        self.words.append(text)
        self.characters += len(text) + 1
        self.end_ms = max(self.end_ms, end_ms)

    def add_punctuation(self, text: str) -> None:
        self.words[-1] += text
        self.characters += len(text)
        if self.characters > MAX_PUNCTUATED_CHARACTERS:
            raise InvalidPartOutput("malformed")

    def is_continued_by(self, word: TranscribedWord, speaker: str, text: str) -> bool:
        """Return True if the word belongs to this segment."""
        if speaker != self.speaker or word.start_ms - self.end_ms > PAUSE_MS or word.start_ms < self.start_ms:
            return False
        ends_sentence = self.words[-1][-1] in SENTENCE_ENDS
        max_characters = SENTENCE_END_CHARACTERS if ends_sentence else MAX_SEGMENT_CHARACTERS
        return self.characters + len(text) <= max_characters


def parse_part(part: TranscribedPart, language: str, part_number: int | None = None) -> tuple[TranscriptSegment, ...]:
    """Return the segments of a part. `part_number` counts from 1; None if it is the only part.

    Raises InvalidPartOutput.
    """
    has_spaces = language.partition("-")[0] not in _UNSPACED
    try:
        segments = tuple(_group_words(parse_transcribe_output(_decode(part), part.duration_ms + MAX_OVERRUN_MS)))
    except InvalidTranscribeOutput as error:
        problem = error.problem
    else:
        return tuple(
            TranscriptSegment(
                speaker=segment.speaker if part_number is None else f"{part_number}-{segment.speaker}",
                start_ms=part.offset_ms + min(segment.start_ms, part.duration_ms),
                end_ms=part.offset_ms + min(segment.end_ms, part.duration_ms),
                text=" ".join(segment.words) if has_spaces else _join_unspaced(segment.words),
            )
            for segment in segments
        )
    # Raised outside the except block, so that the exception does not refer to the output.
    raise InvalidPartOutput(problem.value)


def join_parts(parts: Iterable[Sequence[TranscriptSegment]], language: str, duration_ms: int) -> Transcript:
    """Return the transcript of all parts; raise InvalidPartOutput."""
    segments: list[TranscriptSegment] = []
    characters = 0
    for part in parts:
        characters += sum(len(segment.text) for segment in part)
        if characters > MAX_CHARACTERS:
            raise InvalidPartOutput("too_large")
        segments += part
    segments.sort(key=lambda segment: (segment.start_ms, segment.end_ms))
    return Transcript(language=language, duration_ms=duration_ms, said=tuple(segments))


def _decode(part: TranscribedPart) -> str:
    if len(part.output) > MAX_OUTPUT_BYTES:
        raise InvalidPartOutput("too_large")
    try:
        return part.output.decode()
    except UnicodeDecodeError:
        pass
    raise InvalidPartOutput("no_utf8")


def _group_words(items: Iterable[TranscribedWord | PunctuationMark]) -> Iterator[_SegmentBuilder]:
    """Yield the segments of a part."""
    segment: _SegmentBuilder | None = None
    for item in items:
        text = clean_text(item.text)
        if not text:
            continue
        if isinstance(item, PunctuationMark):
            if segment is not None:
                segment.add_punctuation(text)
            continue
        speaker = clean_text(item.speaker or "")[:MAX_SPEAKER_CHARACTERS].strip() or UNKNOWN_SPEAKER
        if segment is None or not segment.is_continued_by(item, speaker, text):
            if segment is not None:
                yield segment
            segment = _SegmentBuilder(speaker, item.start_ms, max(item.start_ms, item.end_ms))
        segment.add_word(text, item.end_ms)
    if segment is not None:
        yield segment


def _join_unspaced(words: Sequence[str]) -> str:
    """Join the words of a language without spaces. Neighbouring words in Latin letters keep a space between them."""
    text = ""
    for word in words:
        needs_space = text[-1:].isascii() and text[-1:].isalnum() and word[0].isascii() and word[0].isalnum()
        text += f" {word}" if needs_space else word
    return text
