"""Builder of calls that remove tags, derived from calls that add tags, for example `UntagResource` from `TagResource`.

A driver (`driver.py`) lists the service calls for one resource type. Its tagging call only adds tags, so the removal of
a tag from the program needs another call.
"""

from collections.abc import Sequence

from local.platform.driver_model.driver import Driver, DriverCall, constant
from local.platform.driver_model.service_shapes import input_shape

OPPOSITES = {"AddTagsToResource": "RemoveTagsFromResource"}
"""Untagging operations whose name does not follow from the tagging operation."""


def make_untag_call(
    driver: Driver, call: DriverCall, old_keys: Sequence[str], new_keys: Sequence[str]
) -> DriverCall | None:
    """Return the call that removes the tags whose keys are only in `old_keys`, or None if nothing is removed."""
    removed = sorted(set(old_keys) - set(new_keys))
    if not removed or not adds_tags(call):
        return None
    operation = OPPOSITES.get(call.operation, f"Un{call.operation[0].lower()}{call.operation[1:]}")
    members = {name.lower(): name for name in input_shape(driver, DriverCall(operation, {})).members}
    other_params = {name: source for name, source in call.params.items() if name.lower() != "tags"}
    return DriverCall(operation, {**other_params, members["tagkeys"]: constant(removed)})


def adds_tags(call: DriverCall) -> bool:
    """Return True if a call adds tags to the existing ones."""
    return call.operation in OPPOSITES or call.operation.startswith("Tag")


def tags_property(call: DriverCall) -> str:
    """Return the property that a tagging call takes its tags from."""
    return next(source for name, source in call.params.items() if name.lower() == "tags" and isinstance(source, str))
