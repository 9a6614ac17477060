"""Logs, alarms, dashboards, metrics."""

from guardrails.model.resource_types import ALARM, BUCKET_METRIC, COMPOSITE_ALARM, DASHBOARD, LOG_GROUP, METRIC_FILTER
from guardrails.pricing.price_rule import Bill, Priced, Quantities, Rule, of_months

FOR_EVER_DAYS = 3650
HIGH_RESOLUTION_SECONDS = 60
METRICS_OF_A_BUCKET = 16
"""Of its requests, by each filter."""


def _log_group(bill: Bill) -> Quantities:
    gigabytes = bill.of("logGb")
    yield "logs_ingested", gigabytes
    yield "logs_stored", gigabytes * float(bill.props.get("retentionInDays") or FOR_EVER_DAYS) / 30


def _alarm(bill: Bill) -> Quantities:
    """Paid by the metric that it reads: one of metric math reads several."""
    metrics = sum(1 for query in bill.props.get("metricQueries") or () if query.get("metric")) or 1
    period = float(bill.props.get("period") or HIGH_RESOLUTION_SECONDS)
    yield "alarm" if period >= HIGH_RESOLUTION_SECONDS else "alarm_high_resolution", metrics


def _metric_filter(bill: Bill) -> Quantities:
    """Paid by the metric, and that once where several filters of a block add to one."""
    metric = _metric(bill.one)
    same = [one.name for one in bill.siblings if one.type == METRIC_FILTER and metric and _metric(one) == metric]
    if bill.one.name == min(same, default=bill.one.name):
        yield "metric", 1


def _metric(one: Priced) -> tuple[object, object] | None:
    """The metric that a filter adds to; none where that is not known."""
    written = one.props.get("metricTransformation") or {}
    name, namespace = written.get("name"), written.get("namespace")
    return (namespace, name) if name and namespace else None


RULES = {
    LOG_GROUP: Rule(_log_group, needs={"logGb": "GB of log lines written"}),
    ALARM: Rule(_alarm),
    COMPOSITE_ALARM: of_months("alarm_composite"),
    DASHBOARD: of_months("dashboard"),
    METRIC_FILTER: Rule(_metric_filter),
    BUCKET_METRIC: of_months("metric", METRICS_OF_A_BUCKET),
}
