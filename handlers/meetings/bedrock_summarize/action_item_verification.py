"""Verification of the model's action items against the transcript, and the merge of the items of several windows.

An action item is a task that a participant promised in the meeting. The model supports each item with a quote. An item
whose quote does not occur in the transcript is dropped. The other items get the transcript's own wording of the quote,
and its time.

A long transcript is divided into windows, and the model lists the action items of each. A window ends with an overlap,
which repeats the beginning of the next window. So two windows may have an item for the same statement, and one of the
items is dropped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from handlers.common.text import QuoteSearch, Window, clean_text, split_words
from handlers.meetings.bedrock_summarize.model_answers import ModelActionItem
from handlers.meetings.bedrock_summarize.stored_summary_models import ActionItem, TranscriptQuote
from handlers.meetings.bedrock_summarize.stored_transcript_models import TranscriptSegment


@dataclass(frozen=True)
class LocatedActionItem:
    """An action item with the position of its quote in the transcript."""

    item: ActionItem = field(repr=False)
    first: tuple[int, int]
    """Position of the quote's first word: its segment in the transcript, and its word in the segment."""
    last: tuple[int, int]
    """Position of the quote's last word."""
    in_overlap: bool = False
    """True if the quote begins in the overlap of its window."""

    def overlaps(self, other: "LocatedActionItem") -> bool:
        """Return True if at least one word of the transcript belongs to both quotes."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class VerifiedItems:
    """The items of one answer whose quotes occur in the transcript."""

    items: tuple[LocatedActionItem, ...]
    dropped: int
    """Number of items whose quote was not found."""


def verify_items(items: Iterable[ModelActionItem], window: Window[TranscriptSegment]) -> VerifiedItems:
    """Return the items of an answer whose quote occurs in the window that the answer is about."""
    search = QuoteSearch(window.passages)
    located: list[LocatedActionItem] = []
    dropped = 0
    for model_item in items:
        # The model's segment number helps to choose among several occurrences of the quote.
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
    """Return the action items of all windows without duplicates, in the order of the transcript.

    An item from the overlap is dropped if the next window has an item for the same statement, because the next window
    contains more of the context. Items are for the same statement if their quotes overlap in the transcript, and
    their owners match or at least one owner is unknown. Of several items with the same text and owner, the first is
    kept.
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
    """Return True if the texts have the same words and the owners match, even if the quotes differ."""
    return _words(item.item.text) == _words(other.item.text) and is_same_owner(item.item.owner, other.item.owner)


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word, _, _ in split_words(text))
