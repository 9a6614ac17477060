"""Conversion of pydantic's JSON Schemas of request bodies to the draft 4 subset that API Gateway's validator supports.

pydantic writes JSON Schema 2020-12, and the gateway reads it within OpenAPI 3.0.1. The gateway silently ignores
keywords that it does not support. So each keyword is converted, kept, or omitted for a stated reason, and any other
keyword raises an error.

The gateway cannot tell a client which field it refused, but a handler names field and rule. So the gateway only checks
the structure: required fields are present, and all fields have the right type. The handler checks the values. The
gateway may accept what the model refuses, but never the other way round.
"""

import re
from collections.abc import Mapping
from typing import Any

from components.blocks.api.public_openapi_document import SCHEMAS

Schema = dict[str, Any]

KEPT_KEYWORDS = frozenset({"type", "description", "required"})
OMITTED_KEYWORDS = frozenset(
    {
        # Rules for values: the handler reports which field breaks one, which the gateway cannot do.
        *("enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
        # The gateway's formats of dates and addresses differ from the model's, so it would refuse valid requests.
        "format",
        # These describe a field for readers of the documentation, and refuse no value.
        *("title", "example", "examples", "deprecated"),
        # The handler's model inserts the default.
        "default",
    }
)
NULL_SCHEMA = {"type": "null"}


def model_name(name: str) -> str:
    """Return a model's name without the characters that the gateway does not accept: only letters and digits remain."""
    return re.sub(r"[^A-Za-z0-9]", "", name)


def to_gateway_schemas(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return all schemas under their new names. Raise ValueError at the first keyword that cannot be converted."""
    result = {model_name(name): _to_gateway_schema(schema, name) for name, schema in schemas.items()}
    if len(result) < len(schemas):
        raise ValueError(
            f"two of the models {', '.join(schemas)} have the same name without punctuation. Rename one of them"
        )
    return result


def _to_gateway_schema(schema: Schema, path: str) -> Schema:
    if "$ref" in schema:
        siblings = sorted(set(schema) - {"$ref", "description"} - OMITTED_KEYWORDS)
        if siblings:
            raise ValueError(f"{path}: {', '.join(siblings)} next to a $ref cannot be converted for API Gateway")
        return {"$ref": SCHEMAS + model_name(schema["$ref"].removeprefix(SCHEMAS))}
    result: Schema = {}
    for keyword, value in schema.items():
        if keyword in KEPT_KEYWORDS:
            result[keyword] = value
        elif keyword == "properties":
            result["properties"] = {
                name: _to_gateway_schema(subschema, f"{path}.{name}") for name, subschema in value.items()
            }
        elif keyword == "items":
            result["items"] = _to_gateway_schema(value, f"{path}[]")
        elif keyword == "anyOf":
            # OpenAPI 3.0 has no type `null`, and the gateway ignores `nullable`. So a field that may be null is not
            # checked.
            if NULL_SCHEMA not in value:
                result["anyOf"] = [_to_gateway_schema(subschema, path) for subschema in value]
        elif keyword not in OMITTED_KEYWORDS:
            raise ValueError(
                f"{path}: API Gateway would ignore the keyword {keyword!r}. Convert it, or add it to OMITTED_KEYWORDS"
            )
    return result
