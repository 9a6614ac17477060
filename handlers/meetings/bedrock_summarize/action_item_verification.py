"""Verification of the model's action items against the transcript, and the merge of the items of several windows.

The model decides which statements are action items. This code checks that they were said. An item whose quote does not
occur in the transcript is dropped. The others keep the transcript's own wording and its time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from handlers.common.text.quote_search import QuoteSearch, split_words
from handlers.common.text.text_cleaning import clean_text
from handlers.common.text.text_windows import Window
from handlers.meetings.bedrock_summarize.model_answers import ModelActionItem
from handlers.meetings.bedrock_summarize.summary import ActionItem, TranscriptQuote
from handlers.meetings.bedrock_summarize.transcript import TranscriptSegment


@dataclass(frozen=True)
class LocatedActionItem:
    """An action item with the position of its quote in the transcript."""

    item: ActionItem = field(repr=False)
    first: tuple[int, int]
    """Number of the segment in which the quote begins, and of the word in that segment."""
    last: tuple[int, int]
    """The same for the segment and word with which the quote ends."""
    in_overlap: bool = False
    """True if the quote begins in the overlap with the next window, and so belongs to the next window."""

    def overlaps(self, other: "LocatedActionItem") -> bool:
        """Return True if at least one word of the transcript belongs to both quotes."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class VerifiedItems:
    """The items of one answer that were verified."""

    items: tuple[LocatedActionItem, ...]
    dropped: int
    """Number of items whose quote was not found."""


def verify_items(items: Iterable[ModelActionItem], window: Window[TranscriptSegment]) -> VerifiedItems:
    """Return the items whose quote occurs in the window."""
    search = QuoteSearch(window.passages)
    located: list[LocatedActionItem] = []
    dropped = 0
    for model_item in items:
        expected_at = None if model_item.segment is None else model_item.segment - window.first
        match = search.find(model_item.quote, expected_at)
        if match is None:
            dropped += 1
            continue
        item = ActionItem(
            text=clean_text(model_item.text),
            owner=clean_text(model_item.owner or "") or None,
            due=clean_text(model_item.due or "") or None,
            quote=TranscriptQuote(text=match.quote, start_ms=match.start_ms),
        )
        located.append(
            LocatedActionItem(
                item,
                first=(window.first + match.first, match.first_word),
                last=(window.first + match.last, match.last_word),
                in_overlap=match.first >= window.core_count,
            )
        )
    return VerifiedItems(tuple(located), dropped)


def merge_items(windows: Sequence[Sequence[LocatedActionItem]]) -> tuple[LocatedActionItem, ...]:
    """Return every action item of all windows once, in the order of the transcript.

    An item from the overlap is dropped if the next window, which contains the whole context, has an item for the same
    statement: its quote overlaps the item's quote in the transcript, and its owner can be the same. An unnamed owner
    can be anybody. Of several items with the same text and owner, the first is kept.
    """
    merged: list[LocatedActionItem] = []
    for index, items in enumerate(windows):
        next_items = windows[index + 1] if index + 1 < len(windows) else ()
        for item in sorted(items, key=_position):
            is_in_next = item.in_overlap and any(_is_same_statement(item, candidate) for candidate in next_items)
            if not is_in_next and not any(_is_same_item(item, earlier) for earlier in merged):
                merged.append(item)
    return tuple(sorted(merged, key=_position))


def is_same_owner(name: str | None, other_name: str | None) -> bool:
    """Return True if two names can mean the same person. A first name matches the full name."""
    name_words, other_words = _words(name or ""), _words(other_name or "")
    return name_words == other_words or bool(
        name_words and other_words and (name_words <= other_words or other_words <= name_words)
    )


def _position(item: LocatedActionItem) -> tuple[tuple[int, int], tuple[int, int]]:
    return item.first, item.last


def _is_same_statement(item: LocatedActionItem, other: LocatedActionItem) -> bool:
    """Return True if the quotes overlap in the transcript and the owners can be the same."""
    is_unowned = item.item.owner is None or other.item.owner is None
    return item.overlaps(other) and (is_unowned or is_same_owner(item.item.owner, other.item.owner))


def _is_same_item(item: LocatedActionItem, other: LocatedActionItem) -> bool:
    """Return True if the words of the text and the owner are the same, even if the quotes differ."""
    return _words(item.item.text) == _words(other.item.text) and is_same_owner(item.item.owner, other.item.owner)


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word, _, _ in split_words(text))
