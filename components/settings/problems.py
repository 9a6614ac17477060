"""What is wrong with a stack file, in words: which key, the value given, what is allowed, what to do.

Pure text from pydantic's errors and the models' own JSON schemas. Values of secret fields and of unknown keys
(which may be misspelt secrets) are never repeated.
"""

import difflib
import json
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pulumi import RunError
from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]


class SettingsProblem(NamedTuple):
    """One line of the message."""

    key: str
    given: str | None
    """The value as written, or none where there is nothing to repeat."""
    allowed: str
    """What is allowed, or what to do."""

    def __str__(self) -> str:
        return f"{self.key} = {self.given}: {self.allowed}" if self.given is not None else f"{self.key}: {self.allowed}"


class SettingsError(RunError):
    """A stack's configuration cannot be used; the message lists every problem.

    A `RunError`, so that the Pulumi CLI prints the message alone, without a traceback.
    """

    def __init__(self, stack: str, problems: Sequence[SettingsProblem]) -> None:
        self.problems = tuple(sorted(problems, key=str))
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"stack {stack} has {count} in its configuration:\n{lines}")


def list_problems(errors: Sequence[ErrorDetails], model: type[BaseModel], stack: str) -> Iterator[SettingsProblem]:
    """Turns pydantic's errors for `model` into problems."""
    wrong = {error["loc"][:-1] for error in errors}
    for error in errors:
        location = error["loc"]
        key = format_location(location)
        if error["type"] == "too_short" and location in wrong:
            continue  # it would be long enough, were its items right
        if error["type"] == "extra_forbidden":
            yield SettingsProblem(key, None, _unknown_key(str(location[-1]), _model_at(model, location[:-1])))
        elif error["type"] == "missing":
            yield SettingsProblem(key, None, _missing(location, model, stack))
        elif _is_secret(model, location):
            yield SettingsProblem(key, None, f"the secret given is not usable: {_secret_wrong(error, model)}")
        else:
            yield SettingsProblem(key, _given(error["input"]), _allowed(error, model))


def format_location(location: Location) -> str:
    """A key as it is written: `a.b[0].c`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def secret_command(key: str, stack: str) -> str:
    """The command that sets one secret."""
    return f"pulumi config set --secret --path 'polyphony:{key}' --stack {stack}"


def find_secret_paths(model: type[BaseModel], prefix: Location = ()) -> Iterator[Location]:
    """Where a model holds secrets."""
    for name, field in model.model_fields.items():
        location = (*prefix, field.alias or name)
        if SecretStr in _members(field.annotation):
            yield location
        for inner in _models(field.annotation):
            yield from find_secret_paths(inner, location)


def _unknown_key(key: str, model: type[BaseModel] | None) -> str:
    known = [field.alias or name for name, field in model.model_fields.items()] if model else []
    folded = {name.lower().replace("_", ""): name for name in known}
    close = difflib.get_close_matches(key.lower().replace("_", ""), folded, n=1, cutoff=0.6)
    if close:
        return f"is not a setting; did you mean {folded[close[0]]}?"
    return f"is not a setting; known here: {', '.join(sorted(known)) or 'none'}"


def _missing(location: Location, model: type[BaseModel], stack: str) -> str:
    if _is_secret(model, location):
        return f"is a secret and not set; set it by: {secret_command(format_location(location), stack)}"
    schema = _schema_at(model, location)
    return f"is required: {_describe(schema)}" if schema else "is required"


def _secret_wrong(error: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong with a secret. Its length may be told, never itself; pydantic's words would count "items"."""
    if error["type"] == "value_error":
        return validator_message(error)
    if error["type"] not in {"too_short", "too_long"}:
        return error["msg"]
    limits = _limits(_schema_at(model, error["loc"]) or {})
    return f"it needs {limits} characters, was given {len(str(error['input']))}"


def _limits(schema: dict[str, Any]) -> str:
    """The lengths that a text may have."""
    text: dict[str, Any] = next(
        (one for one in (schema, *schema.get("anyOf", ())) if "minLength" in one or "maxLength" in one), {}
    )
    low, high = text.get("minLength"), text.get("maxLength")
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"at least {low}" if low is not None else f"at most {high}"


def _given(value: object) -> str:
    if isinstance(value, dict):
        return "{…}"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _allowed(error: ErrorDetails, model: type[BaseModel]) -> str:
    if error["type"] == "value_error":
        return validator_message(error)
    schema = _schema_at(model, error["loc"])
    return f"allowed is {_describe(schema)}" if schema else error["msg"]


def validator_message(error: ErrorDetails) -> str:
    """What a validator of ours says."""
    return str(error["ctx"]["error"]) if "ctx" in error else error["msg"]


def _describe(schema: dict[str, Any]) -> str:
    """One phrase for what a JSON schema allows."""
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(_describe(option) for option in schema["anyOf"])
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
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        text += f" from {low} to {high}" if "minimum" in schema else f" above {low}, up to {high}"
    elif low is not None:
        text += f" of at least {low}" if "minimum" in schema else f" above {low}"
    elif high is not None:
        text += f" of at most {high}"
    if "pattern" in schema:
        text += f" like {schema['pattern']}"
    if "minLength" in schema:
        text += f" of at least {schema['minLength']} characters"
    return text


def _members(annotation: object) -> tuple[object, ...]:
    """The members of a union, or the type alone; what a list holds counts as its member."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin in {typing.Union, types.UnionType}:
        return tuple(inner for arg in typing.get_args(annotation) for inner in _members(arg))
    if origin in {tuple, list}:
        return tuple(inner for arg in typing.get_args(annotation) if arg is not ... for inner in _members(arg))
    return (annotation,)


def _models(annotation: object) -> tuple[type[BaseModel], ...]:
    return tuple(m for m in _members(annotation) if isinstance(m, type) and issubclass(m, BaseModel))


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The model that holds what a location names, or none where the location leaves the models."""
    for part in location:
        if isinstance(part, int):
            continue
        field = next((f for name, f in model.model_fields.items() if part == (f.alias or name)), None)
        inner = _models(field.annotation) if field else ()
        if not inner:
            return None
        model = inner[0]
    return model


def _field_at(model: type[BaseModel], location: Location) -> tuple[type[BaseModel], str] | None:
    names = [part for part in location if isinstance(part, str)]
    holder = _model_at(model, tuple(names[:-1])) if names else None
    if holder is None:
        return None
    return next(((holder, n) for n, f in holder.model_fields.items() if names[-1] == (f.alias or n)), None)


def _is_secret(model: type[BaseModel], location: Location) -> bool:
    found = _field_at(model, location)
    return found is not None and SecretStr in _members(found[0].model_fields[found[1]].annotation)


def _schema_at(model: type[BaseModel], location: Location) -> dict[str, Any] | None:
    """The JSON schema of the field that a location names; of its items, where it names one of a list."""
    found = _field_at(model, location)
    if found is None:
        return None
    holder, name = found
    field = holder.model_fields[name]
    annotation: Any = typing.Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    schema = TypeAdapter(annotation).json_schema()
    definitions = schema.pop("$defs", {})
    resolved: dict[str, Any] = _resolved(schema, definitions)
    if location and isinstance(location[-1], int) and "items" in resolved:
        items: dict[str, Any] = resolved["items"]
        return items
    return resolved


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    """A schema with its references replaced by what they name."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _resolved(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {key: _resolved(value, definitions) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_resolved(item, definitions) for item in schema]
    return schema
