"""Converter from JSON Schema to TypeScript declarations. It supports the constructs that the project's models use."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

TYPES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def to_declarations(schema: Mapping[str, Any]) -> str:
    """Return an interface for each definition, and the interface for the schema itself at the end.

    Raise ValueError for a construct that has no conversion.
    """
    interfaces = [*schema.get("$defs", {}).items(), (schema["title"], schema)]
    return "\n".join("\n".join(_interface(name, definition)) + "\n" for name, definition in interfaces)


def _interface(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        raise ValueError(f"{name}: only an object with additionalProperties=false can become an interface")
    yield from _comment(schema, "")
    yield f"export interface {name} {{"
    required = schema.get("required", ())
    for field, field_schema in schema["properties"].items():
        yield from _comment(field_schema, "  ")
        yield f"  readonly {field}{'' if field in required else '?'}: {_type(field_schema, f'{name}.{field}')};"
    yield "}"


def _comment(schema: Mapping[str, Any], indent: str) -> Iterator[str]:
    if text := schema.get("description"):
        yield f"{indent}/** {text.replace('*/', '* /')} */"


def _type(schema: Mapping[str, Any], where: str) -> str:
    """Return the TypeScript type of a field. `where` names the field in the error message."""
    match schema:
        case {"$ref": str(reference)}:
            return reference.rpartition("/")[2]
        case {"const": value}:
            return json.dumps(value)
        case {"enum": [*values]}:
            return " | ".join(map(json.dumps, values))
        case {"anyOf": [*choices]}:
            return " | ".join(_type(choice, where) for choice in choices)
        case {"type": "array", "items": items}:
            return f"ReadonlyArray<{_type(items, where)}>"
        case {"type": str(name)} if name in TYPES:
            return TYPES[name]
    raise ValueError(f"{where}: there is no TypeScript conversion for {json.dumps(schema)}. Add it to {__name__}.")
