"""Tests of the comparison of a cheaper model with the current one: common action items and costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.bedrock.model_families import HAIKU, SONNET
from handlers.meetings.bedrock_summarize.action_item_verification import LocatedActionItem
from handlers.meetings.bedrock_summarize.stored_summary_models import ActionItem, SummaryTokens, TranscriptQuote
from operations.compare_models import read_prices
from operations.model_comparison import (
    Agreement,
    FoundActionItems,
    TranscriptComparison,
    compute_cost,
    total_agreement,
)

PRICES_USD = read_prices()
MILLION = 1_000_000
DIFFERENT = Agreement(reference_only=1, candidate_only=1)
"""Result for one item of each model if the items differ."""


def located_item(first: int, last: int, owner: str | None = "Anna", piece: int = 0) -> LocatedActionItem:
    """Return an action item whose quote is the words `first` to `last` of a piece of the transcript."""
    item = ActionItem(text="Do it", owner=owner, quote=TranscriptQuote(text="canary", start_ms=0))
    return LocatedActionItem(item, (piece, first), (piece, last))


def compare(reference: list[LocatedActionItem], candidate: list[LocatedActionItem]) -> TranscriptComparison:
    found = [FoundActionItems(tuple(items), SummaryTokens()) for items in (reference, candidate)]
    return TranscriptComparison("one", *found)


@pytest.mark.parametrize(
    ("reference", "candidate", "expected"),
    [
        pytest.param([], [], Agreement(), id="no items"),
        pytest.param([located_item(0, 5)], [located_item(3, 9)], Agreement(both=1), id="partial overlap"),
        pytest.param([located_item(0, 5)], [located_item(5, 5)], Agreement(both=1), id="one common word"),
        pytest.param([located_item(0, 5)], [located_item(6, 9)], DIFFERENT, id="no common word"),
        pytest.param([located_item(0, 5)], [located_item(0, 5, piece=1)], DIFFERENT, id="another piece"),
        pytest.param([located_item(0, 5)], [located_item(0, 5, "Bob")], DIFFERENT, id="another owner"),
        pytest.param([located_item(0, 5)], [located_item(0, 5, "Anna Berg")], Agreement(both=1), id="longer name"),
        pytest.param([located_item(0, 5)], [located_item(0, 5, None)], DIFFERENT, id="no owner"),
        pytest.param(
            [located_item(0, 5)],
            [located_item(0, 2), located_item(3, 5)],
            Agreement(both=1, candidate_only=1),
            id="an item counts once",
        ),
        pytest.param(
            [located_item(0, 5), located_item(4, 9)],
            [located_item(4, 5), located_item(0, 1)],
            Agreement(both=2),
            id="as many pairs as possible",
        ),
    ],
)
def test_items_are_the_same_if_their_words_overlap_and_their_owners_match(
    reference: list[LocatedActionItem], candidate: list[LocatedActionItem], expected: Agreement
) -> None:
    assert compare(reference, candidate).agreement == expected


def test_agreement_is_computed_over_all_transcripts() -> None:
    item = located_item(0, 1)
    total = total_agreement([compare([item], [item]), compare([item], []), compare([], [])])
    assert total == Agreement(both=1, reference_only=1)
    assert total.f1 == pytest.approx(2 / 3)
    assert Agreement().f1 == 1
    assert Agreement(reference_only=3, candidate_only=1).f1 == 0


SPANS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.sampled_from(["Anna", "Bob", None])), max_size=6)


@given(SPANS, SPANS)
def test_agreement_is_symmetric_and_equal_items_agree_completely(
    first_spans: list[tuple[int, int, str | None]], second_spans: list[tuple[int, int, str | None]]
) -> None:
    first, second = (
        [located_item(start, start + length, owner) for start, length, owner in spans]
        for spans in (first_spans, second_spans)
    )
    agreement, reverse = compare(first, second).agreement, compare(second, first).agreement
    assert reverse == Agreement(agreement.both, agreement.candidate_only, agreement.reference_only)
    assert 0 <= agreement.f1 <= 1
    assert compare(first, first).agreement.f1 == 1


def test_cost_uses_the_prices_of_the_cost_model() -> None:
    """Only models with the prefix `global.` have lower prices than those with `us.` or without a prefix."""
    kinds = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    tokens = SummaryTokens(**dict.fromkeys(kinds, MILLION))
    sonnet = compute_cost(SONNET, tokens, PRICES_USD)
    assert sonnet == pytest.approx(2.20 + 11.00 + 0.11 + 2.75)
    assert compute_cost(HAIKU, tokens, PRICES_USD) == pytest.approx(0.11 + 0.55 + 0.011 + 0.1375)
    global_sonnet = compute_cost(SONNET.replace("us.", "global."), tokens, PRICES_USD)
    assert global_sonnet == pytest.approx(2 + 10 + 0.1 + 2.5)
    assert compute_cost(SONNET.removeprefix("us."), tokens, PRICES_USD) == sonnet


@pytest.mark.parametrize("model", ["us.anthropic.claude-opus-5-5", "us.anthropic.claude-sonnet-5", "amazon.nova"])
def test_a_model_without_a_price_has_no_cost(model: str) -> None:
    assert compute_cost(model, SummaryTokens(), PRICES_USD) is None
    assert compute_cost(SONNET, SummaryTokens(), {}) is None
