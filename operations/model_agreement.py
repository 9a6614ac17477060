"""How far two models agree on the action items of some transcripts, what each of them costs, and the table of both. Pure.

Two action items are the same if their quotes share words of the transcript and their owners are one person. Agreement
is the F1 measure of the candidate's items with the reference's as the truth, over all transcripts together: 1 where
both find the same, 0 where they share nothing. Wording and due dates do not count: they have no one right form.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handlers.meetings.bedrock_summarize.action_items import LocatedActionItem, is_same_owner
from handlers.meetings.bedrock_summarize.stored_answers import sum_tokens
from handlers.meetings.bedrock_summarize.summary import SummaryTokens

_FAMILY = re.compile(r"^(?:(?P<area>[a-z]+)\.)?anthropic\.claude-(?P<family>sonnet|haiku)-4-5-")
"""Models that the price book knows."""
HEADS = (
    ("transcript", "items", "", "both", "agreement", "tokens in", "", "tokens out", "", "USD", ""),
    ("", "ref.", "cand.", "", "", "ref.", "cand.", "ref.", "cand.", "ref.", "cand."),
)


@dataclass(frozen=True)
class Found:
    """What one model found in one transcript."""

    placed: tuple[LocatedActionItem, ...]
    tokens: SummaryTokens
    usable: bool = True
    """Whether there was an answer at all."""
    dropped: int = 0


@dataclass(frozen=True)
class Agreement:
    """Action items by who found them."""

    both: int = 0
    reference_only: int = 0
    candidate_only: int = 0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(
            self.both + other.both,
            self.reference_only + other.reference_only,
            self.candidate_only + other.candidate_only,
        )

    @property
    def f1(self) -> float:
        """From 0 to 1; 1 where neither found anything."""
        all_found = 2 * self.both + self.reference_only + self.candidate_only
        return 1.0 if all_found == 0 else 2 * self.both / all_found


@dataclass(frozen=True)
class Compared:
    """One transcript, read by both."""

    name: str
    reference: Found
    candidate: Found

    @property
    def agreement(self) -> Agreement:
        """Theirs; what a model without an answer did not find counts against it."""
        both = _pairs(self.reference.placed, self.candidate.placed)
        return Agreement(both, len(self.reference.placed) - both, len(self.candidate.placed) - both)


def overall(compared: Sequence[Compared]) -> Agreement:
    """Of all transcripts."""
    return sum((one.agreement for one in compared), Agreement())


def cost(model_id: str, tokens: SummaryTokens, prices: Mapping[str, float]) -> float | None:
    """Dollars, by prices with the names of the price book; none for a model that it does not have."""
    match = _FAMILY.match(model_id)
    if match is None:
        return None
    local = f"bedrock_{match['family']}_"
    ours = f"{local}global_" if match["area"] == "global" else local
    try:
        # The book has the cache's prices for one kind of profile; for others they are in the same proportion to input.
        share = prices[f"{ours}input"] / prices[f"{local}input"]
        return (
            tokens.input_tokens * prices[f"{ours}input"]
            + tokens.output_tokens * prices[f"{ours}output"]
            + tokens.cache_read_tokens * prices[f"{local}cache_read"] * share
            + tokens.cache_write_tokens * prices[f"{local}cache_write"] * share
        )
    except KeyError:
        return None


def _pairs(reference: Sequence[LocatedActionItem], candidate: Sequence[LocatedActionItem]) -> int:
    """In how many pairs both can be put at most, so that the two of each are the same."""
    partner: dict[int, int] = {}

    def paired(at: int, tried: set[int]) -> bool:
        for other, one in enumerate(candidate):
            if other in tried or not _same(reference[at], one):
                continue
            tried.add(other)
            if other not in partner or paired(partner[other], tried):
                partner[other] = at
                return True
        return False

    return sum(paired(at, set()) for at in range(len(reference)))


def _same(one: LocatedActionItem, other: LocatedActionItem) -> bool:
    return one.overlaps(other) and is_same_owner(one.item.owner, other.item.owner)


def table(compared: Sequence[Compared], reference: str, candidate: str, prices: Mapping[str, float]) -> list[str]:
    """A line a transcript, one for all, and how often what a model said was of no use."""
    models = (reference, candidate)
    whole = Compared("all", *(_summed([getattr(one, side) for one in compared]) for side in ("reference", "candidate")))
    rows = [list(head) for head in HEADS]
    rows += [_row(one, one.agreement, models, prices) for one in compared]
    rows.append(_row(whole, overall(compared), models, prices))
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS[0]))]
    unusable = [sum(not getattr(one, side).usable for one in compared) for side in ("reference", "candidate")]
    return [
        *(
            "  ".join(
                cell.rjust(width) if at else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ),
        f"invented quotes: reference {whole.reference.dropped}, candidate {whole.candidate.dropped}",
        f"transcripts without a usable answer: reference {unusable[0]}, candidate {unusable[1]}",
    ]


def _row(one: Compared, agreement: Agreement, models: tuple[str, str], prices: Mapping[str, float]) -> list[str]:
    found = (one.reference, one.candidate)
    costs = [cost(model, each.tokens, prices) for model, each in zip(models, found, strict=True)]
    return [
        one.name,
        *(str(len(each.placed)) if each.usable else "none" for each in found),
        str(agreement.both),
        f"{agreement.f1:.3f}",
        *(
            str(each.tokens.input_tokens + each.tokens.cache_read_tokens + each.tokens.cache_write_tokens)
            for each in found
        ),
        *(str(each.tokens.output_tokens) for each in found),
        *("no price" if usd is None else f"{usd:.5f}" for usd in costs),
    ]


def _summed(found: Sequence[Found]) -> Found:
    placed = tuple(one for each in found for one in each.placed)
    return Found(placed, sum_tokens([one.tokens for one in found]), dropped=sum(one.dropped for one in found))
