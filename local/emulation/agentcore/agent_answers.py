"""What the local agent says: the passage of a lecture that has most of the question's words, and where it is.

It decides what a passage is (what is said between two pauses), which ones are best, and how the answer reads and
sounds. A word that is said everywhere tells little, so rare ones weigh more. The same lecture and question give the
same answer; another lecture gives another.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from local.emulation.speech.audio_files import encode_audio
from local.emulation.speech.tone_words import WORDS, Pause, SpokenWord, speech

CITED = 3
NOTHING = "The lecture does not say anything of this."
VOICE_RATE = 16000
VOICE_WORDS = 4
"""In one piece of audio."""
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class LecturePassage:
    """What is said between two pauses; times in milliseconds."""

    words: tuple[str, ...]
    start_ms: int
    end_ms: int

    @property
    def text(self) -> str:
        """The passage as it is quoted."""
        return " ".join(self.words)


@dataclass(frozen=True)
class AgentReply:
    """An answer, and the passages it rests on: the best one first."""

    text: str
    passages: tuple[LecturePassage, ...] = ()


def split_words(text: str) -> tuple[str, ...]:
    """The words of a text, as the vocabulary writes them."""
    return tuple(_WORD.findall(text.lower()))


def find_passages(heard: Iterable[SpokenWord | Pause]) -> list[LecturePassage]:
    """A lecture's passages, in their order."""
    found: list[LecturePassage] = []
    said: list[SpokenWord] = []
    for one in (*heard, Pause(math.inf)):
        if isinstance(one, SpokenWord):
            said.append(one)
        elif said:
            words = tuple(word.text for word in said)
            found.append(LecturePassage(words, round(said[0].start * 1000), round(said[-1].end * 1000)))
            said = []
    return found


def best_passages(lecture: Sequence[LecturePassage], asked: Iterable[str]) -> list[LecturePassage]:
    """The passages that have to do with the question, the best first, the earlier first among equals."""
    within = Counter(word for passage in lecture for word in set(passage.words))
    wanted = set(asked)

    def weight(passage: LecturePassage) -> float:
        return sum(math.log(1 + len(lecture) / within[word]) for word in wanted.intersection(passage.words))

    fitting = [passage for passage in lecture if wanted.intersection(passage.words)]
    return sorted(fitting, key=lambda passage: (-weight(passage), passage.start_ms))[:CITED]


def make_reply(lecture: Sequence[LecturePassage], asked: Sequence[str], before: Sequence[str]) -> AgentReply:
    """The answer to a question; one that leads nowhere is taken to go on with the one `before`."""
    found = best_passages(lecture, asked) or best_passages(lecture, before)
    if not found:
        return AgentReply(NOTHING)
    minutes, seconds = divmod(found[0].start_ms // 1000, 60)
    return AgentReply(f"At {minutes}:{seconds:02} you hear: {found[0].text}.", tuple(found))


def group_words(text: str) -> list[tuple[str, ...]]:
    """The words of a text that can be said, as many together as one piece of audio holds."""
    words = [word for word in split_words(text) if word in WORDS]
    return [tuple(words[start : start + VOICE_WORDS]) for start in range(0, len(words), VOICE_WORDS)]


@lru_cache(maxsize=256)
def speak(words: tuple[str, ...]) -> bytes:
    """These words as an Ogg Opus file."""
    return encode_audio(speech(words, VOICE_RATE), VOICE_RATE, "ogg-opus")
