"""Share of each quota that ingestion uses at 1, 12, 100 and 600 times its load, and the cost of the stack at each load.

The load is the expected number of files, per day and in the busiest hour. For the cost, the real program runs with the
multiplied load and is priced like in `make cost`. AWS is not called.
"""

import argparse
import math
from dataclasses import dataclass

from benchmarks.benchmark_report import print_table
from benchmarks.ingestion_quota_model import (
    AccountQuotas,
    Quota,
    binding_quotas,
    exceeded_quotas,
    list_quotas,
    scale_load,
)
from components.settings import IngestionSettings
from local.preview import program_run, stack_files
from local.preview.cost import StackCost, price_graph
from local.preview.preview_provider import PreviewProvider
from local.preview.stack_files import StackConfig

FACTORS = (1, 12, 100, 600)
"""Multiples of the load in the settings."""
CONFIG_KEY = "polyphony:ingestion"
MARGIN = 1.25
"""Ratio of a raised limit to the usage. A limit that is lower than this multiple of the usage is raised to it."""


@dataclass(frozen=True)
class RaisedLimits:
    """A setting and two account quotas, changed so that they are sufficient for a multiple of the load."""

    concurrent_runs: int
    """Setting `spark.concurrentRuns`."""
    account: AccountQuotas

    def apply(self, settings: IngestionSettings) -> IngestionSettings:
        """Return the settings with the changed value. The account quotas are not part of the settings."""
        spark = settings.spark.model_copy(update={"concurrent_runs": self.concurrent_runs})
        return settings.model_copy(update={"spark": spark})


def raise_limits(settings: IngestionSettings, factor: float) -> RaisedLimits:
    """Return limits that are sufficient for a multiple of the load.

    Each limit is raised only if necessary.
    """
    shares = {quota.name: MARGIN * quota.share(settings, factor) for quota in list_quotas(settings)}

    def required_limit(name: str, limit: float) -> int:
        return math.ceil(limit * max(1, shares[name]))

    default = AccountQuotas()
    return RaisedLimits(
        required_limit("Glue runs of the job, busiest hour", settings.spark.concurrent_runs),
        AccountQuotas(
            required_limit("Glue runs of the account", default.glue_runs),
            required_limit("Glue DPUs of the account", default.glue_dpus),
        ),
    )


def read_settings(config: StackConfig) -> IngestionSettings:
    """Return the settings of ingestion in a stack file."""
    return IngestionSettings.model_validate_json(config.values[CONFIG_KEY])


def price_load(config: StackConfig, factor: float) -> StackCost:
    """Return the monthly cost of the whole stack under a multiple of the load, with raised limits."""
    settings = read_settings(config)
    section = scale_load(raise_limits(settings, factor).apply(settings), factor).model_dump_json(by_alias=True)
    changed = StackConfig(config.project, config.stack, {**config.values, CONFIG_KEY: section})
    return price_graph(f"{factor:g}x", program_run.run_program(changed, PreviewProvider(), preview=True).graph)


def describe_load(config: StackConfig, factor: int) -> dict[str, float | str]:
    """Return a table row with load, cost and required limits at a multiple of the load."""
    settings = read_settings(config)
    load, cost, limits = scale_load(settings, factor).load, price_load(config, factor), raise_limits(settings, factor)
    remaining = exceeded_quotas(limits.apply(settings), factor, limits.account)
    return {
        "files a day": load.files_per_day,
        "files/s, busiest hour": load.peak_files_per_hour / 3600,
        "ingestion, $ a month": round(cost.report.sum_by("subsystem").get("ingestion", 0)),
        "stack, $ a month": round(cost.report.total),
        "concurrentRuns": limits.concurrent_runs,
        "account's Glue runs": limits.account.glue_runs,
        "account's Glue DPUs": limits.account.glue_dpus,
        "still exceeded": ", ".join(quota.name for quota in remaining) or "none",
    }


def describe_quotas(settings: IngestionSettings) -> dict[str, dict[str, float | str]]:
    """Return one row per quota, ordered by the multiple of the load that exceeds it."""
    finite = binding_quotas(settings)
    unlimited = [quota for quota in list_quotas(settings) if quota.name not in {item.name for item, _ in finite}]
    pairs: list[tuple[Quota, float]] = [*finite, *((quota, math.inf) for quota in unlimited)]
    return {
        quota.name: {
            **{f"{factor}x": f"{quota.share(settings, factor):.2%}" for factor in FACTORS},
            "used up at": "never" if math.isinf(max_factor) else f"{max_factor:,.0f}x",
            "limit": "none" if math.isinf(quota.limit) else f"{quota.limit:,.0f} {quota.unit}".strip(),
            "raised by": quota.raised_by,
            "source of the limit": quota.source,
        }
        for quota, max_factor in pairs
    }


def main() -> None:
    """Print two tables: loads and quotas."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="prod", choices=stack_files.list_stacks())
    config = stack_files.read_stack(parser.parse_args().stack)
    print_table({f"{factor}x": describe_load(config, factor) for factor in FACTORS})
    print()
    print_table(describe_quotas(read_settings(config)))


if __name__ == "__main__":
    main()
