"""From what a stack policy is given to what the estimate wants: plain, known properties.

A value that is not known yet raises when it is read. Here it is left out, property by property, so that one unknown
id keeps neither the estimate nor the policy on the budget from being made.
"""

from collections.abc import Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.subsystem_names import parse_subsystem
from guardrails.pack.policy_kinds import CheckedResource, CheckedStack
from guardrails.pricing.estimate import CostReport, PricedResource, estimate_cost
from guardrails.pricing.rules import PRICE_RULES

UNKNOWN_ITEM = None
"""Stands for an unknown value inside a list, where leaving it out would change how many there are."""


def estimate_stack(stack: CheckedStack, platform: CheckedResource) -> CostReport:
    """The estimate of a stack at the usage that its platform publishes."""
    return estimate_cost((to_priced_resource(resource) for resource in stack.resources), platform.props["usage"])


def to_priced_resource(resource: CheckedResource) -> PricedResource:
    """A resource with its known properties, if any rule reads them."""
    block = resource.parent.name if resource.parent else resource.name
    props = known_properties(resource.props) if resource.type in PRICE_RULES else {}
    return PricedResource(resource.type, resource.name, block, parse_subsystem(block), props)


def known_properties(props: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that are known, at every depth."""
    found: dict[str, Any] = {}
    for key in props:
        try:
            found[key] = _known(props[key])
        except UnknownValueError:
            continue
    return found


def _known(value: Any) -> Any:
    if isinstance(value, Mapping):
        return known_properties(value)
    if isinstance(value, str) or not hasattr(value, "__getitem__"):
        return value
    return [_item(value, index) for index in range(len(value))]


def _item(values: Any, index: int) -> Any:
    try:
        return _known(values[index])
    except UnknownValueError:
        return UNKNOWN_ITEM
