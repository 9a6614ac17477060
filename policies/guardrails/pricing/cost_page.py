"""Generator of `docs/cost.md`. The page compares the requirements' cost tables with today's prices, and lists the
quantities of usage that the cost model prices (measures), the assumptions and the prices. `make docs` writes the file.
"""

from collections.abc import Iterator

from guardrails.pricing.price_book import load_prices
from guardrails.pricing.requirements_cost_tables import COST_TABLES, CostTable
from guardrails.pricing.requirements_cost_tables.cost_table import load_assumptions, price_quantities
from guardrails.pricing.rules import PRICE_RULES
from guardrails.pricing.rules.called_service_prices import CALLED_SERVICE_MEASURES

INTRODUCTION = """\
# Cost

This page is generated from `policies/guardrails/pricing/` by `make docs`, and a test checks that it is current. Change
the price rules, prices and tables there, not this page.

The cost model prices the resources of a stack at the monthly usage that follows from its settings. `make cost STACK=prod`
prints the estimate, every preview reports it, and a mandatory policy compares it with the stack's budget.
`make cost-diff A=dev B=prod` compares two stacks, and `make cost-diff A=HEAD~1 B=HEAD` compares two git revisions.

The prices are in `price_book.toml`, for us-east-1, each with unit, source and date. Free tiers are not subtracted
unless you run `make cost FREE=1`. A billable resource without a price rule is listed as *unpriced*, and a resource whose
subsystem does not state its usage as a *gap*. Neither is counted as zero.

The tables below have the costs that the requirements state, and the costs computed from the price book at the usage that
the requirements state. Figures that the requirements do not give are assumptions. They are in one file
(`requirements_cost_tables/assumptions.toml`) and are listed [below](#assumptions). None of them is chosen to reproduce a
figure of the requirements. All costs are in US dollars a month.
"""


def render_page() -> str:
    """Return the text of the page."""
    parts = [
        INTRODUCTION,
        *_render_overview(),
        *(line for table in COST_TABLES for line in _render_table(table)),
        *_render_added_prices(),
        *_render_measures(),
        *_render_assumptions(),
        *_render_price_book(),
    ]
    return "\n".join(parts) + "\n"


def _format_usd(value: float) -> str:
    return f"{value:,.2f}"


def _format_price(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def _format_difference(value: float) -> str:
    return f"{round(value, 2) + 0.0:+,.2f}"  # adding zero removes the minus of -0.0


def _render_overview() -> Iterator[str]:
    yield "| subsystem | requirements | computed | difference |"
    yield "|---|---:|---:|---:|"
    for table in COST_TABLES:
        yield (
            f"| {table.subsystem} | {_format_usd(table.stated_total)} | {_format_usd(table.computed_usd)} | "
            f"{_format_difference(table.computed_usd - table.stated_total)} |"
        )


def _render_table(table: CostTable) -> Iterator[str]:
    yield f"\n## {table.title}\n"
    yield "| line | requirements | computed | difference | reason |"
    yield "|---|---:|---:|---:|---|"
    for line in table.lines:
        difference = _format_difference(line.computed_usd - line.stated_usd)
        yield (
            f"| {line.label} | {_format_usd(line.stated_usd)} | {_format_usd(line.computed_usd)} | "
            f"{difference} | {line.comparison} |"
        )
    difference = _format_difference(table.computed_usd - table.stated_total)
    yield f"| **total** | {_format_usd(table.stated_total)} | {_format_usd(table.computed_usd)} | {difference} | |"
    if table.promised_savings:
        yield from _render_promised_savings(table)
    if table.remarks:
        yield "\nRemarks on the requirements' figures:\n"
        yield from (f"- {remark}" for remark in table.remarks)
    if table.setting_savings:
        yield "\nSavings by settings of this program. Each setting is changed separately, at the same usage:\n"
        yield "| setting | change | before | after | saved | remark |"
        yield "|---|---|---:|---:|---:|---|"
        for saving in table.setting_savings:
            before, after = price_quantities(saving.before), price_quantities(saving.after)
            yield (
                f"| {saving.setting} | {saving.change} | {_format_usd(before)} | {_format_usd(after)} | "
                f"{_format_usd(saving.usd)} | {saving.remark} |"
            )


def _render_promised_savings(table: CostTable) -> Iterator[str]:
    yield "\nSavings that the requirements promise, one after the other:\n"
    yield "| change | stated saving | computed saving | stated cost after it | computed cost after it | reason |"
    yield "|---|---:|---:|---:|---:|---|"
    stated_cost, computed_cost = table.stated_total, table.computed_usd
    for saving in table.promised_savings:
        stated_cost, computed_cost = stated_cost - saving.stated_usd, computed_cost - saving.computed_usd
        yield (
            f"| {saving.label} | {_format_usd(saving.stated_usd)} | {_format_usd(saving.computed_usd)} | "
            f"{_format_usd(stated_cost)} | {_format_usd(computed_cost)} | {saving.comparison} |"
        )


def _render_added_prices() -> Iterator[str]:
    yield "\n## Added monitoring and protection\n"
    yield "Of these prices, the requirements' cost tables contain only the alarms of transcription. `make cost` sums them on"
    yield "a separate line, so that the rest of the estimate can be compared with the tables.\n"
    yield "| price | USD | unit |"
    yield "|---|---:|---|"
    for name, price in sorted(load_prices().items()):
        if price.monitoring_or_protection:
            yield f"| {name} | {_format_price(price.usd, 8)} | {price.unit} |"


def _render_measures() -> Iterator[str]:
    yield "\n## Usage: the measures of each resource type\n"
    yield "A *measure* is one quantity of monthly usage, for example `requests`. A subsystem publishes the measures of"
    yield "each block under the block's Pulumi name, and a price rule reads the measures that it needs. A published"
    yield "measure that no price rule of the block reads is an error (policy `cost-usage-read`). If a required measure is"
    yield "missing, the estimate lists the resource as a gap.\n"
    yield "| resource | measure | counts |"
    yield "|---|---|---|"
    for resource_type, rule in sorted(PRICE_RULES.items()):
        for measure, description in rule.measures.items():
            if measure not in CALLED_SERVICE_MEASURES:
                suffix = " (required)" if measure in rule.required_measures else ""
                yield f"| `{resource_type}` | `{measure}`{suffix} | {description} |"
    for measure, description in CALLED_SERVICE_MEASURES.items():
        yield f"| calling function, workflow or job | `{measure}` | {description} |"


def _render_assumptions() -> Iterator[str]:
    yield "\n## Assumptions\n"
    yield "| assumption | value | unit | reason |"
    yield "|---|---:|---|---|"
    for name, assumption in load_assumptions().items():
        yield f"| {name} | {assumption.value:g} | {assumption.unit} | {assumption.why} |"


def _render_price_book() -> Iterator[str]:
    yield "\n## Price book\n"
    yield "| price | USD | unit | free a month | basis | read in | source |"
    yield "|---|---:|---|---:|---|---|---|"
    for name, price in load_prices().items():
        free = f"{price.free:,.0f}" if price.free else ""
        yield (
            f"| {name} | {_format_price(price.usd, 10)} | {price.unit} | {free} | {price.basis} | "
            f"{price.date} | [{price.service}]({price.source}) |"
        )
