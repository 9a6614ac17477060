"""`docs/cost.md`: the cost model against the requirements, line by line. Pure text, made of the documents' records."""

from collections.abc import Iterator

from guardrails.pricing.price_book import load_prices
from guardrails.pricing.requirement_costs import COST_TABLES, CostTable
from guardrails.pricing.requirement_costs.cost_table import load_assumptions, price_quantities
from guardrails.pricing.requirement_costs.transcription import STREAMING_QUANTITIES
from guardrails.pricing.rules import PRICE_RULES
from guardrails.pricing.rules.called_service_prices import MEASURES as CALLED

INTRODUCTION = """\
# Cost

Generated from `policies/guardrails/pricing/` by `make docs`; a test keeps it fresh. Change the records, not this page.

What a stack costs is priced from the resources of its own program and the usage that its settings publish:
`make cost STACK=prod`, a line of every preview, and a mandatory policy against the stack's budget.
`make cost-diff A=dev B=prod` compares two stacks, `make cost-diff A=HEAD~1 B=HEAD` two revisions. Prices are in
`price_book.toml`, us-east-1, each with unit, source and date; free tiers are left out,
unless `make cost FREE=1` asks for them; a billable resource without a rule is
listed as unpriced and one without published usage as a gap, never as zero.

This page holds the requirements' own tables against the price book, at the documents' own usage. What a document does
not give is assumed, in one file (`requirement_costs/assumptions.toml`, listed below), and never chosen to meet its figure.
"""


def render_page() -> str:
    """The whole page."""
    parts = [
        INTRODUCTION,
        *_overview(),
        *(line for document in COST_TABLES for line in _chapter(document)),
        *_guardrails(),
        *_measures(),
        *_assumptions(),
        *_book(),
    ]
    return "\n".join(parts) + "\n"


def _usd(value: float) -> str:
    return f"{value:,.2f}"


def _exactly(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+,.2f}"  # no minus before a zero


def _overview() -> Iterator[str]:
    yield "| subsystem | document | computed | difference |"
    yield "|---|---:|---:|---:|"
    for table in COST_TABLES:
        yield (
            f"| {table.subsystem} | {_usd(table.stated_total)} | {_usd(table.computed_usd)} | "
            f"{_signed(table.computed_usd - table.stated_total)} |"
        )


def _chapter(document: CostTable) -> Iterator[str]:
    yield f"\n## {document.title}\n"
    yield "| line | document | computed | difference | cause |"
    yield "|---|---:|---:|---:|---|"
    for line in document.lines:
        difference = _signed(line.computed_usd - line.stated_usd)
        yield f"| {line.label} | {_usd(line.stated_usd)} | {_usd(line.computed_usd)} | {difference} | {line.cause} |"
    difference = _signed(document.computed_usd - document.stated_total)
    yield f"| **total** | {_usd(document.stated_total)} | {_usd(document.computed_usd)} | {difference} | |"
    if document.promised_savings:
        yield from _steps(document)
    if document.remarks:
        yield "\nWhat does not hold in the document, or is left out:\n"
        yield from (f"- {remark}" for remark in document.remarks)
    if document.subsystem == "transcription":
        yield (
            "- Streaming to Transcribe at the document's usage: "
            f"${_usd(price_quantities(STREAMING_QUANTITIES))} a month."
        )
    if document.setting_savings:
        yield "\nSavings, each one setting switched on its own at the same usage:\n"
        yield "| setting | change | before | after | saved | remark |"
        yield "|---|---|---:|---:|---:|---|"
        for saving in document.setting_savings:
            yield (
                f"| {saving.setting} | {saving.change} | {_usd(price_quantities(saving.before))} | {_usd(price_quantities(saving.after))} | "
                f"{_usd(saving.usd)} | {saving.remark} |"
            )


def _steps(document: CostTable) -> Iterator[str]:
    yield "\n| step | document saves | computed saves | left by document | left computed | cause |"
    yield "|---|---:|---:|---:|---:|---|"
    by_document, computed = document.stated_total, document.computed_usd
    for saving in document.promised_savings:
        by_document, computed = by_document - saving.stated_usd, computed - saving.computed_usd
        yield (
            f"| {saving.label} | {_usd(saving.stated_usd)} | {_usd(saving.computed_usd)} | {_usd(by_document)} | {_usd(computed)} | "
            f"{saving.cause} |"
        )


def _guardrails() -> Iterator[str]:
    yield "\n## Added guardrails, apart\n"
    yield "The documents have none of these; `make cost` sums them on a line of their own, so that the rest compares"
    yield "like for like.\n"
    yield "| what | price | unit |"
    yield "|---|---:|---|"
    for name, price in sorted(load_prices().items()):
        if price.guardrail:
            yield f"| {name} | {_exactly(price.usd, 8)} | {price.unit} |"


def _measures() -> Iterator[str]:
    yield "\n## Usage: the measures of each kind of resource\n"
    yield (
        "A subsystem publishes amounts a month under the Pulumi names of its blocks. A measure that no resource of the"
    )
    yield "block reads is an error (`cost-usage-read`); one that is needed and missing is listed as a gap.\n"
    yield "| resource | measure | counts |"
    yield "|---|---|---|"
    for kind, rule in sorted(PRICE_RULES.items()):
        for measure, says in rule.measures.items():
            if measure not in CALLED:
                needed = " (needed)" if measure in rule.required_measures else ""
                yield f"| `{kind}` | `{measure}`{needed} | {says} |"
    for measure, says in CALLED.items():
        yield f"| whoever calls it | `{measure}` | {says} |"


def _assumptions() -> Iterator[str]:
    yield "\n## Assumed\n"
    yield "| what | value | unit | why |"
    yield "|---|---:|---|---|"
    for name, assumption in load_assumptions().items():
        yield f"| {name} | {assumption.value:g} | {assumption.unit} | {assumption.why} |"


def _book() -> Iterator[str]:
    yield "\n## Price book\n"
    yield "| price | USD | unit | free a month | basis | read | source |"
    yield "|---|---:|---|---:|---|---|---|"
    for name, price in load_prices().items():
        free = f"{price.free:,.0f}" if price.free else ""
        yield (
            f"| {name} | {_exactly(price.usd, 10)} | {price.unit} | {free} | {price.basis} | "
            f"{price.date} | [{price.service}]({price.source}) |"
        )
