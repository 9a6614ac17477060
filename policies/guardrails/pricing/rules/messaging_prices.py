"""Queues, topics, events and schedules."""

import re

from guardrails.model.resource_types import AGENT_MEMORY, EVENT_ARCHIVE, EVENT_SOURCE_MAPPING, QUEUE, SCHEDULE, TOPIC
from guardrails.pricing.price_rule import (
    HOURS,
    SECONDS,
    PricedResource,
    PriceRule,
    PricingInput,
    Quantities,
    usage_rule,
)

REQUESTS_A_MESSAGE = 2
"""Sent and deleted, one by one; received in batches."""
POLLERS = 5
"""Long polls that Lambda keeps open at every queue that feeds a function (developer guide, SQS scaling)."""
POLL_SECONDS = 20
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SECONDS_BY_UNIT = {"minute": 60, "hour": 3600, "day": 86_400}
DAYS = HOURS / 24


def _queue(pricing: PricingInput) -> Quantities:
    yield "sqs_request", pricing.amount("messages") * REQUESTS_A_MESSAGE + pricing.amount("batches")


def _source(pricing: PricingInput) -> Quantities:
    """What Lambda's own polling costs while nothing comes: it is billed as any other request."""
    if ":sqs:" in str(pricing.props.get("eventSourceArn")):
        yield "sqs_request", POLLERS * SECONDS / POLL_SECONDS


def _schedule(pricing: PricingInput) -> Quantities:
    yield (
        "scheduler_invocation",
        pricing.amount("runs") or runs_a_month(str(pricing.props.get("scheduleExpression", ""))),
    )


def runs_a_month(expression: str) -> float:
    """How often a schedule's expression fires: exact for rates, by its minutes, hours and days for cron."""
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return SECONDS / (int(rate[1]) * SECONDS_BY_UNIT[rate[2]])
    if cron := re.fullmatch(r"cron\((\S+) (\S+) (\S+) \S+ (\S+) \S+\)", expression):
        minutes, hours, days, weekdays = cron.groups()
        share = _values(weekdays, 7) / 7 if weekdays not in "*?" else _values(days, 30) / 30
        return _values(minutes, 60) * _values(hours, 24) * share * DAYS
    return 0


def _values(field: str, all_of: int) -> float:
    """How many values one field of a cron expression takes."""
    if field in "*?":
        return all_of
    if step := re.fullmatch(r"[^/]+/(\d+)", field):
        return all_of / int(step[1])
    return sum(_span(part, all_of) for part in field.split(","))


def _span(part: str, all_of: int) -> int:
    """How many values a part of a field takes: one, or a range, which may run past the end."""
    for number, name in enumerate(WEEKDAYS, 1):
        part = part.upper().replace(name, str(number))
    if not (ends := re.fullmatch(r"(\d+)-(\d+)", part)):
        return 1
    first, last = int(ends[1]), int(ends[2])
    return last - first + 1 + (all_of if last < first else 0)


def _dead_letters(resource: PricedResource) -> bool:
    return resource.block.endswith("-dlq")


PRICE_RULES = {
    QUEUE: PriceRule(
        _queue,
        required_measures={"messages": "messages, in pieces of 64 KB"},
        optional_measures={"batches": "times that messages are received"},
        is_usage_optional=_dead_letters,
    ),
    EVENT_SOURCE_MAPPING: PriceRule(_source),
    TOPIC: usage_rule(
        {},
        {
            "published": ("sns_publish", "messages that alarms, budgets and events publish"),
            "emails": ("sns_email", "e-mails sent"),
        },
    ),
    EVENT_ARCHIVE: usage_rule(
        {
            "archivedGb": ("events_archived", "GB of events that are archived"),
            "archiveGb": ("events_archive_storage", "GB of events kept on average"),
        }
    ),
    SCHEDULE: PriceRule(
        _schedule, optional_measures={"runs": "calls; counted from its expression where they are not given"}
    ),
    AGENT_MEMORY: usage_rule(
        {
            "memoryEvents": ("memory_event", "events written to the agent's memory"),
            "memoryRecords": ("memory_record", "long-term records kept on average"),
        },
        {"memoryRetrievals": ("memory_retrieval", "retrievals of long-term records")},
    ),
}
