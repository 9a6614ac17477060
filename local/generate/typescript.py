"""TypeScript declarations of a JSON Schema, as far as the models here use it; a shape beyond that is refused."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

TYPES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def declarations(schema: Mapping[str, Any]) -> str:
    """An interface for the schema itself and one for each definition, those first that others are made of."""
    interfaces = [*schema.get("$defs", {}).items(), (schema["title"], schema)]
    return "\n".join("\n".join(_interface(name, one)) + "\n" for name, one in interfaces)


def _interface(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        raise ValueError(f"{name}: only objects with known fields become interfaces")
    yield from _says(schema, "")
    yield f"export interface {name} {{"
    required = schema.get("required", ())
    for field, one in schema["properties"].items():
        yield from _says(one, "  ")
        yield f"  readonly {field}{'' if field in required else '?'}: {_type(one, f'{name}.{field}')};"
    yield "}"


def _says(schema: Mapping[str, Any], indent: str) -> Iterator[str]:
    if text := schema.get("description"):
        yield f"{indent}/** {text.replace('*/', '* /')} */"


def _type(schema: Mapping[str, Any], where: str) -> str:
    match schema:
        case {"$ref": str(reference)}:
            return reference.rpartition("/")[2]
        case {"const": value}:
            return json.dumps(value)
        case {"enum": [*values]}:
            return " | ".join(map(json.dumps, values))
        case {"anyOf": [*choices]}:
            return " | ".join(_type(one, where) for one in choices)
        case {"type": "array", "items": items}:
            return f"ReadonlyArray<{_type(items, where)}>"
        case {"type": str(name)} if name in TYPES:
            return TYPES[name]
    raise ValueError(f"{where}: TypeScript has no words here for {json.dumps(schema)}")
