"""From what a stack policy is given to what the estimate wants: plain, known properties.

A value that is not known yet raises when it is read. Here it is left out, property by property, so that one unknown
id keeps neither the estimate nor the policy on the budget from being made.
"""

from collections.abc import Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.subsystem_names import subsystem
from guardrails.pack.policy_kinds import Judged, Stack
from guardrails.pricing.estimate import CostReport, Priced, estimate
from guardrails.pricing.rules import RULES

UNKNOWN = None
"""Stands for an unknown value inside a list, where leaving it out would change how many there are."""


def report(stack: Stack, platform: Judged) -> CostReport:
    """The estimate of a stack at the usage that its platform publishes."""
    return estimate((priced(one) for one in stack.resources), platform.props["usage"])


def priced(one: Judged) -> Priced:
    """A resource with its known properties, if any rule reads them."""
    block = one.parent.name if one.parent else one.name
    props = known(one.props) if one.type in RULES else {}
    return Priced(one.type, one.name, block, subsystem(block), props)


def known(props: Mapping[str, Any]) -> dict[str, Any]:
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
        return known(value)
    if isinstance(value, str) or not hasattr(value, "__getitem__"):
        return value
    return [_item(value, index) for index in range(len(value))]


def _item(values: Any, index: int) -> Any:
    try:
        return _known(values[index])
    except UnknownValueError:
        return UNKNOWN
