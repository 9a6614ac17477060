"""How much of every quota ingestion uses at 1, 12, 100 and 600 times its load, what binds, and what it costs there.

The limits are `headroom_model.py`'s; the cost is that of the real program, run with that load and priced as
`make cost` prices it. Nothing here reaches AWS.
"""

import argparse
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console
from rich.table import Table

from benchmarks.headroom_load import scaled
from benchmarks.headroom_model import Account, Quota, binding, bounds, quotas
from components.settings import IngestionSettings
from local import program, stack_files
from local.cost import StackCost, of_graph
from local.preview_provider import PreviewProvider
from local.stack_files import StackConfig

FACTORS = (1, 12, 100, 600)
KEY = "polyphony:ingestion"
WIDTH = 150
SPARE = 1.25
"""Who raises a limit raises it a quarter above the use."""


def settings_of(config: StackConfig) -> IngestionSettings:
    """The settings of ingestion in a stack file."""
    return IngestionSettings.model_validate(json.loads(config.values[KEY]))


def raised(settings: IngestionSettings, factor: float) -> tuple[IngestionSettings, Account]:
    """The settings and quota requests that carry a multiple of the load; nothing but limits changes."""
    account, by_name = Account(), {one.name: one for one in quotas(settings)}

    def enough(name: str, now: float) -> int:
        return math.ceil(max(now, by_name[name].use(settings, factor) * SPARE))

    runs = enough("Glue runs of the job, busiest hour", settings.spark.concurrent_runs)
    walk = by_name["Sweeper's daily comparison"].share(settings, factor)
    minutes = settings.manifests.sweep_minutes
    return (
        settings.model_copy(
            update={
                "spark": settings.spark.model_copy(update={"concurrent_runs": runs}),
                "manifests": settings.manifests.model_copy(
                    update={"sweep_minutes": max(1, min(minutes, math.floor(minutes / (walk * SPARE))))}
                ),
            }
        ),
        replace(
            account,
            glue_runs=enough("Glue runs of the account", account.glue_runs),
            glue_dpus=enough("Glue DPUs of the account", account.glue_dpus),
        ),
    )


def cost_at(config: StackConfig, factor: float) -> StackCost:
    """What the whole stack costs a month under a multiple of its load, with the settings that carry it."""
    settings, _ = raised(settings_of(config), factor)
    section = scaled(settings, factor).model_dump_json(by_alias=True)
    changed = StackConfig(config.project, config.stack, {**config.values, KEY: section})
    return of_graph(f"{factor:g}x", program.run(changed, PreviewProvider(), preview=True).graph)


def order(settings: IngestionSettings) -> list[str]:
    """At which multiple of the load each quota is used up, and what raises it, the first one first."""
    return [f"{one.factor:>12,.0f}x  {one.quota.name}: {one.quota.lift}" for one in bounds(settings)]


def _number(value: float) -> str:
    if math.isinf(value):
        return "none"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"


def _table(found: list[Quota], settings: IngestionSettings, factor: float, sources: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, justify in (
        ("quota", "left"),
        ("use", "right"),
        ("limit", "right"),
        ("unit", "left"),
        ("share", "right"),
    ):
        table.add_column(column, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("raised by")
    for one in found:
        share = one.share(settings, factor)
        limit = f"{_number(one.limit)} [{sources.index(one.source) + 1}]".replace("[", r"\[")
        style = "red" if share > 1 else None
        table.add_row(
            one.name, _number(one.use(settings, factor)), limit, one.unit, f"{share:.2%}", one.lift, style=style
        )
    return table


def main() -> None:
    """Prints a table a factor, then what binds in which order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="prod", choices=stack_files.stacks())
    config = stack_files.read(parser.parse_args().stack)
    settings, found = settings_of(config), quotas(settings_of(config))
    sources = list(dict.fromkeys(one.source for one in found))
    out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH, soft_wrap=True)
    for factor in FACTORS:
        load, cost = scaled(settings, factor).load, cost_at(config, factor)
        ingestion = cost.report.by("subsystem").get("ingestion", 0)
        out.print(
            f"[bold]{factor}x[/]: {load.files_per_day:,} files a day, {load.peak_files_per_hour / 3600:,.2f}/s in the "
            f"busiest hour; ${ingestion:,.0f} a month for ingestion, ${cost.report.total:,.0f} for the stack"
        )
        if cost.report.total > cost.budget:
            out.print(f"  above its budget of ${cost.budget:,.0f}: foundation.spend.monthlyBudget has to follow")
        out.print(_table(found, settings, factor, sources))
        over = binding(found, settings, factor)
        out.print(f"binds: {', '.join(one.name for one in over) or 'nothing'}")
        more, account = raised(settings, factor)
        if over:
            left = binding(quotas(more, account), more, factor)
            out.print(
                f"fits with concurrentRuns {more.spark.concurrent_runs}, sweepMinutes {more.manifests.sweep_minutes}, "
                f"and an account of {account.glue_runs:.0f} Glue runs and {account.glue_dpus:.0f} DPUs: "
                f"{'no, still binds: ' + ', '.join(one.name for one in left) if left else 'yes'}"
            )
        out.print()
    out.print("[bold]In the order in which they bind, as settings and account are now[/]")
    for line in order(settings):
        out.print(line)
    out.print("\nSources of the limits")
    for number, source in enumerate(sources, 1):
        out.print(rf"\[{number}] {source}")
    out.print(
        "EventBridge is not on a file's path. Uses are means over the busiest hour, shorter bursts wait in the queue."
    )


if __name__ == "__main__":
    main()
