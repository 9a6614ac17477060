"""What meetings cost before and after a day, by Cost Explorer, beside what the requirement expects each step to save.

Cost is found by the tags `Project`, `Environment` and `Subsystem`, which somebody has to have activated for cost
allocation: Cost Explorer knows nothing of them from before that day. Calls of Bedrock's models carry no tags, so that
line is the account's. Each question to Cost Explorer costs a cent; this asks two.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from handlers.common.time_and_ids import clock
from operations.aws_gateway import told
from operations.command_context import Desk
from operations.command_errors import Refused
from operations.function_target import PROJECT

SUMMARY = "what meetings cost before and after a day, by Cost Explorer"
SUBSYSTEM = "meetings"
MONTH = 30
LEAST_DAYS = 3
"""Cost Explorer is about a day behind; two days say nothing."""
MODELS = "Bedrock"
"""Part of the service's name, whichever model it is."""


@dataclass(frozen=True)
class Step:
    """A change, the services that it saves on, and what the requirement expects of it."""

    name: str
    services: tuple[str, ...]
    """As Cost Explorer names them, or the part that they have in common."""
    expected: float
    """USD a month."""


STEPS = (
    Step("S3 lifecycle", ("Amazon Simple Storage Service",), 6.50),
    Step("AWS-managed KMS key", ("AWS Key Management Service",), 2.00),
    Step("two indexes fewer", ("Amazon DynamoDB",), 2.00),
    Step("Claude Haiku for action items", (MODELS,), 6.00),
    Step("Batch with Spot", ("Amazon Elastic Container Service", "AWS Batch"), 12.00),
    Step("VPC endpoints", ("EC2 - Other", "Amazon Virtual Private Cloud"), 0.50),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--since", required=True, help="the first day of the change, as in 2026-01-31")
    parser.add_argument("--environment", help="the stack's environment, where that is not its name")
    parser.add_argument("--days", type=int, default=14, help="days on either side (default: %(default)s)")


def run(desk: Desk, options: argparse.Namespace, today: date | None = None) -> int:
    """Prints the two periods side by side, each as a month's cost."""
    since, days, environment = options.since, options.days, options.environment or options.stack
    change = _day(since)
    after = min(days, ((today or clock.now().date()) - change).days)
    if days < LEAST_DAYS or after < LEAST_DAYS:
        raise Refused(
            f"{since} and {days} days: {max(after, 0)} whole days are over since then; give a day and --days so that at "
            f"least {LEAST_DAYS} are"
        )
    start, end = change - timedelta(days), change + timedelta(after)
    ce = desk.clients("ce")
    tagged = _costs(ce, start, change, end, _tags(environment))
    if not tagged:
        raise Refused(
            f"Cost Explorer knows no cost of {SUBSYSTEM} in {environment} from {start} to {end}: are the tags Project, "
            "Environment and Subsystem activated for cost allocation, and since when? Check --stack and --environment too"
        )
    models = {name: cost for name, cost in _costs(ce, start, change, end, None).items() if MODELS in name}
    per_day = {**{name: cost for name, cost in tagged.items() if MODELS not in name}, **models}
    for line in _table(per_day, days, after):
        desk.say(line)
    if not any(cost[0] for cost in tagged.values()):
        desk.say(f"nothing was counted before {since}: the tags were activated since, so these are no savings")
    desk.say(f"models are those of the whole account; the last days may still change, Cost Explorer asks until {end}")
    return 0


def _table(found: Mapping[str, tuple[float, float]], before_days: int, after_days: int) -> Iterator[str]:
    """USD a month."""
    yield f"{'USD a month':<32}{'before':>10}{'after':>10}{'saved':>10}{'expected':>10}"
    rest = {name: (before / before_days * MONTH, after / after_days * MONTH) for name, (before, after) in found.items()}
    total = _sum(rest.values())
    for step in STEPS:
        names = [name for name in rest if any(service in name for service in step.services)]
        yield _row(step.name, _sum([rest.pop(name) for name in names]), f"{step.expected:.2f}")
    for name, costs in sorted(rest.items()):
        yield _row(name, costs, "")
    yield _row("all", total, f"{sum(step.expected for step in STEPS):.2f}")


def _sum(costs: Iterable[tuple[float, float]]) -> tuple[float, float]:
    pairs = list(costs)
    return sum(before for before, _ in pairs), sum(after for _, after in pairs)


def _row(name: str, costs: tuple[float, float], expected: str) -> str:
    before, after = costs
    return f"{name[:31]:<32}{before:>10.2f}{after:>10.2f}{before - after:>10.2f}{expected:>10}"


def _costs(
    ce: Any, start: date, change: date, end: date, filtered: Mapping[str, Any] | None
) -> dict[str, tuple[float, float]]:
    """Service → cost before and after the change."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    asked: dict[str, Any] = {
        "TimePeriod": {"Start": start.isoformat(), "End": end.isoformat()},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}],
        **({"Filter": filtered} if filtered else {}),
    }
    with told("ce:GetCostAndUsage", "this account"):
        while True:
            answer = ce.get_cost_and_usage(**asked)
            for day in answer["ResultsByTime"]:
                late = date.fromisoformat(day["TimePeriod"]["Start"]) >= change
                for group in day["Groups"]:
                    sums[group["Keys"][0]][late] += float(group["Metrics"]["UnblendedCost"]["Amount"])
            if not (token := answer.get("NextPageToken")):
                return {name: (first, second) for name, (first, second) in sums.items()}
            asked["NextPageToken"] = token


def _tags(environment: str) -> dict[str, Any]:
    values = {"Project": PROJECT, "Environment": environment, "Subsystem": SUBSYSTEM}
    return {
        "And": [{"Tags": {"Key": key, "Values": [value], "MatchOptions": ["EQUALS"]}} for key, value in values.items()]
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(f"--since {text}: give the day of the change, as in 2026-01-31") from None
