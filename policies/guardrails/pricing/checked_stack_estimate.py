"""Cost estimate of the stack that a policy checks: its resources are converted to the estimate's input.

When a policy reads an unknown value, the SDK raises an error that ends the policy. Here each unknown property is left
out instead, so that a single unknown id prevents neither the estimate nor the check of the budget.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.pricing.cost_estimate import CostReport, PricedResource, estimate_cost
from guardrails.pricing.price_rules import PRICED_TYPES, PRICED_VALUES
from guardrails.records import CheckedResource, CheckedStack


def estimate_stack(stack: CheckedStack, platform: CheckedResource) -> CostReport:
    """Return the estimate of a stack. `platform` is its outermost component, whose property `usage` has the expected
    monthly usage of each block.
    """
    usage = select_known_properties(platform.props["usage"])
    return estimate_cost(map(to_priced_resource, stack.resources), usage)


def to_priced_resource(resource: CheckedResource) -> PricedResource:
    """Return the resource for the estimate. A resource without a price rule gets no properties, which saves time."""
    block = resource.parent or resource  # the component that contains the resource
    is_read = resource.type in PRICED_TYPES or resource.type in PRICED_VALUES
    props = select_known_properties(resource.props) if is_read else {}
    return PricedResource(resource.type, resource.name, block=block.name, block_type=block.type, props=props)


def select_known_properties(props: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known properties, at every depth."""
    known: dict[str, Any] = {}
    for key in props:
        with suppress(UnknownValueError):
            known[key] = _select_known(props[key])
    return known


def _select_known(value: Any) -> Any:
    """Return the known parts of a value. In a list, None replaces an unknown item, so that the list keeps its
    length.
    """
    if isinstance(value, Mapping):
        return select_known_properties(value)
    if isinstance(value, str) or not hasattr(value, "__getitem__"):
        return value
    items: list[Any] = [None] * len(value)
    for index in range(len(value)):
        with suppress(UnknownValueError):
            items[index] = _select_known(value[index])
    return items
