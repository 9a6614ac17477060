"""Error messages for an invalid stack file: the key, the value given, the values allowed, and what to do.

The texts are built from pydantic's errors and the JSON schemas of the settings models. Values of secret fields and of
unknown keys, which may be misspelt secrets, are never repeated.
"""

import difflib
import json
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pulumi import RunError
from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]
"""Path of a value in a stack file, as in pydantic's errors: keys, and indexes of list items."""


class SettingsProblem(NamedTuple):
    """Problem with one key: one line of the error message."""

    key: str
    given: str | None
    """The value as written, or None if it is missing or must not be repeated."""
    allowed: str
    """Allowed values, or what to do."""

    def __str__(self) -> str:
        return f"{self.key} = {self.given}: {self.allowed}" if self.given is not None else f"{self.key}: {self.allowed}"


class SettingsError(RunError):
    """The configuration of a stack is invalid. The message lists every problem.

    It is a `RunError`, so that the Pulumi CLI prints only the message, without a traceback.
    """

    def __init__(self, stack: str, problems: Sequence[SettingsProblem]) -> None:
        self.problems = tuple(sorted(problems, key=str))
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"stack {stack} has {count} in its configuration:\n{lines}")


def list_problems(errors: Sequence[ErrorDetails], model: type[BaseModel]) -> Iterator[SettingsProblem]:
    """Yield the problems of pydantic's errors for a model."""
    locations_with_invalid_items = {error["loc"][:-1] for error in errors}
    for error in errors:
        location = error["loc"]
        key = format_location(location)
        if error["type"] == "too_short" and location in locations_with_invalid_items:
            continue  # pydantic does not count the invalid items, which have their own problems
        if error["type"] == "extra_forbidden":
            yield SettingsProblem(
                key, None, _describe_unknown_key(str(location[-1]), _find_model(model, location[:-1]))
            )
        elif error["type"] == "missing":
            yield SettingsProblem(key, None, f"is required: {_describe_schema(_get_schema(model, location))}")
        elif _is_secret(model, location):
            yield SettingsProblem(key, None, f"the secret is not valid: {_describe_secret_fault(error, model)}")
        else:
            yield SettingsProblem(key, _format_value(error["input"]), _describe_allowed(error, model))


def format_location(location: Location) -> str:
    """Return a location in the form of a key: `a.b[0].c`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def find_secret_paths(model: type[BaseModel], prefix: Location = ()) -> Iterator[Location]:
    """Yield the locations of a model's secret fields."""
    for name, field in model.model_fields.items():
        location = (*prefix, field.alias or name)
        if SecretStr in _type_members(field.annotation):
            yield location
        for inner in _member_models(field.annotation):
            yield from find_secret_paths(inner, location)


def _describe_unknown_key(key: str, model: type[BaseModel] | None) -> str:
    valid_keys = [field.alias or name for name, field in model.model_fields.items()] if model else []
    # Keys are compared without case and underscores, so that `log_level` matches `logLevel`.
    by_folded_key = {valid_key.lower().replace("_", ""): valid_key for valid_key in valid_keys}
    matches = difflib.get_close_matches(key.lower().replace("_", ""), by_folded_key, n=1, cutoff=0.6)
    if matches:
        return f"is not a setting; did you mean {by_folded_key[matches[0]]}?"
    return f"is not a setting; settings at this level: {', '.join(sorted(valid_keys)) or 'none'}"


