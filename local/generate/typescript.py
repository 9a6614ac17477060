"""Converter from JSON Schema to TypeScript interfaces, for `generated_files.py`. It supports only the constructs that
occur in the schema of the stack output `frontend`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

SCALAR_TYPES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def to_declarations(schema: Mapping[str, Any]) -> str:
    """Return the declaration of an interface for each definition of a schema, and at the end for the schema itself.

    Raise ValueError if the schema contains a construct that this module cannot convert.
    """
    interfaces = [*schema.get("$defs", {}).items(), (schema["title"], schema)]
    return "\n".join("\n".join(_render_interface(name, definition)) + "\n" for name, definition in interfaces)


def _render_interface(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield from _render_comment(schema, "")
    yield f"export interface {name} {{"
    required = schema.get("required", ())
    for field, field_schema in schema["properties"].items():
        yield from _render_comment(field_schema, "  ")
        yield f"  readonly {field}{'' if field in required else '?'}: {_to_type(field_schema, f'{name}.{field}')};"
    yield "}"


def _render_comment(schema: Mapping[str, Any], indent: str) -> Iterator[str]:
    if text := schema.get("description"):
        yield f"{indent}/** {text.replace('*/', '* /')} */"


def _to_type(schema: Mapping[str, Any], where: str) -> str:
    """Return the TypeScript type for the schema of a field. `where` names the field in the error message."""
    match schema:
        case {"$ref": str(reference)}:
            return reference.rpartition("/")[2]
        case {"const": value}:
            return json.dumps(value)
        case {"enum": [*values]}:
            return " | ".join(map(json.dumps, values))
        case {"anyOf": [*choices]}:
            return " | ".join(_to_type(choice, where) for choice in choices)
        case {"type": "array", "items": items}:
            return f"ReadonlyArray<{_to_type(items, where)}>"
        case {"type": str(name)} if name in SCALAR_TYPES:
            return SCALAR_TYPES[name]
    raise ValueError(f"{where}: there is no TypeScript conversion for {json.dumps(schema)}. Add it to {__name__}.")
