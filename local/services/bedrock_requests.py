"""What the local model takes for a request: what botocore's model of Converse allows, and the rules beside it.

The rules are those that a caller meets on Bedrock and that no shape can say: turns alternate and begin with the user's,
nothing is empty, a cache point stands behind something, and there are four of them at most.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

import botocore.session

MAX_CACHE_POINTS = 4


class Invalid(Exception):
    """What Bedrock would answer with a ValidationException."""


def converse_request(model_id: str, body: bytes) -> dict[str, Any]:
    """The request in a body; raises Invalid."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("the body is not JSON") from None
    if not isinstance(asked, dict) or "modelId" in asked:
        raise Invalid("the body is not an object of Converse")
    _hold({"modelId": model_id, **asked}, _shape(), "request")
    _rules(asked)
    return asked


@cache
def _shape() -> Any:
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    return service.operation_model("Converse").input_shape


def _hold(value: Any, shape: Any, where: str) -> None:
    """Raises Invalid where a value is not of its shape."""
    match shape.type_name:
        case "structure":
            _structure(value, shape, where)
        case "list":
            _of(value, list, where)
            _range(len(value), shape, where)
            for at, one in enumerate(value):
                _hold(one, shape.member, f"{where}[{at}]")
        case "map":
            _of(value, dict, where)
            _range(len(value), shape, where)
            for name, one in value.items():
                _hold(name, shape.key, where)
                _hold(one, shape.value, f"{where}.{name}")
        case "string":
            _string(value, shape, where)
        case "integer" | "long":
            _of(value, int, where)
            _range(value, shape, where)
        case "float" | "double":
            _of(value, (int, float), where)
            _range(value, shape, where)
        case "boolean":
            if not isinstance(value, bool):
                _refuse(where, "is of the wrong type")
        case _:
            _refuse(where, "is not taken here")


def _structure(value: Any, shape: Any, where: str) -> None:
    if getattr(shape, "is_document_type", False):
        return
    _of(value, dict, where)
    for name in shape.required_members:
        if name not in value:
            _refuse(f"{where}.{name}", "is missing")
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        _refuse(where, "has not exactly one member")
    for name, one in value.items():
        if name not in shape.members:
            _refuse(f"{where}.{name}", "is unknown")
        _hold(one, shape.members[name], f"{where}.{name}")


def _string(value: Any, shape: Any, where: str) -> None:
    _of(value, str, where)
    _range(len(value), shape, where)
    if shape.enum and value not in shape.enum:
        _refuse(where, f"is not one of {', '.join(shape.enum)}")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        _refuse(where, "does not match its pattern")


def _of(value: Any, kind: Any, where: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        _refuse(where, "is of the wrong type")


def _range(size: float, shape: Any, where: str) -> None:
    if not shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size):
        _refuse(where, "is out of its range")


def _rules(asked: Mapping[str, Any]) -> None:
    turns = asked.get("messages", [])
    if not turns:
        _refuse("messages", "is empty")
    for at, turn in enumerate(turns):
        if turn["role"] != ("user", "assistant")[at % 2]:
            _refuse(f"messages[{at}].role", "does not alternate, beginning with user")
        _blocks(turn["content"], f"messages[{at}].content")
    if turns[-1]["role"] != "user":
        _refuse("messages", "does not end with the user's turn")
    if "system" in asked:
        _blocks(asked["system"], "system")
    lists = [
        asked.get("system", []),
        *(turn["content"] for turn in turns),
        asked.get("toolConfig", {}).get("tools", []),
    ]
    if sum("cachePoint" in block for blocks in lists for block in blocks) > MAX_CACHE_POINTS:
        _refuse("cachePoint", f"stands in more than {MAX_CACHE_POINTS} places")


def _blocks(blocks: list[dict[str, Any]], where: str) -> None:
    if not blocks:
        _refuse(where, "is empty")
    for at, block in enumerate(blocks):
        if "text" in block and not block["text"].strip():
            _refuse(f"{where}[{at}].text", "is blank")
        if "cachePoint" in block and (at == 0 or "cachePoint" in blocks[at - 1]):
            _refuse(f"{where}[{at}]", "has nothing before it to keep")


def _refuse(where: str, rule: str) -> NoReturn:
    raise Invalid(f"{where} {rule}")