def _describe_secret_fault(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return the fault of a secret without its value.

    For a wrong length, Pydantic's message counts "items" instead of characters, so it is not used.
    """
    if error["type"] == "value_error":
        return get_validator_message(error)
    if error["type"] not in {"too_short", "too_long"}:
        return error["msg"]
    schema = _get_schema(model, error["loc"])
    lengths = next(option for option in (schema, *schema.get("anyOf", ())) if "minLength" in option)
    minimum, maximum = lengths["minLength"], lengths.get("maxLength")
    allowed = f"{minimum} to {maximum}" if maximum else f"at least {minimum}"
    return f"it must have {allowed} characters, but has {len(str(error['input']))}"


def _format_value(value: object) -> str:
    if isinstance(value, dict):
        return "{…}"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _describe_allowed(error: ErrorDetails, model: type[BaseModel]) -> str:
    if error["type"] == "value_error":
        return get_validator_message(error)
    return f"allowed is {_describe_schema(_get_schema(model, error['loc']))}"


def get_validator_message(error: ErrorDetails) -> str:
    """Return the message of the ValueError that a settings model raised."""
    return str(error["ctx"]["error"]) if "ctx" in error else error["msg"]


def _describe_schema(schema: dict[str, Any]) -> str:
    """Return one phrase for the values that a JSON schema allows."""
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(_describe_schema(option) for option in schema["anyOf"])
    kind = schema.get("type", "a value")
    names = {
        "integer": "an integer",
        "number": "a number",
        "string": "a string",
        "boolean": "true or false",
        "array": "a list",
        "object": "a group of settings",
        "null": "nothing",
    }
    formats = {"date": "a date (YYYY-MM-DD)", "uri": "a URL", "email": "an e-mail address"}
    if schema.get("format") in formats:
        return formats[str(schema["format"])]
    text = names.get(kind, str(kind))
    lowest, above, highest = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    if above is not None:
        text += f" above {above}" + (f", up to {highest}" if highest is not None else "")
    elif lowest is not None:
        text += f" from {lowest} to {highest}" if highest is not None else f" of at least {lowest}"
    if "pattern" in schema:
        text += f" like {schema['pattern']}"
    if "minLength" in schema:
        text += f" of at least {schema['minLength']} characters"
    return text


def _type_members(annotation: object) -> tuple[object, ...]:
    """Return the types that a value may have: the members of a union, the item type of a list, or the type itself."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _type_members(typing.get_args(annotation)[0])
    if origin in {typing.Union, types.UnionType}:
        return tuple(inner for arg in typing.get_args(annotation) for inner in _type_members(arg))
    if origin in {tuple, list}:
        return tuple(inner for arg in typing.get_args(annotation) if arg is not ... for inner in _type_members(arg))
    return (annotation,)


def _member_models(annotation: object) -> tuple[type[BaseModel], ...]:
    """Return the settings models among the types that a value may have."""
    return tuple(m for m in _type_members(annotation) if isinstance(m, type) and issubclass(m, BaseModel))


def _find_model(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel] | None:
    """Return the model of the section at a location, or None if there is no section."""
    for part in location:
        if isinstance(part, int):
            continue
        field = next((f for name, f in model.model_fields.items() if part == (f.alias or name)), None)
        inner = _member_models(field.annotation) if field else ()
        if not inner:
            return None
        model = inner[0]
    return model


def _find_field(model: type[BaseModel], location: Location) -> FieldInfo | None:
    """Return the field at a location, or None if the location is unknown or the whole model."""
    keys = [part for part in location if isinstance(part, str)]
    holder = _find_model(model, keys[:-1]) if keys else None
    fields = holder.model_fields.items() if holder else ()
    return next((field for name, field in fields if keys[-1] == (field.alias or name)), None)


def _is_secret(model: type[BaseModel], location: Location) -> bool:
    field = _find_field(model, location)
    return field is not None and SecretStr in _type_members(field.annotation)


def _get_schema(model: type[BaseModel], location: Location) -> dict[str, Any]:
    """Return the JSON schema of the field at a location, or of its items if the location is an item of a list."""
    field = _find_field(model, location)
    if field is None:
        return {}
    annotation: Any = typing.Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    schema = TypeAdapter(annotation).json_schema()
    definitions = schema.pop("$defs", {})
    resolved: dict[str, Any] = _resolve_references(schema, definitions)
    is_item = bool(location) and isinstance(location[-1], int)
    return resolved.get("items", resolved) if is_item else resolved


def _resolve_references(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema with its references replaced by the schemas they name."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _resolve_references(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {key: _resolve_references(value, definitions) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_resolve_references(item, definitions) for item in schema]
    return schema
