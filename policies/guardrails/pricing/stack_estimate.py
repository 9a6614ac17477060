"""Input of the estimate for the stack that a policy checks: converts its resources, with known properties only.

Reading an unknown value raises an exception. Here each unknown property is left out, so that a single unknown id prevents
neither the estimate nor the check of the budget.
"""

from collections.abc import Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.subsystem_names import parse_subsystem
from guardrails.pack.policy_kinds import CheckedResource, CheckedStack
from guardrails.pricing.cost_estimate import CostReport, PricedResource, estimate_cost
from guardrails.pricing.rules import PRICE_RULES

UNKNOWN_ITEM = None
"""Replacement of an unknown item in a list, so that the list keeps its length."""


def estimate_stack(stack: CheckedStack, platform: CheckedResource) -> CostReport:
    """Return the estimate of a stack at the usage that its Platform resource publishes."""
    return estimate_cost((to_priced_resource(resource) for resource in stack.resources), platform.props["usage"])


def to_priced_resource(resource: CheckedResource) -> PricedResource:
    """Return the resource for the estimate. Properties are converted only if a price rule reads them."""
    block = resource.parent.name if resource.parent else resource.name
    props = known_properties(resource.props) if resource.type in PRICE_RULES else {}
    return PricedResource(resource.type, resource.name, block, parse_subsystem(block), props)


def known_properties(props: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known properties, at every depth."""
    known: dict[str, Any] = {}
    for key in props:
        try:
            known[key] = _convert_known(props[key])
        except UnknownValueError:
            continue
    return known


def _convert_known(value: Any) -> Any:
    if isinstance(value, Mapping):
        return known_properties(value)
    if isinstance(value, str) or not hasattr(value, "__getitem__"):
        return value
    return [_convert_known_item(value, index) for index in range(len(value))]


def _convert_known_item(values: Any, index: int) -> Any:
    try:
        return _convert_known(values[index])
    except UnknownValueError:
        return UNKNOWN_ITEM
