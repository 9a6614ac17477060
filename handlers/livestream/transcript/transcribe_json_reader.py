"""Reader for the JSON output of an Amazon Transcribe job.

The output contains single words. They are joined to cues, usually one for each sentence. A cue also ends at a change of
speaker or a pause, at its maximum length, and before a word that starts earlier than the cue itself.
"""

from collections.abc import Iterable, Iterator

from handlers.common.transcribe_output import (
    SENTENCE_ENDS,
    InvalidTranscribeOutput,
    PunctuationMark,
    TranscribedWord,
    TranscribeOutputProblem,
    parse_transcribe_output,
)
from handlers.livestream.transcript.cues import (
    MAX_CUE_CHARACTERS,
    MAX_MS,
    SENTENCE_CHARACTERS,
    BadTranscript,
    Cue,
    TranscriptProblem,
)

PAUSE_MS = 1_500
"""Pause between two words after which a new cue begins."""
_PROBLEMS = {
    TranscribeOutputProblem.MALFORMED: TranscriptProblem.MALFORMED,
    TranscribeOutputProblem.BAD_TIMES: TranscriptProblem.BAD_TIMES,
}
"""Problem of the transcript for each problem of the job's output."""


def transcribe_cues(text: str) -> Iterator[Cue]:
    """Yield the cues of a job's output. Raise BadTranscript if it is malformed."""
    try:
        yield from _cues(parse_transcribe_output(text, MAX_MS))
    except InvalidTranscribeOutput as error:
        # The new exception is raised outside this block, so that no earlier exception is attached to it.
        problem = error.problem
    else:
        return
    raise BadTranscript(_PROBLEMS[problem])


def _cues(words: Iterable[TranscribedWord | PunctuationMark]) -> Iterator[Cue]:
    sentence: list[str] = []
    start_ms = end_ms = 0
    speaker: str | None = None
    for item in words:
        if isinstance(item, PunctuationMark):
            if sentence:
                sentence[-1] = _append_mark(sentence[-1], item.text)
                if item.text in SENTENCE_ENDS:
                    yield Cue(start_ms, end_ms, " ".join(sentence), speaker)
                    sentence = []
            continue
        length = sum(len(word) + 1 for word in sentence) + len(item.text)
        is_new_cue = item.speaker != speaker or item.start_ms - end_ms > PAUSE_MS or item.start_ms < start_ms
        if sentence and (is_new_cue or length > SENTENCE_CHARACTERS):
            yield Cue(start_ms, end_ms, " ".join(sentence), speaker)
            sentence = []
        if not sentence:
            start_ms, end_ms, speaker = item.start_ms, item.end_ms, item.speaker
        sentence.append(item.text)
        end_ms = max(end_ms, item.end_ms)
    if sentence:
        yield Cue(start_ms, end_ms, " ".join(sentence), speaker)


def _append_mark(word: str, mark: str) -> str:
    """Append a punctuation mark to a word.

    Raise BadTranscript if the word is already too long for a cue. A hostile file may have any number of marks in a row.
    """
    if len(word) > MAX_CUE_CHARACTERS:
        raise BadTranscript(TranscriptProblem.TOO_LONG_CUE)
    return word + mark
