"""Cues of the JSON that an Amazon Transcribe job writes. Pure.

Words become cues by sentence: one ends at a full stop, where somebody else speaks, where there is a pause, and where it
would grow too long.
"""

from collections.abc import Iterable, Iterator

from handlers.common.text.transcribe_output import (
    SENTENCE_ENDS,
    InvalidTranscribeOutput,
    PunctuationMark,
    TranscribedWord,
    TranscribeOutputProblem,
    parse_transcribe_output,
)
from handlers.livestream.transcript.cues import MAX_CUE_CHARACTERS, MAX_MS, BadTranscript, Cue, TranscriptProblem

PAUSE_MS = 1_500
SENTENCE_CHARACTERS = 300
_PROBLEMS = {
    TranscribeOutputProblem.MALFORMED: TranscriptProblem.MALFORMED,
    TranscribeOutputProblem.BAD_TIMES: TranscriptProblem.BAD_TIMES,
}


def transcribe_cues(text: str) -> Iterator[Cue]:
    """The cues of a job's output."""
    try:
        yield from _cues(parse_transcribe_output(text, MAX_MS))
    except InvalidTranscribeOutput as bad:
        problem = bad.problem
    else:
        return
    raise BadTranscript(_PROBLEMS[problem])


def _cues(words: Iterable[TranscribedWord | PunctuationMark]) -> Iterator[Cue]:
    sentence: list[str] = []
    start_ms = end_ms = 0
    speaker: str | None = None
    for one in words:
        if isinstance(one, PunctuationMark):
            if sentence:
                sentence[-1] = _with(sentence[-1], one.text)
                if one.text in SENTENCE_ENDS:
                    yield Cue(start_ms, end_ms, " ".join(sentence), speaker)
                    sentence = []
            continue
        length = sum(len(word) + 1 for word in sentence) + len(one.text)
        apart = one.speaker != speaker or one.start_ms - end_ms > PAUSE_MS or one.start_ms < start_ms
        if sentence and (apart or length > SENTENCE_CHARACTERS):
            yield Cue(start_ms, end_ms, " ".join(sentence), speaker)
            sentence = []
        if not sentence:
            start_ms, end_ms, speaker = one.start_ms, one.end_ms, one.speaker
        sentence.append(one.text)
        end_ms = max(end_ms, one.end_ms)
    if sentence:
        yield Cue(start_ms, end_ms, " ".join(sentence), speaker)


def _with(word: str, mark: str) -> str:
    if len(word) > MAX_CUE_CHARACTERS:
        raise BadTranscript(TranscriptProblem.TOO_LONG_CUE)
    return word + mark
