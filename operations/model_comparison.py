"""Comparison of two models: their agreement on the action items of transcripts, and their cost.

The reference is the current model, and the candidate is the model that may replace it.

Action items are the tasks that participants of meetings promised. Two action items are the same if their quotes overlap
in the transcript and their owners are the same person. Agreement is the F1 score of the candidate's items over all
transcripts, with the reference's items as the truth. It is 1 if both models find the same items, and 0 if they have
none in common. Wording and due dates do not count, because several forms of them are correct.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handlers.meetings.bedrock_summarize.action_item_verification import LocatedActionItem, is_same_owner
from handlers.meetings.bedrock_summarize.stored_summary_models import SummaryTokens

_PRICED_MODEL = re.compile(r"(?:(?P<area>[a-z]+)\.)?anthropic\.claude-(?P<family>sonnet|haiku)-5-5")
"""Id of a model that has prices in `prices.toml`: the area of its inference profile, for example
`us` or `global`, and its family."""


@dataclass(frozen=True)
class FoundActionItems:
    """Action items that one model found in one transcript."""

    located: tuple[LocatedActionItem, ...]
    """Action items whose quotes occur in the transcript."""
    tokens: SummaryTokens
    """Tokens of all requests about the transcript."""
    usable: bool = True
    """False if the model gave no usable answer."""
    invented_quotes: int = 0
    """Number of items that were dropped because their quote does not occur in the transcript."""


@dataclass(frozen=True)
class Agreement:
    """Numbers of action items that both models, or only one of them, found."""

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
        """F1 score from 0 to 1. It is 1 if neither model found an item."""
        all_found = 2 * self.both + self.reference_only + self.candidate_only
        return 1.0 if all_found == 0 else 2 * self.both / all_found


@dataclass(frozen=True)
class TranscriptComparison:
    """Action items that both models found in one transcript."""

    name: str
    """File name of the transcript without its suffix."""
    reference: FoundActionItems
    candidate: FoundActionItems

    @property
    def agreement(self) -> Agreement:
        """Agreement of both models. A model without a usable answer has found nothing."""
        both = _count_pairs(self.reference.located, self.candidate.located)
        return Agreement(both, len(self.reference.located) - both, len(self.candidate.located) - both)


def total_agreement(comparisons: Sequence[TranscriptComparison]) -> Agreement:
    """Return the agreement over all transcripts."""
    return sum((comparison.agreement for comparison in comparisons), Agreement())


def compute_cost(model_id: str, tokens: SummaryTokens, prices: Mapping[str, float]) -> float | None:
    """Return the cost in USD, or None for a model without prices.

    `prices`: USD per token, by name in `prices.toml`. The result is only correct if each request has at most 100,000
    tokens, because Claude Haiku 5.5 bills longer requests at a higher price.
    """
    match = _PRICED_MODEL.fullmatch(model_id)
    if match is None:
        return None
    regional = f"bedrock_{match['family']}_"
    profile = f"{regional}global_" if match["area"] == "global" else regional
    try:
        # The file has cache prices for regional profiles only. Cache prices of other profiles have the same ratio
        # to the input prices.
        ratio = prices[f"{profile}input"] / prices[f"{regional}input"]
        return (
            tokens.input_tokens * prices[f"{profile}input"]
            + tokens.output_tokens * prices[f"{profile}output"]
            + tokens.cache_read_tokens * prices[f"{regional}cache_read"] * ratio
            + tokens.cache_write_tokens * prices[f"{regional}cache_write"] * ratio
        )
    except KeyError:
        return None


def _count_pairs(reference: Sequence[LocatedActionItem], candidate: Sequence[LocatedActionItem]) -> int:
    """Return the maximum number of pairs of same items. Each item belongs to at most one pair (bipartite matching)."""
    partner: dict[int, int] = {}  # index of the reference item that each candidate item is paired with

    def find_partner(index: int, tried: set[int]) -> bool:
        """Pair a reference item, if necessary by giving other reference items another partner (augmenting path)."""
        for other, candidate_item in enumerate(candidate):
            if other in tried or not _is_same(reference[index], candidate_item):
                continue
            tried.add(other)
            if other not in partner or find_partner(partner[other], tried):
                partner[other] = index
                return True
        return False

    return sum(find_partner(index, set()) for index in range(len(reference)))


def _is_same(first: LocatedActionItem, second: LocatedActionItem) -> bool:
    return first.overlaps(second) and is_same_owner(first.item.owner, second.item.owner)
