"""What a comparison of two models looks like on a terminal. Pure."""

from collections.abc import Mapping, Sequence

from handlers.meetings.interview import total
from operations.comparison import Compared, Found, cost, overall

HEADS = (
    ("transcript", "items", "", "both", "agreement", "tokens in", "", "tokens out", "", "USD", ""),
    ("", "ref.", "cand.", "", "", "ref.", "cand.", "ref.", "cand.", "ref.", "cand."),
)


def table(compared: Sequence[Compared], reference: str, candidate: str, prices: Mapping[str, float]) -> list[str]:
    """A line a transcript, one for all, and how often what a model said was of no use."""
    rows = [list(head) for head in HEADS]
    for one in compared:
        costs = (cost(reference, one.reference.tokens, prices), cost(candidate, one.candidate.tokens, prices))
        rows.append(_row(one.name, one.agreement.f1, one.agreement.both, (one.reference, one.candidate), costs))
    whole = overall(compared)
    found = _summed([one.reference for one in compared]), _summed([one.candidate for one in compared])
    costs = (cost(reference, found[0].tokens, prices), cost(candidate, found[1].tokens, prices))
    rows.append(_row("all", whole.f1, whole.both, found, costs))
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS[0]))]
    without = sum(not one.reference.usable for one in compared), sum(not one.candidate.usable for one in compared)
    return [
        *(_aligned(row, widths) for row in rows),
        f"invented quotes: reference {found[0].dropped}, candidate {found[1].dropped}",
        f"transcripts without a usable answer: reference {without[0]}, candidate {without[1]}",
    ]


def _row(
    name: str, f1: float, both: int, found: tuple[Found, Found], costs: tuple[float | None, float | None]
) -> list[str]:
    tokens = [one.tokens for one in found]
    return [
        name,
        *(str(len(one.placed)) if one.usable else "none" for one in found),
        str(both),
        f"{f1:.3f}",
        *(str(one.input_tokens + one.cache_read_tokens + one.cache_write_tokens) for one in tokens),
        *(str(one.output_tokens) for one in tokens),
        *("no price" if usd is None else f"{usd:.5f}" for usd in costs),
    ]


def _summed(found: Sequence[Found]) -> Found:
    placed = tuple(one for each in found for one in each.placed)
    return Found(placed, total([one.tokens for one in found]), dropped=sum(one.dropped for one in found))


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if at == 0 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()
