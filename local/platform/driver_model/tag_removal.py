"""Makes the call that removes tags.

Tagging calls add to the existing tags. A tag that the program no longer contains needs a call of its own, which is
derived from the tagging call: `TagResource` → `UntagResource`.
"""

from collections.abc import Sequence

from local.platform.driver_model.driver import Driver, DriverCall, constant
from local.platform.driver_model.service_shapes import input_shape

OPPOSITES = {"AddTagsToResource": "RemoveTagsFromResource"}
"""Untagging operations whose name does not follow from the tagging operation."""


def make_untag_call(driver: Driver, call: DriverCall, before: Sequence[str], now: Sequence[str]) -> DriverCall | None:
    """Return the call that removes the tags in `before` that are not in `now`, or None if there are none."""
    removed = sorted(set(before) - set(now))
    if not removed or not adds_tags(call):
        return None
    operation = OPPOSITES.get(call.operation, f"Un{call.operation[0].lower()}{call.operation[1:]}")
    members = {name.lower(): name for name in input_shape(driver, DriverCall(operation, {})).members}
    kept = {name: source for name, source in call.params.items() if name.lower() != "tags"}
    return DriverCall(operation, {**kept, members["tagkeys"]: constant(removed)})


def adds_tags(call: DriverCall) -> bool:
    """Return True if a call adds tags to the existing ones."""
    return call.operation in OPPOSITES or call.operation.startswith("Tag")


def tags_property(call: DriverCall) -> str:
    """Return the property that a tagging call takes its tags from."""
    return next(source for name, source in call.params.items() if name.lower() == "tags" and isinstance(source, str))
