"""Cost estimate of the stack that the policies about spending (`rules/spending.py`) check.

The resources are converted to the input of the estimate (`cost_estimate.py`). A value that AWS assigns during the
deployment is left out. So a single unknown id prevents neither the estimate nor the check of the budget.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from guardrails.pricing.cost_estimate import CostReport, PricedResource, estimate_cost
from guardrails.pricing.price_rules import PRICED_TYPES, PRICED_VALUES
from guardrails.records import CheckedResource, CheckedStack
from guardrails.surface.property_walk import UNKNOWN, get_known


def estimate_stack(stack: CheckedStack, platform: CheckedResource) -> CostReport:
    """Return the estimate of a stack. `platform` is its outermost component, whose property `usage` has the expected
    monthly usage of each block.
    """
    return estimate_cost(map(_to_priced_resource, stack.resources), select_known(platform.props["usage"]))


def _to_priced_resource(resource: CheckedResource) -> PricedResource:
    """Return the resource for the estimate. A resource without a price rule gets no properties, which saves time."""
    block = resource.parent or resource  # the component that contains the resource
    is_read = resource.type in PRICED_TYPES or resource.type in PRICED_VALUES
    props = select_known(resource.props) if is_read else {}
    return PricedResource(resource.type, resource.name, block=block.name, block_type=block.type, props=props)


def select_known(value: Any) -> Any:
    """Return the known parts of a value. In a list, None replaces an unknown item, so that the list keeps its length."""
    if isinstance(value, Mapping):
        known = {key: get_known(value, key) for key in value}
        return {key: select_known(part) for key, part in known.items() if part is not UNKNOWN}
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [get_known(value, index) for index in range(len(value))]
        return [None if item is UNKNOWN else select_known(item) for item in items]
    return value
