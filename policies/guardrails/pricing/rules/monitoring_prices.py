"""Price rules of log groups, alarms, dashboards and metrics."""

from guardrails.model.resource_types import ALARM, COMPOSITE_ALARM, DASHBOARD, LOG_GROUP, METRIC_FILTER
from guardrails.pricing.price_rule import PricedResource, PriceRule, PricingInput, Quantities, make_monthly_rule

UNLIMITED_RETENTION_DAYS = 3650
"""Retention that is assumed for a log group that keeps its logs for ever."""
HIGH_RESOLUTION_SECONDS = 60
"""Alarms with a shorter period are billed as high-resolution alarms."""


def _price_log_group(pricing: PricingInput) -> Quantities:
    gigabytes = pricing.amount("logGb")
    yield "logs_ingested", gigabytes
    yield "logs_stored", gigabytes * float(pricing.props.get("retentionInDays") or UNLIMITED_RETENTION_DAYS) / 30


def _price_alarm(pricing: PricingInput) -> Quantities:
    """Yield the number of metrics that the alarm reads, by which AWS bills it. Metric math can read several."""
    metrics = sum(1 for query in pricing.props.get("metricQueries") or () if query.get("metric")) or 1
    period = float(pricing.props.get("period") or HIGH_RESOLUTION_SECONDS)
    yield "alarm" if period >= HIGH_RESOLUTION_SECONDS else "alarm_high_resolution", metrics


def _price_metric_filter(pricing: PricingInput) -> Quantities:
    """Yield one metric. If several filters in one component write the same metric, it is billed once, so only the
    filter with the first name yields it.
    """
    metric = _get_metric(pricing.resource)
    same = [
        sibling.name
        for sibling in pricing.siblings
        if sibling.type == METRIC_FILTER and metric and _get_metric(sibling) == metric
    ]
    if pricing.resource.name == min(same, default=pricing.resource.name):
        yield "metric", 1


def _get_metric(resource: PricedResource) -> tuple[object, object] | None:
    """Return namespace and name of the metric that a filter writes; None if they are unknown."""
    written = resource.props.get("metricTransformation") or {}
    name, namespace = written.get("name"), written.get("namespace")
    return (namespace, name) if name and namespace else None


PRICE_RULES = {
    LOG_GROUP: PriceRule(_price_log_group, required_measures={"logGb": "GB of log lines written"}),
    ALARM: PriceRule(_price_alarm),
    COMPOSITE_ALARM: make_monthly_rule("alarm_composite"),
    DASHBOARD: make_monthly_rule("dashboard"),
    METRIC_FILTER: PriceRule(_price_metric_filter),
}
