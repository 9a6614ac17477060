"""Tests of the agreement of two models on action items, of their cost, and of the printed table."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.bedrock.model_families import HAIKU, SONNET
from handlers.meetings.bedrock_summarize.action_item_verification import LocatedActionItem
from handlers.meetings.bedrock_summarize.summary_data_models import ActionItem, SummaryTokens, TranscriptQuote
from operations.compare_models import PRICES
from operations.model_comparison_report import (
    Agreement,
    FoundActionItems,
    TranscriptComparison,
    compute_cost,
    format_table,
    total_agreement,
)

BOOK = {name: float(entry["usd"]) for name, entry in tomllib.loads(PRICES.read_text()).items()}
MILLION = 1_000_000


def located(first: int, last: int, owner: str | None = "Anna", piece: int = 0) -> LocatedActionItem:
    item = ActionItem(text="Do it", owner=owner, quote=TranscriptQuote(text="canary", start_ms=0))
    return LocatedActionItem(item, (piece, first), (piece, last))


def compared(
    reference: list[LocatedActionItem], candidate: list[LocatedActionItem], name: str = "one"
) -> TranscriptComparison:
    return TranscriptComparison(
        name, FoundActionItems(tuple(reference), SummaryTokens()), FoundActionItems(tuple(candidate), SummaryTokens())
    )


@pytest.mark.parametrize(
    ("reference", "candidate", "expected"),
    [
        ([], [], Agreement(0, 0, 0)),
        ([located(0, 5)], [located(3, 9)], Agreement(1, 0, 0)),
        ([located(0, 5)], [located(5, 5)], Agreement(1, 0, 0)),
        ([located(0, 5)], [located(6, 9)], Agreement(0, 1, 1)),
        ([located(0, 5)], [located(0, 5, piece=1)], Agreement(0, 1, 1)),
        ([located(0, 5)], [located(0, 5, "Bob")], Agreement(0, 1, 1)),
        ([located(0, 5)], [located(0, 5, "Anna Berg")], Agreement(1, 0, 0)),
        ([located(0, 5)], [located(0, 5, None)], Agreement(0, 1, 1)),
        ([located(0, 5)], [located(0, 2), located(3, 5)], Agreement(1, 0, 1)),
        ([located(0, 5), located(4, 9)], [located(4, 5), located(0, 1)], Agreement(2, 0, 0)),
    ],
)
def test_items_are_the_same_if_their_words_overlap_and_their_owners_match(
    reference: list[LocatedActionItem], candidate: list[LocatedActionItem], expected: Agreement
) -> None:
    assert compared(reference, candidate).agreement == expected


def test_agreement_is_computed_over_all_transcripts() -> None:
    whole = total_agreement(
        [compared([located(0, 1)], [located(0, 1)]), compared([located(0, 1)], []), compared([], [])]
    )
    assert whole == Agreement(1, 1, 0)
    assert whole.f1 == pytest.approx(2 / 3)
    assert Agreement().f1 == 1
    assert Agreement(0, 3, 1).f1 == 0


SPANS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.sampled_from(["Anna", "Bob", None])), max_size=6)


@given(SPANS, SPANS)
def test_agreement_is_symmetric_and_complete_with_itself(
    one: list[tuple[int, int, str | None]], other: list[tuple[int, int, str | None]]
) -> None:
    mine, others = ([located(first, first + length, who) for first, length, who in side] for side in (one, other))
    here, there = compared(mine, others).agreement, compared(others, mine).agreement
    assert (here.both, here.reference_only, here.candidate_only) == (
        there.both,
        there.candidate_only,
        there.reference_only,
    )
    assert 0 <= here.f1 <= 1
    assert compared(mine, mine).agreement.f1 == 1


def test_cost_uses_the_prices_of_the_price_book() -> None:
    tokens = SummaryTokens(
        input_tokens=MILLION, output_tokens=MILLION, cache_read_tokens=MILLION, cache_write_tokens=MILLION
    )
    sonnet = compute_cost(SONNET, tokens, BOOK)
    assert sonnet == pytest.approx(2.20 + 11.00 + 0.11 + 2.75)
    assert compute_cost(HAIKU, tokens, BOOK) == pytest.approx(0.11 + 0.55 + 0.011 + 0.1375)
    everywhere = compute_cost(SONNET.replace("us.", "global."), tokens, BOOK)
    assert everywhere == pytest.approx(2 + 10 + 0.1 + 2.5)
    assert compute_cost(SONNET.removeprefix("us."), tokens, BOOK) == sonnet


@pytest.mark.parametrize("model", ["us.anthropic.claude-opus-5-5", "us.anthropic.claude-sonnet-5", "amazon.nova"])
def test_a_model_without_a_price_has_no_cost(model: str) -> None:
    assert compute_cost(model, SummaryTokens(), BOOK) is None
    assert compute_cost(SONNET, SummaryTokens(), {}) is None


def test_the_table_has_a_line_for_each_transcript_and_one_for_all() -> None:
    paid = SummaryTokens(input_tokens=1_000, output_tokens=100, cache_read_tokens=10)
    good = TranscriptComparison(
        "good", FoundActionItems((located(0, 1),), paid, invented_quotes=1), FoundActionItems((located(0, 1),), paid)
    )
    bad = TranscriptComparison(
        "bad", FoundActionItems((located(0, 1),), paid), FoundActionItems((), paid, usable=False)
    )
    lines = format_table([good, bad], SONNET, "unknown", BOOK)
    cells = [line.split() for line in lines]
    assert cells[2] == ["good", "1", "1", "1", "1.000", "1010", "1010", "100", "100", "0.00330", "no", "price"]
    assert cells[3][:5] == ["bad", "1", "none", "0", "0.000"]
    assert cells[4][:7] == ["all", "2", "1", "1", "0.667", "2020", "2020"]
    assert lines[5:] == [
        "invented quotes: reference 1, candidate 0",
        "transcripts without a usable answer: reference 0, candidate 1",
    ]
    assert "canary" not in "".join(lines)
