"""Comparison of the inputs that the program gave a resource with the values that its service returns now.

A service may return an unchanged setting in another form: with other names, a number as text, a JSON document with
other spaces, a list in another order, or with defaults that the program does not give. Such differences must not look
like a change by hand.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local.platform.driver_model.service_shapes import find_key_and_value, find_member
from local.preview.property_value_conversion import UNKNOWN, Archive, Asset, Props, Secret


def to_current_input(given: Any, current: Any, shape: Shape | None, renames: Mapping[str, str]) -> Any:
    """Return `given` if the service's value `current` has the same meaning, and otherwise `current` in Pulumi's form.

    `shape` is botocore's description of the service's value, or None if the value already has Pulumi's names. `renames`
    are the `nested_renames` of the driver's call. If a setting was removed by hand, the result is None. In a nested
    value, unchanged parts stay as the program gave them. If `given` is a secret, a different value is a secret, too.
    """
    if isinstance(given, Secret):
        restored = to_current_input(given.value, current, shape, renames)
        return given if restored == given.value else None if restored is None else Secret(restored)
    if given is UNKNOWN or isinstance(given, Archive | Asset):
        return given
    if _is_absent(current):
        return None if _is_significant(given) else given
    match shape:
        case StructureShape():
            return _to_structure(given, current, shape, renames)
        case ListShape():
            return _to_list(given, current, shape, renames)
        case MapShape():
            return _to_map(given, current, shape.value, renames)
        case None if isinstance(current, Mapping) and not isinstance(given, str):
            return _to_structure(given, current, None, renames)
        case None if isinstance(current, list):
            return _to_list(given, current, None, renames)
    return _to_scalar(given, current)


def _is_absent(value: Any) -> bool:
    """Return True for an empty value, and for a structure or list that contains only empty values."""
    if isinstance(value, Mapping):
        return all(_is_absent(inner) for inner in value.values())
    if isinstance(value, list):
        return all(_is_absent(inner) for inner in value)
    return value is None or value == ""


def _is_significant(value: Any) -> bool:
    """Return True if a value differs from the usual defaults, which are empty values, 0 and False."""
    if isinstance(value, Secret):
        return _is_significant(value.value)
    if isinstance(value, Mapping):
        return any(_is_significant(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_is_significant(inner) for inner in value)
    return bool(value)


def _to_structure(
    given: Any, current: Mapping[str, Any], shape: StructureShape | None, renames: Mapping[str, str]
) -> Any:
    if isinstance(given, list) and len(given) < 2:  # Pulumi passes some single structures as a list with one item.
        item = _to_structure(given[0] if given else None, current, shape, renames)
        return None if item is None else [item]
    template = given if isinstance(given, Mapping) else {}
    structure: Props = {}
    used: set[str | None] = set()
    for key, inner in template.items():
        member = find_member(key, shape, renames) if shape else key
        used.add(member)
        value = to_current_input(inner, current.get(member) if member else None, _member_shape(shape, member), renames)
        if value is not None or inner is None:
            structure[key] = value
    for member, value in current.items():
        # A member that the program does not give was set by hand. Members that are no settings, for example a status,
        # are omitted: the shape lacks them.
        if member not in used and (shape is None or member in shape.members) and _is_significant(value):
            key = _to_pulumi_name(member, renames) if shape else member
            structure[key] = to_current_input(None, value, _member_shape(shape, member), renames)
    return structure or None


def _member_shape(shape: StructureShape | None, member: str | None) -> Shape | None:
    return shape.members[member] if shape and member else None


def _to_pulumi_name(member: str, renames: Mapping[str, str]) -> str:
    """Return Pulumi's name of a service's member, for example `kmsKeyArn` for `KMSKeyArn`."""
    pulumi_names = {name.lower(): key for key, name in renames.items()}
    if member.lower() in pulumi_names:
        return pulumi_names[member.lower()]
    return re.sub(r"^([A-Z]+(?![a-z])|[A-Z])", lambda match: match[0].lower(), member)


def _to_map(given: Any, current: Mapping[str, Any], shape: Shape, renames: Mapping[str, str]) -> Any:
    template = given if isinstance(given, Mapping) else {}
    ordered = [*(key for key in template if key in current), *(key for key in current if key not in template)]
    restored = {key: to_current_input(template.get(key), current[key], shape, renames) for key in ordered}
    # A map's entry with an empty text exists, for example a tag. A structure's member with an empty text counts as absent.
    return {key: current[key] if value is None else value for key, value in restored.items()}


def _to_list(given: Any, current: list[Any], shape: ListShape | None, renames: Mapping[str, str]) -> Any:
    item_shape = shape.member if shape else None
    if item_shape and not isinstance(given, list) and (names := find_key_and_value(item_shape)):
        key, content = names
        entries = {item[key]: item.get(content) for item in current}
        return _to_map(given, entries, item_shape.members[content], renames)  # type: ignore[attr-defined]
    if given is not None and not isinstance(given, list):  # Pulumi passes some lists with one item as the item itself.
        items = _to_items([given], current, item_shape, renames)
        return items[0] if len(items) == 1 else items
    return _to_items(given or [], current, item_shape, renames)


def _to_items(given: list[Any], current: list[Any], shape: Shape | None, renames: Mapping[str, str]) -> list[Any]:
    """Return the service's items: the unchanged and changed ones in the program's order, then the new ones.

    Most lists are sets, so the service may return an unchanged item at any position. The program's other items are
    paired with the service's other items, and each pair counts as a change.
    """
    remaining = list(current)
    items: dict[int, Any] = {}
    for index, item in enumerate(given):
        for candidate in remaining:
            if to_current_input(item, candidate, shape, renames) == item:
                items[index] = item
                remaining.remove(candidate)
                break
    for index, item in enumerate(given):
        if index not in items and remaining:
            items[index] = to_current_input(item, remaining.pop(0), shape, renames)
    # The program's items show which names and forms Pulumi uses for a new item.
    example = {key: value for item in given if isinstance(item, Mapping) for key, value in item.items()} or None
    ordered = [items[index] for index in sorted(items)]
    return [*ordered, *(to_current_input(example, item, shape, renames) for item in remaining)]


def _to_scalar(given: Any, current: Any) -> Any:
    if _is_same_scalar(given, current):
        return given
    if isinstance(current, datetime):
        return current.isoformat()
    if isinstance(current, Mapping | list):  # boto3 parses IAM's policy documents, but Pulumi's input is a text.
        return json.dumps(current)
    if isinstance(given, bool):
        return str(current).lower() == "true"
    if isinstance(given, int | float) and isinstance(current, str) and re.fullmatch(r"-?\d+(\.\d+)?", current):
        number = float(current)
        return int(number) if number.is_integer() else number
    if isinstance(given, str) and isinstance(current, bool | int | float):
        return str(current).lower()
    return current


def _is_same_scalar(given: Any, current: Any) -> bool:
    if isinstance(given, bool) or isinstance(current, bool):
        return str(given).lower() == str(current).lower()
    if isinstance(given, int | float) or isinstance(current, int | float):
        try:
            return float(given) == float(current)
        except (TypeError, ValueError):
            return False
    return bool(given == current) or (isinstance(given, str) and _is_same_document(given, current))


def _is_same_document(given: str, current: Any) -> bool:
    """Return True if a text is the same JSON document as another text or as a parsed document."""
    try:
        document = json.loads(given)
        other = json.loads(current) if isinstance(current, str) else current
    except ValueError:
        return False
    return isinstance(document, dict | list) and document == other
