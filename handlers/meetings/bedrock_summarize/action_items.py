"""Holds action items to the transcript, and brings those of several parts together. Pure.

The model decides what is an action item; code decides that somebody said it. A quote that was not said drops its item,
and what is kept of it is the transcript's own wording with its time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from handlers.common.text.quote_search import Spoken, words_of
from handlers.common.text.text_cleaning import cleaned
from handlers.common.text.text_windows import Window
from handlers.meetings.bedrock_summarize.model_answers import ModelActionItem
from handlers.meetings.bedrock_summarize.summary import ActionItem, TranscriptQuote
from handlers.meetings.bedrock_summarize.transcript import TranscriptSegment


@dataclass(frozen=True)
class LocatedActionItem:
    """An action item, and which words of the transcript make it one."""

    item: ActionItem = field(repr=False)
    first: tuple[int, int]
    """The number of the piece that its quote begins in, and of the word there."""
    last: tuple[int, int]
    in_overlap: bool = False
    """Whether it begins in what follows its part, and so belongs to the next one."""

    def overlaps(self, other: "LocatedActionItem") -> bool:
        """Whether both rest on some same words."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class VerifiedItems:
    """What is left of an answer."""

    items: tuple[LocatedActionItem, ...]
    dropped: int
    """Items whose quote was not said."""


def verify_items(items: Iterable[ModelActionItem], window: Window[TranscriptSegment]) -> VerifiedItems:
    """What can be kept of a window's items."""
    spoken = Spoken(window.passages)
    placed: list[LocatedActionItem] = []
    dropped = 0
    for one in items:
        found = spoken.find(one.quote, None if one.said is None else one.said - window.first)
        if found is None:
            dropped += 1
            continue
        item = ActionItem(
            text=cleaned(one.text),
            owner=cleaned(one.owner or "") or None,
            due=cleaned(one.due or "") or None,
            quote=TranscriptQuote(text=found.quote, start_ms=found.start_ms),
        )
        placed.append(
            LocatedActionItem(
                item,
                first=(window.first + found.first, found.first_word),
                last=(window.first + found.last, found.last_word),
                in_overlap=found.first >= window.core,
            )
        )
    return VerifiedItems(tuple(placed), dropped)


def merge_items(parts: Sequence[Sequence[LocatedActionItem]]) -> tuple[LocatedActionItem, ...]:
    """Each action item once, in the order in which they were said.

    What a part found in what follows it gives way to what the next one, which has it whole, made of the same words.
    """
    kept: list[LocatedActionItem] = []
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else ()
        for one in sorted(part, key=_position):
            twice = one.in_overlap and any(_rests_on_same_words(one, other) for other in following)
            if not twice and not any(_is_same_item(one, other) for other in kept):
                kept.append(one)
    return tuple(sorted(kept, key=_position))


def is_same_owner(one: str | None, other: str | None) -> bool:
    """Whether two names are one person's: a first name fits the whole one."""
    mine, others = _words(one or ""), _words(other or "")
    return mine == others or bool(mine and others and (mine <= others or others <= mine))


def _position(one: LocatedActionItem) -> tuple[tuple[int, int], tuple[int, int]]:
    return one.first, one.last


def _rests_on_same_words(one: LocatedActionItem, other: LocatedActionItem) -> bool:
    nobody = one.item.owner is None or other.item.owner is None
    return one.overlaps(other) and (nobody or is_same_owner(one.item.owner, other.item.owner))


def _is_same_item(one: LocatedActionItem, other: LocatedActionItem) -> bool:
    """Whether both say the same, word by word, wherever it was agreed."""
    return _words(one.item.text) == _words(other.item.text) and is_same_owner(one.item.owner, other.item.owner)


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word, _, _ in words_of(text))
