"""Finds the answer to a question in a lecture, for the local voice Q&A agent, and speaks it.

The lecture is divided into passages, which are the words between two pauses. The answer quotes the passage that shares
the most words with the question. A word that occurs in few passages counts more. The same lecture and question always
give the same answer.

Speech consists of tones: each word of a small vocabulary (`tone_words.WORDS`) is a pair of tones. Other words of an
answer are only written.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from local.emulation.speech.audio_encoding_and_recognition import encode_audio
from local.emulation.speech.tone_words import WORDS, Pause, SpokenWord, speech

MAX_CITED = 3
NO_MATCH_ANSWER = "The lecture does not say anything about this."
SAMPLE_RATE = 16000
"""Samples per second of spoken answers."""
PIECE_WORDS = 4
"""Maximum number of words in one audio message of an answer."""
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class LecturePassage:
    """Words of a lecture between two pauses."""

    words: tuple[str, ...]
    start_ms: int
    end_ms: int

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class AgentReply:
    """Answer with the passages that it cites, the best passage first."""

    text: str
    passages: tuple[LecturePassage, ...] = ()


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case and without punctuation, like the words of the vocabulary."""
    return tuple(_WORD.findall(text.lower()))


def find_passages(recognised: Iterable[SpokenWord | Pause]) -> list[LecturePassage]:
    passages: list[LecturePassage] = []
    passage: list[SpokenWord] = []
    for item in (*recognised, Pause(math.inf)):
        if isinstance(item, SpokenWord):
            passage.append(item)
        elif passage:
            words = tuple(word.text for word in passage)
            passages.append(LecturePassage(words, round(passage[0].start * 1000), round(passage[-1].end * 1000)))
            passage = []
    return passages


def find_best_passages(lecture: Sequence[LecturePassage], question_words: Iterable[str]) -> list[LecturePassage]:
    """Return up to MAX_CITED passages that share words with the question, the best passage first.

    Of two equally good passages, the earlier one comes first.
    """
    passage_counts = Counter(word for passage in lecture for word in set(passage.words))
    wanted = set(question_words)

    def weight(passage: LecturePassage) -> float:
        return sum(math.log(1 + len(lecture) / passage_counts[word]) for word in wanted.intersection(passage.words))

    matching = [passage for passage in lecture if wanted.intersection(passage.words)]
    return sorted(matching, key=lambda passage: (-weight(passage), passage.start_ms))[:MAX_CITED]


def make_reply(
    lecture: Sequence[LecturePassage], question_words: Sequence[str], previous_words: Sequence[str]
) -> AgentReply:
    """Return the answer to a question. If no passage matches it, search for the words of the previous question."""
    passages = find_best_passages(lecture, question_words) or find_best_passages(lecture, previous_words)
    if not passages:
        return AgentReply(NO_MATCH_ANSWER)
    minutes, seconds = divmod(passages[0].start_ms // 1000, 60)
    return AgentReply(f"At {minutes}:{seconds:02} you hear: {passages[0].text}.", tuple(passages))


def group_words(text: str) -> list[tuple[str, ...]]:
    """Return the words of a text that are in the vocabulary, in groups of up to PIECE_WORDS."""
    words = [word for word in split_words(text) if word in WORDS]
    return [tuple(words[start : start + PIECE_WORDS]) for start in range(0, len(words), PIECE_WORDS)]


@lru_cache(maxsize=256)
def speak(words: tuple[str, ...]) -> bytes:
    """Return words of the vocabulary as an Ogg Opus file."""
    return encode_audio(speech(words, SAMPLE_RATE), SAMPLE_RATE, "ogg-opus")
