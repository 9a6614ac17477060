"""Builder of calls that remove tags, derived from calls that add tags, for example `UntagResource` from `TagResource`.

A driver (`driver.py`) lists the service calls for one resource type. The tagging call in its list only adds tags, so
the platform needs another call if the program no longer contains a tag.
"""

from collections.abc import Sequence
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from local.platform.driver_model.driver import Driver, DriverCall, constant
from local.platform.driver_model.service_shapes import input_shape

UNTAG_OPERATIONS = {"AddTagsToResource": "RemoveTagsFromResource", "CreateTags": "DeleteTags"}
"""Untagging operation by tagging operation. Other untagging operations have the prefix `Un`, for example `UntagRole`."""


def make_untag_call(
    driver: Driver, call: DriverCall, old_keys: Sequence[str], new_keys: Sequence[str]
) -> DriverCall | None:
    """Return the call that removes the tags whose keys are only in `old_keys`, or None if nothing is removed."""
    removed = sorted(set(old_keys) - set(new_keys))
    if not removed or not adds_tags(call):
        return None
    operation = UNTAG_OPERATIONS.get(call.operation, f"Un{call.operation[0].lower()}{call.operation[1:]}")
    shape = input_shape(driver, DriverCall(operation, {}))
    other_params = {name: source for name, source in call.params.items() if not _contains_tags(name)}
    # The parameter for the keys is the only required one that the tagging call lacks. In EC2's DeleteTags it is optional,
    # because DeleteTags without `Tags` deletes all tags.
    [parameter] = set(shape.required_members) - set(other_params) or {"Tags"}
    return DriverCall(operation, {**other_params, parameter: constant(_to_keys(removed, shape.members[parameter]))})


def adds_tags(call: DriverCall) -> bool:
    """Return True if a call adds tags to the existing ones."""
    return call.operation in UNTAG_OPERATIONS or call.operation.startswith("Tag")


def tags_property(call: DriverCall) -> str:
    """Return the property that a tagging call takes its tags from."""
    return next(source for name, source in call.params.items() if _contains_tags(name) and isinstance(source, str))


def _contains_tags(parameter: str) -> bool:
    """Return True for the parameter of a tagging call that contains the tags, for example `Tags` or `TagsToAdd`."""
    return "tags" in parameter.lower()


def _to_keys(removed: list[str], shape: Shape) -> list[Any]:
    """Return the keys as the untagging operation takes them: as texts, or for EC2 as tags without a value."""
    is_structure = isinstance(shape, ListShape) and isinstance(shape.member, StructureShape)
    return [{"Key": key} for key in removed] if is_structure else list(removed)
