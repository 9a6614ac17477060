"""Conversion of the outputs of Amazon Transcribe into the segments of the meeting's transcript.

Amazon Transcribe writes a separate output, a JSON file, for each part of the audio. Times in an output count from the
start of the part, so the part's start is added to them. The labels of speakers are separate for each part, so one person
may have several labels.

A transcript consists of segments. A segment ends when another speaker begins, after a pause, or at the end of a
sentence once the segment is long. So each segment's time is exact within seconds, and no segment is too long for a
model request.
"""

from collections.abc import Sequence

from handlers.common.text import clean_text
from handlers.common.transcribe_output import join_words, parse_transcribe_output
from handlers.meetings.bedrock_summarize.models import TranscriptSegment
from handlers.meetings.recording_files import AudioPart

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


def parse_part(
    part: AudioPart, output: bytes, language: str, speaker_prefix: str = ""
) -> tuple[TranscriptSegment, ...]:
    """Return the segments of a part from its output of Amazon Transcribe.

    Raises InvalidTranscribeOutput or UnicodeDecodeError.
    """
    words = parse_transcribe_output(output.decode(), part.duration_ms + MAX_OVERRUN_MS)
    has_spaces = language.partition("-")[0] not in _UNSPACED
    return tuple(
        TranscriptSegment(
            speaker=speaker_prefix + (clean_text(speech.speaker or "") or UNKNOWN_SPEAKER),
            start_ms=part.offset_ms + min(speech.start_ms, part.duration_ms),
            end_ms=part.offset_ms + min(speech.end_ms, part.duration_ms),
            text=" ".join(speech.words) if has_spaces else _join_unspaced(speech.words),
        )
        for speech in join_words(words, MAX_SEGMENT_CHARACTERS, SENTENCE_END_CHARACTERS)
    )


def _join_unspaced(words: Sequence[str]) -> str:
    """Join the words of a language without spaces. Neighbouring words in Latin letters or digits keep a space."""
    text = ""
    for word in words:
        needs_space = text[-1:].isascii() and text[-1:].isalnum() and word[0].isascii() and word[0].isalnum()
        text += f" {word}" if needs_space else word
    return text
