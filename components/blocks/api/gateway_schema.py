"""Schemas as API Gateway's validator understands them: JSON Schema draft 4, within OpenAPI 3.0.1. Pure.

pydantic writes JSON Schema 2020-12. Of that the gateway ignores, without a word, what it does not know; so every
keyword is converted, kept, or left out for a reason that stands here, and any other is refused by name.

What the gateway refuses, nobody is told the field of; a handler names field and rule. So the gateway asks for the form
alone: that what is required is there, and everything of its type. Which values are good, the handler says. The gateway
may let through what the model refuses, never the other way round.
"""

import re
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

SCHEMAS = "#/components/schemas/"
KEPT = frozenset({"type", "description", "required"})
LEFT_OUT = frozenset(
    {
        # Rules for values: the handler says which field breaks one, which the gateway cannot.
        *("enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
        # The gateway's notion of a date or an address is another than the model's: it would refuse good requests.
        "format",
        # For people, or for the handler's model, or not supported by the gateway.
        *("title", "default", "example", "examples", "deprecated"),
    }
)
NULL = {"type": "null"}


def model_name(name: str) -> str:
    """A model's name as the gateway takes it: letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", name)


def to_gateway_schemas(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """All schemas of a document by their new names; the first keyword that has no place is a ValueError."""
    made = {model_name(name): _to_gateway_schema(schema, name) for name, schema in schemas.items()}
    if len(made) < len(schemas):
        raise ValueError(f"two of {', '.join(schemas)} have one name without punctuation")
    return made


def _to_gateway_schema(schema: Schema, at: str) -> Schema:
    if "$ref" in schema:
        beside = sorted(set(schema) - {"$ref", "description"} - LEFT_OUT)
        if beside:
            raise ValueError(f"{at}: {', '.join(beside)} beside a reference has no place in API Gateway's models")
        return {"$ref": SCHEMAS + model_name(schema["$ref"].removeprefix(SCHEMAS))}
    made: Schema = {}
    for keyword, value in schema.items():
        if keyword in KEPT:
            made[keyword] = value
        elif keyword == "properties":
            made["properties"] = {name: _to_gateway_schema(one, f"{at}.{name}") for name, one in value.items()}
        elif keyword == "items":
            made["items"] = _to_gateway_schema(value, f"{at}[]")
        elif keyword == "anyOf":
            # `null` has no type in OpenAPI 3.0, and the gateway ignores `nullable`: of what may be null nothing is asked.
            if NULL not in value:
                made["anyOf"] = [_to_gateway_schema(one, at) for one in value]
        elif keyword not in LEFT_OUT:
            raise ValueError(f"{at}: API Gateway would ignore the keyword {keyword!r}")
    return made
