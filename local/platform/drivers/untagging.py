"""Services add tags to those that are there. So a tag that the program no longer has must be taken away by a call of
its own, made from the one that adds: `TagResource` → `UntagResource`. Pure.
"""

from collections.abc import Sequence

from local.platform.drivers.model import Driver, DriverCall, constant
from local.platform.drivers.service_shapes import input_shape

OPPOSITES = {"AddTagsToResource": "RemoveTagsFromResource"}
"""Where the name does not follow from the other."""


def make_untag_call(driver: Driver, call: DriverCall, before: Sequence[str], now: Sequence[str]) -> DriverCall | None:
    """The call that takes away the tags that were there before and are not now; none where there are none."""
    removed = sorted(set(before) - set(now))
    if not removed or not adds_tags(call):
        return None
    operation = OPPOSITES.get(call.operation, f"Un{call.operation[0].lower()}{call.operation[1:]}")
    members = {name.lower(): name for name in input_shape(driver, DriverCall(operation, {})).members}
    kept = {name: source for name, source in call.params.items() if name.lower() != "tags"}
    return DriverCall(operation, {**kept, members["tagkeys"]: constant(removed)})


def adds_tags(call: DriverCall) -> bool:
    """Whether a call adds tags, rather than setting all of them."""
    return call.operation in OPPOSITES or call.operation.startswith("Tag")


def tags_property(call: DriverCall) -> str:
    """The property that a tagging call takes its tags from."""
    return next(source for name, source in call.params.items() if name.lower() == "tags" and isinstance(source, str))
