"""Conversion of the outputs of Amazon Transcribe into the segments of the meeting's transcript.

Amazon Transcribe writes a separate output, a JSON file, for each part of the audio. Times in an output count from the
start of the part, so the part's start is added to them. The labels of speakers are separate for each part, so one person
may have several labels.

A transcript consists of segments. A segment ends when another speaker begins, after a pause, or at the end of a
sentence once the segment is long. So each segment's time is exact within seconds, and no segment is too long for a
model request.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from handlers.common.text import clean_text
from handlers.common.transcribe_output import (
    SENTENCE_ENDS,
    PunctuationMark,
    TranscribedWord,
    parse_transcribe_output,
)
from handlers.meetings.bedrock_summarize.models import TranscriptSegment
from handlers.meetings.recording_files import AudioPart

PAUSE_MS = 1_500
"""A longer pause between two words ends a segment."""
SENTENCE_END_CHARACTERS = 300
"""A new sentence is added to a segment only if the segment with the sentence's first word is not longer than this."""
MAX_SEGMENT_CHARACTERS = 1_000
"""A further word of a sentence is added to a segment only if the segment is then not longer than this."""
MAX_OVERRUN_MS = 5_000
"""A word may end this long after the end of its part, because encoders pad the audio and times are rounded. An output
with a later word is rejected, because it does not fit the part."""
UNKNOWN_SPEAKER = "unknown"
"""Label for words without a speaker."""
_UNSPACED = frozenset(["ja", "th", "zh"])
"""Languages that are written without spaces between words."""


@dataclass
class _SegmentBuilder:
    """A segment to which words are still added. Its times count from the start of the part."""

    speaker: str
    start_ms: int
    end_ms: int
    """Latest end of its words."""
    words: list[str] = field(default_factory=list)

    def add_word(self, text: str, end_ms: int) -> None:
        self.words.append(text)
        self.end_ms = max(self.end_ms, end_ms)

    def is_continued_by(self, word: TranscribedWord, speaker: str, text: str) -> bool:
        """Return True if the next word, whose clean text is `text`, belongs to this segment."""
        if speaker != self.speaker or word.start_ms - self.end_ms > PAUSE_MS:
            return False
        ends_sentence = self.words[-1][-1] in SENTENCE_ENDS
        max_characters = SENTENCE_END_CHARACTERS if ends_sentence else MAX_SEGMENT_CHARACTERS
        return len(" ".join([*self.words, text])) <= max_characters


def parse_part(
    part: AudioPart, output: bytes, language: str, speaker_prefix: str = ""
) -> tuple[TranscriptSegment, ...]:
    """Return the segments of a part from its output of Amazon Transcribe.

    Raises InvalidTranscribeOutput or UnicodeDecodeError.
    """
    segments: list[_SegmentBuilder] = []
    for item in parse_transcribe_output(output.decode(), part.duration_ms + MAX_OVERRUN_MS):
        text = clean_text(item.text)
        if not text:
            continue
        if isinstance(item, PunctuationMark):
            if segments:
                segments[-1].words[-1] += text
            continue
        speaker = clean_text(item.speaker or "") or UNKNOWN_SPEAKER
        if not segments or not segments[-1].is_continued_by(item, speaker, text):
            segments.append(_SegmentBuilder(speaker, item.start_ms, item.start_ms))
        segments[-1].add_word(text, item.end_ms)
    has_spaces = language.partition("-")[0] not in _UNSPACED
    return tuple(
        TranscriptSegment(
            speaker=speaker_prefix + segment.speaker,
            start_ms=part.offset_ms + min(segment.start_ms, part.duration_ms),
            end_ms=part.offset_ms + min(segment.end_ms, part.duration_ms),
            text=" ".join(segment.words) if has_spaces else _join_unspaced(segment.words),
        )
        for segment in segments
    )


def _join_unspaced(words: Sequence[str]) -> str:
    """Join the words of a language without spaces. Neighbouring words in Latin letters or digits keep a space."""
    text = ""
    for word in words:
        needs_space = text[-1:].isascii() and text[-1:].isalnum() and word[0].isascii() and word[0].isalnum()
        text += f" {word}" if needs_space else word
    return text
