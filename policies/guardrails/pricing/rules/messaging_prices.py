"""Price rules of queues, event source mappings, topics, event archives, schedules and Bedrock AgentCore memories."""

import re

from guardrails.model.resource_types import AGENT_MEMORY, EVENT_ARCHIVE, EVENT_SOURCE_MAPPING, QUEUE, SCHEDULE, TOPIC
from guardrails.pricing.price_rule import (
    HOURS,
    SECONDS_PER_MONTH,
    PricedResource,
    PriceRule,
    PricingInput,
    Quantities,
    make_usage_rule,
)

REQUESTS_PER_MESSAGE = 2
"""Requests for each message: a send and a delete. The measure `batches` counts the receives, because one receive gets
several messages.
"""
POLLERS = 5
"""Number of long polls that Lambda keeps open for each queue that it reads (Lambda developer guide, SQS scaling)."""
POLL_SECONDS = 20
"""Duration of one long poll of an empty queue."""
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SECONDS_BY_UNIT = {"minute": 60, "hour": 3600, "day": 86_400}
DAYS = HOURS / 24
"""Days of an average month."""


def _price_queue(pricing: PricingInput) -> Quantities:
    yield "sqs_request", pricing.amount("messages") * REQUESTS_PER_MESSAGE + pricing.amount("batches")


def _price_event_source(pricing: PricingInput) -> Quantities:
    """Yield the number of requests with which Lambda polls a queue. They are billed even if the queue is empty."""
    if ":sqs:" in str(pricing.props.get("eventSourceArn")):
        yield "sqs_request", POLLERS * SECONDS_PER_MONTH / POLL_SECONDS


def _price_schedule(pricing: PricingInput) -> Quantities:
    yield (
        "scheduler_invocation",
        pricing.amount("runs") or count_runs_per_month(str(pricing.props.get("scheduleExpression", ""))),
    )


def count_runs_per_month(expression: str) -> float:
    """Return the number of runs a month of a schedule expression. Limits of a cron expression to some months or years
    are ignored. Other expressions count zero, for example `at(…)`, which runs only once.
    """
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return SECONDS_PER_MONTH / (int(rate[1]) * SECONDS_BY_UNIT[rate[2]])
    if cron := re.fullmatch(r"cron\((\S+) (\S+) (\S+) \S+ (\S+) \S+\)", expression):
        minutes, hours, days, weekdays = cron.groups()
        # A cron expression limits either the weekdays or the days of the month. The other field is `?`.
        share_of_days = _count_values(weekdays, 7) / 7 if weekdays not in "*?" else _count_values(days, 30) / 30
        return _count_values(minutes, 60) * _count_values(hours, 24) * share_of_days * DAYS
    return 0


def _count_values(field: str, max_values: int) -> float:
    """Return the number of values that a field of a cron expression matches."""
    if field in "*?":
        return max_values
    if step := re.fullmatch(r"[^/]+/(\d+)", field):
        return max_values / int(step[1])
    return sum(_count_range(part, max_values) for part in field.split(","))


def _count_range(part: str, max_values: int) -> int:
    """Return the number of values of one part of a field: a single value or a range, which may wrap around the end."""
    for number, name in enumerate(WEEKDAYS, 1):
        part = part.upper().replace(name, str(number))
    if not (ends := re.fullmatch(r"(\d+)-(\d+)", part)):
        return 1
    first, last = int(ends[1]), int(ends[2])
    return last - first + 1 + (max_values if last < first else 0)


def _is_dead_letter_queue(resource: PricedResource) -> bool:
    """Return True for the queue of a block named `…-dlq`. It gets only failed messages, so no usage is published for
    it. For dead-letter queues with other names, the program publishes zero messages.
    """
    return resource.block.endswith("-dlq")


PRICE_RULES = {
    QUEUE: PriceRule(
        _price_queue,
        required_measures={"messages": "messages, in units of 64 KB"},
        optional_measures={"batches": "receive requests"},
        is_usage_optional=_is_dead_letter_queue,
    ),
    EVENT_SOURCE_MAPPING: PriceRule(_price_event_source),
    TOPIC: make_usage_rule(
        {},
        {
            "published": ("sns_publish", "messages that alarms, budgets and events publish"),
            "emails": ("sns_email", "e-mails sent"),
        },
    ),
    EVENT_ARCHIVE: make_usage_rule(
        {
            "archivedGb": ("events_archived", "GB of events that are archived"),
            "archiveGb": ("events_archive_storage", "average GB of stored events"),
        }
    ),
    SCHEDULE: PriceRule(
        _price_schedule,
        optional_measures={"runs": "runs; computed from the schedule expression if this amount is missing"},
    ),
    AGENT_MEMORY: make_usage_rule(
        {
            "memoryEvents": ("memory_event", "events written to the agent memory"),
            "memoryRecords": ("memory_record", "average number of stored long-term records"),
        },
        {"memoryRetrievals": ("memory_retrieval", "retrievals of long-term records")},
    ),
}
