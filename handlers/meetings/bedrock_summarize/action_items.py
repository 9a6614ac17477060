"""Holds action items to the transcript, and brings those of several parts together. Pure.

The model decides what is an action item; code decides that somebody said it. A quote that was not said drops its item,
and what is kept of it is the transcript's own wording with its time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from handlers.common.text.quote_search import QuoteSearch, split_words
from handlers.common.text.text_cleaning import clean_text
from handlers.common.text.text_windows import Window
from handlers.meetings.bedrock_summarize.model_answers import SaidItem
from handlers.meetings.bedrock_summarize.summary import ActionItem, Quoted
from handlers.meetings.bedrock_summarize.transcript import Said


@dataclass(frozen=True)
class Placed:
    """An action item, and which words of the transcript make it one."""

    item: ActionItem = field(repr=False)
    first: tuple[int, int]
    """The number of the piece that its quote begins in, and of the word there."""
    last: tuple[int, int]
    ahead: bool = False
    """Whether it begins in what follows its part, and so belongs to the next one."""

    def overlaps(self, other: "Placed") -> bool:
        """Whether both rest on some same words."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Checked:
    """What is left of an answer."""

    placed: tuple[Placed, ...]
    dropped: int
    """Items whose quote was not said."""


def checked(items: Iterable[SaidItem], window: Window[Said]) -> Checked:
    """What can be kept of a window's items."""
    spoken = QuoteSearch(window.passages)
    placed: list[Placed] = []
    dropped = 0
    for one in items:
        found = spoken.find(one.quote, None if one.said is None else one.said - window.first)
        if found is None:
            dropped += 1
            continue
        item = ActionItem(
            text=clean_text(one.text),
            owner=clean_text(one.owner or "") or None,
            due=clean_text(one.due or "") or None,
            quote=Quoted(text=found.quote, start_ms=found.start_ms),
        )
        placed.append(
            Placed(
                item,
                first=(window.first + found.first, found.first_word),
                last=(window.first + found.last, found.last_word),
                ahead=found.first >= window.core_count,
            )
        )
    return Checked(tuple(placed), dropped)


def merged(parts: Sequence[Sequence[Placed]]) -> tuple[Placed, ...]:
    """Each action item once, in the order in which they were said.

    What a part found in what follows it gives way to what the next one, which has it whole, made of the same words.
    """
    kept: list[Placed] = []
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else ()
        for one in sorted(part, key=_position):
            twice = one.ahead and any(_same_words(one, other) for other in following)
            if not twice and not any(_same(one, other) for other in kept):
                kept.append(one)
    return tuple(sorted(kept, key=_position))


def same_owner(one: str | None, other: str | None) -> bool:
    """Whether two names are one person's: a first name fits the whole one."""
    mine, others = _words(one or ""), _words(other or "")
    return mine == others or bool(mine and others and (mine <= others or others <= mine))


def _position(one: Placed) -> tuple[tuple[int, int], tuple[int, int]]:
    return one.first, one.last


def _same_words(one: Placed, other: Placed) -> bool:
    nobody = one.item.owner is None or other.item.owner is None
    return one.overlaps(other) and (nobody or same_owner(one.item.owner, other.item.owner))


def _same(one: Placed, other: Placed) -> bool:
    """Whether both say the same, word by word, wherever it was agreed."""
    return _words(one.item.text) == _words(other.item.text) and same_owner(one.item.owner, other.item.owner)


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word, _, _ in split_words(text))
