"""Command `savings`: compare the cost of meetings before and after a change, from Cost Explorer.

The change is the cost reduction that the requirements describe. For each of its steps, the table also has the saving
that the requirements expect. Cost is selected by the tags `Project`, `Environment` and `Subsystem`, which must be
activated for cost allocation. Cost Explorer has no tagged cost from before the activation. Calls of Bedrock models have
no tags, so their line shows the cost of the whole account.

A request to Cost Explorer costs one cent. This command makes two requests, and one more for each further page of
results.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from handlers.common.time_and_ids import clock
from operations.aws_errors import translate_errors
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed
from operations.function_target import PROJECT

SUMMARY = "compare the cost of meetings before and after a change, from Cost Explorer"
SUBSYSTEM = "meetings"
MONTH_DAYS = 30
MIN_DAYS = 3
"""Minimum number of days before and after the change. Cost Explorer is about one day behind, so fewer days would show
little."""
MODELS = "Bedrock"
"""Text that occurs in the service name of each Bedrock model in Cost Explorer."""


@dataclass(frozen=True)
class SavingStep:
    """Step of the change, the services whose cost it reduces, and the saving that the requirements expect."""

    name: str
    services: tuple[str, ...]
    """Service names of Cost Explorer, or parts of them."""
    expected: float
    """Expected saving in USD per month."""


STEPS = (
    SavingStep("S3 lifecycle", ("Amazon Simple Storage Service",), 6.50),
    SavingStep("AWS-managed KMS key", ("AWS Key Management Service",), 2.00),
    SavingStep("two indexes fewer", ("Amazon DynamoDB",), 2.00),
    SavingStep("Claude Haiku for action items", (MODELS,), 6.00),
    SavingStep("Batch with Spot", ("Amazon Elastic Container Service", "AWS Batch"), 12.00),
    SavingStep("VPC endpoints", ("EC2 - Other", "Amazon Virtual Private Cloud"), 0.50),
)
"""Steps of the change, with the savings that the requirements state."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", required=True, help="first day after the change, for example 2026-01-31")
    parser.add_argument("--environment", help="environment of the stack, if it differs from the stack's name")
    parser.add_argument("--days", type=int, default=14, help="days before and after the change (default: %(default)s)")


def run(context: CommandContext, options: argparse.Namespace, today: date | None = None) -> int:
    """Print the cost of both periods, converted to a month."""
    since, days, environment = options.since, options.days, options.environment or options.stack
    change = _parse_day(since)
    days_after = min(days, ((today or clock.now().date()) - change).days)
    if days < MIN_DAYS or days_after < MIN_DAYS:
        raise CommandFailed(
            f"--since {since} with --days {days}: {max(days_after, 0)} whole days have passed since then. Choose both so that at "
            f"least {MIN_DAYS} days are compared."
        )
    start, end = change - timedelta(days), change + timedelta(days_after)
    ce = context.clients("ce")
    tagged = _get_costs(ce, start, change, end, _tag_filter(environment))
    if not tagged:
        raise CommandFailed(
            f"Cost Explorer has no cost of {SUBSYSTEM} in {environment} from {start} to {end}. Check that the tags Project, "
            "Environment and Subsystem were activated for cost allocation, and check --stack and --environment."
        )
    models = {name: cost for name, cost in _get_costs(ce, start, change, end, None).items() if MODELS in name}
    costs = {**{name: cost for name, cost in tagged.items() if MODELS not in name}, **models}
    for line in _table(costs, days, days_after):
        context.print_line(line)
    if not any(cost[0] for cost in tagged.values()):
        context.print_line(
            f"no cost was recorded before {since}: the tags were activated later, so these are not savings"
        )
    context.print_line(f"the cost of models is that of the whole account; the last days before {end} may still change")
    return 0


def _table(costs: Mapping[str, tuple[float, float]], before_days: int, after_days: int) -> Iterator[str]:
    """Yield the lines of the table in USD per month. `costs`: total cost before and after the change, by service."""
    yield f"{'USD a month':<32}{'before':>10}{'after':>10}{'saved':>10}{'expected':>10}"
    monthly_by_service = {
        name: (before / before_days * MONTH_DAYS, after / after_days * MONTH_DAYS)
        for name, (before, after) in costs.items()
    }
    total = _sum(monthly_by_service.values())
    for step in STEPS:
        names = [name for name in monthly_by_service if any(service in name for service in step.services)]
        yield _row(step.name, _sum([monthly_by_service.pop(name) for name in names]), f"{step.expected:.2f}")
    for name, monthly_costs in sorted(monthly_by_service.items()):  # services that no step concerns
        yield _row(name, monthly_costs, "")
    yield _row("all", total, f"{sum(step.expected for step in STEPS):.2f}")


def _sum(costs: Iterable[tuple[float, float]]) -> tuple[float, float]:
    pairs = list(costs)
    return sum(before for before, _ in pairs), sum(after for _, after in pairs)


def _row(name: str, costs: tuple[float, float], expected: str) -> str:
    before, after = costs
    return f"{name[:31]:<32}{before:>10.2f}{after:>10.2f}{before - after:>10.2f}{expected:>10}"


def _get_costs(
    ce: Any, start: date, change: date, end: date, cost_filter: Mapping[str, Any] | None
) -> dict[str, tuple[float, float]]:
    """Return the total cost from `start` to `change` and from `change` to `end`, by service."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])  # cost before and after the change
    request: dict[str, Any] = {
        "TimePeriod": {"Start": start.isoformat(), "End": end.isoformat()},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}],
        **({"Filter": cost_filter} if cost_filter else {}),
    }
    with translate_errors("ce:GetCostAndUsage", "this account"):
        while True:
            answer = ce.get_cost_and_usage(**request)
            for day in answer["ResultsByTime"]:
                is_after = date.fromisoformat(day["TimePeriod"]["Start"]) >= change
                for group in day["Groups"]:
                    sums[group["Keys"][0]][is_after] += float(group["Metrics"]["UnblendedCost"]["Amount"])
            if not (token := answer.get("NextPageToken")):
                return {name: (first, second) for name, (first, second) in sums.items()}
            request["NextPageToken"] = token


def _tag_filter(environment: str) -> dict[str, Any]:
    values = {"Project": PROJECT, "Environment": environment, "Subsystem": SUBSYSTEM}
    return {
        "And": [{"Tags": {"Key": key, "Values": [value], "MatchOptions": ["EQUALS"]}} for key, value in values.items()]
    }


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandFailed(f"--since {text}: give the day of the change, for example 2026-01-31.") from None
