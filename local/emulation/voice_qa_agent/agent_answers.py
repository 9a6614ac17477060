"""Makes the local agent's answers: the passages of a lecture that share words with the question, and their times.

A passage is the words between two pauses. Rare words have a higher weight, because a word that occurs everywhere
does not identify a passage. The same lecture and question always give the same answer.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from local.emulation.speech.audio_files import encode_audio
from local.emulation.speech.tone_words import WORDS, Pause, SpokenWord, speech

MAX_CITED = 3
"""Maximum number of passages that an answer cites."""
NOTHING = "The lecture does not say anything about this."
VOICE_RATE = 16000
VOICE_WORDS = 4
"""Number of words in one audio piece."""
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class LecturePassage:
    """Words between two pauses, with times in milliseconds."""

    words: tuple[str, ...]
    start_ms: int
    end_ms: int

    @property
    def text(self) -> str:
        """The passage as a quote."""
        return " ".join(self.words)


@dataclass(frozen=True)
class AgentReply:
    """An answer with the passages that it cites, the best one first."""

    text: str
    passages: tuple[LecturePassage, ...] = ()


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a text, as the vocabulary spells them."""
    return tuple(_WORD.findall(text.lower()))


def find_passages(heard: Iterable[SpokenWord | Pause]) -> list[LecturePassage]:
    """Return a lecture's passages in order."""
    passages: list[LecturePassage] = []
    passage: list[SpokenWord] = []
    for item in (*heard, Pause(math.inf)):
        if isinstance(item, SpokenWord):
            passage.append(item)
        elif passage:
            words = tuple(word.text for word in passage)
            passages.append(LecturePassage(words, round(passage[0].start * 1000), round(passage[-1].end * 1000)))
            passage = []
    return passages


def best_passages(lecture: Sequence[LecturePassage], asked: Iterable[str]) -> list[LecturePassage]:
    """Return the passages that share words with the question: the best first, the earlier first if equal."""
    within = Counter(word for passage in lecture for word in set(passage.words))
    wanted = set(asked)

    def weight(passage: LecturePassage) -> float:
        return sum(math.log(1 + len(lecture) / within[word]) for word in wanted.intersection(passage.words))

    fitting = [passage for passage in lecture if wanted.intersection(passage.words)]
    return sorted(fitting, key=lambda passage: (-weight(passage), passage.start_ms))[:MAX_CITED]


def make_reply(lecture: Sequence[LecturePassage], asked: Sequence[str], before: Sequence[str]) -> AgentReply:
    """Return the answer to a question. `before` is the previous question, which is used if no passage matches this one."""
    passages = best_passages(lecture, asked) or best_passages(lecture, before)
    if not passages:
        return AgentReply(NOTHING)
    minutes, seconds = divmod(passages[0].start_ms // 1000, 60)
    return AgentReply(f"At {minutes}:{seconds:02} you hear: {passages[0].text}.", tuple(passages))


def group_words(text: str) -> list[tuple[str, ...]]:
    """Return the words of a text that can be spoken, in groups of the size of one audio piece."""
    words = [word for word in split_words(text) if word in WORDS]
    return [tuple(words[start : start + VOICE_WORDS]) for start in range(0, len(words), VOICE_WORDS)]


@lru_cache(maxsize=256)
def speak(words: tuple[str, ...]) -> bytes:
    """Return these words as an Ogg Opus file."""
    return encode_audio(speech(words, VOICE_RATE), VOICE_RATE, "ogg-opus")
