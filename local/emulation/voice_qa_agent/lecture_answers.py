"""Finds the answer to a question in a lecture, for the local voice Q&A agent.

The lecture is divided into passages, which are the recognised lines. The answer quotes the passage that shares the most
content words with the question. A content word is a word that says something about the subject, unlike `what` or `the`.
A word that occurs in few passages counts more. The same lecture and question always give the same answer.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_CITED = 3
NO_MATCH_ANSWER = "The lecture does not say anything about this."
MIN_SHARED_SHARE = 0.5
"""Minimum share of the question's content words that a passage must contain to be an answer."""
_WORD = re.compile(r"[a-z0-9']+")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a about again all also am an and any are as at be because been but by can could did do does for from had has "
        "have he her here him his how i if in into is it it's its just let me more most my no not now of on one or our "
        "out please say says she should so some tell than thank that the their them then there these they this those "
        "to today too us very was we were what what's when where which who why will with would you your"
    )
)
"""Words that say nothing about the subject of a question."""


@dataclass(frozen=True)
class LecturePassage:
    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class AgentReply:
    """Answer with the passages that it cites, the best passage first."""

    text: str
    passages: tuple[LecturePassage, ...] = ()


def find_content_words(text: str) -> set[str]:
    """Return the content words of a text. The plural counts as the singular."""
    return {word.removesuffix("s") for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS}


def find_best_passages(lecture: Sequence[LecturePassage], wanted: Iterable[str]) -> list[LecturePassage]:
    """Return up to MAX_CITED passages that contain enough of the wanted words, the best passage first.

    Of two equally good passages, the earlier one comes first.
    """
    wanted = set(wanted)
    found = [(passage, find_content_words(passage.text)) for passage in lecture]
    passage_counts = Counter(word for _, words in found for word in words)

    def weight(words: set[str]) -> float:
        return sum(math.log(1 + len(lecture) / passage_counts[word]) for word in wanted & words)

    matching = [
        (passage, words)
        for passage, words in found
        if wanted & words and len(wanted & words) >= MIN_SHARED_SHARE * len(wanted)
    ]
    best = sorted(matching, key=lambda match: (-weight(match[1]), match[0].start_ms))
    return [passage for passage, _ in best[:MAX_CITED]]


def make_reply(lecture: Sequence[LecturePassage], question: str, previous_question: str = "") -> AgentReply:
    """Return the answer to a question.

    A question without content words, such as "Tell me more", is about the subject of the previous question.
    """
    wanted = find_content_words(question) or find_content_words(previous_question)
    passages = find_best_passages(lecture, wanted)
    if not passages:
        return AgentReply(NO_MATCH_ANSWER)
    minutes, seconds = divmod(passages[0].start_ms // 1000, 60)
    return AgentReply(f"At {minutes}:{seconds:02} you hear: {passages[0].text}", tuple(passages))
