"""Monthly cost of a subsystem at a load and with settings that a test chooses."""

from collections.abc import Callable, Mapping
from typing import Any

from components.usage_formulas import Usage
from guardrails.pricing.cost_estimate import estimate_cost
from local.preview.cost import to_priced_resource
from tests.components.deployment_harness import Deployment


def assert_monthly_cost(
    deployment: Deployment,
    monthly_usage: Callable[[Any], Usage],
    load: Mapping[str, float],
    settings: Mapping[str, Any],
    usd: float,
) -> None:
    """Assert the cost without alarms. The estimate fails if a measure of the usage is missing or has no price."""
    graph = deployment.deployed(load=load, **settings).graph
    usage = monthly_usage(deployment.settings(load=load, **settings))
    report = estimate_cost([to_priced_resource(resource, graph) for resource in graph], usage)
    assert report.unpriced == ()
    assert round(report.total - report.sum_by("price")["alarm"], 2) == usd
