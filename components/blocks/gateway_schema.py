"""Schemas as API Gateway's validator understands them: JSON Schema draft 4, within OpenAPI 3.0.1. Pure.

pydantic writes JSON Schema 2020-12. Of that the gateway ignores, without a word, what it does not know; so every
keyword is converted, kept, or left out for a reason that stands here, and any other is refused by name.

What the gateway refuses, nobody is told the field of; a handler names field and rule. So the gateway asks for the form
alone: that what is required is there, and everything of its type. Which values are good, the handler says. The gateway
may let through what the model refuses, never the other way round, and where it does, the conversion says so.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]

SCHEMAS = "#/components/schemas/"
KEPT = frozenset({"type", "description", "required"})
OF_VALUES = frozenset(
    {
        *("enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
    }
)
"""Rules that a value of the right type may break."""
LEFT_OUT = {
    **dict.fromkeys(OF_VALUES, "the handler says which field breaks it, which the gateway cannot"),
    "title": "a name for people, which the documentation has",
    "default": "the handler's model fills it in",
    "example": "the gateway does not support it",
    "examples": "the gateway does not support them",
    "deprecated": "said in the documentation",
    "readOnly": "the gateway does not support it",
    "writeOnly": "the gateway does not support it",
    "discriminator": "the gateway does not support it; the alternatives stay",
    "format": "the gateway's notion of a date or an address is another than the model's: it would refuse good requests",
    "contentEncoding": "the handler's model decodes",
    "contentMediaType": "the handler's model decodes",
}
"""Keywords that the converted schema does not have, each with the reason."""
LOOSENING = OF_VALUES | {"format", "contentEncoding", "contentMediaType"}
"""Those of them that would have refused something."""


@dataclass
class Converted:
    """Schemas by their new names, and where they let more through than the models."""

    schemas: dict[str, Schema]
    looser: dict[str, str] = field(default_factory=dict)
    """Where (`CreateEpisode.title`) → why."""


def model_name(name: str) -> str:
    """A model's name as the gateway takes it: letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", name)


def converted(schemas: Mapping[str, Schema]) -> Converted:
    """All schemas of a document; the first keyword that has no place is a ValueError."""
    made = Converted({})
    for name, schema in schemas.items():
        new = model_name(name)
        if not new or new in made.schemas:
            raise ValueError(f"{name}: another schema is called {new!r} without punctuation")
        made.schemas[new] = _Conversion(made.looser).of(schema, new)
    return made


class _Conversion:
    """One schema on its way."""

    def __init__(self, looser: dict[str, str]) -> None:
        self._looser = looser

    def of(self, schema: Any, at: str) -> Schema:
        if schema is True:
            return {}
        if schema is False:
            raise ValueError(f"{at}: a schema that takes nothing has no place in API Gateway's models")
        if "$ref" in schema:
            return self._reference(schema, at)
        made: Schema = {keyword: value for keyword, value in schema.items() if keyword in KEPT}
        for keyword, value in schema.items():
            if keyword in LOOSENING:
                self._looser[at] = LEFT_OUT[keyword]
            elif keyword not in KEPT and keyword not in LEFT_OUT:
                convert = CONVERSIONS.get(keyword)
                if convert is None:
                    raise ValueError(f"{at}: API Gateway would ignore the keyword {keyword!r}")
                made |= convert(self, value, at, schema)
        return self._typed(made, at)

    def _reference(self, schema: Mapping[str, Any], at: str) -> Schema:
        beside = set(schema) - {"$ref", "description", *LEFT_OUT}
        if beside or not schema["$ref"].startswith(SCHEMAS):
            raise ValueError(
                f"{at}: a reference to {schema['$ref']} with {sorted(beside)} has no place in API Gateway's models"
            )
        return {"$ref": SCHEMAS + model_name(schema["$ref"].removeprefix(SCHEMAS))}

    def _typed(self, made: Schema, at: str) -> Schema:
        """`null` has no type in OpenAPI 3.0, and `nullable` is ignored: a value that may be null loses its type."""
        types = made.get("type")
        if types == "null":
            raise ValueError(f"{at}: a value that is always null has no place in API Gateway's models")
        if isinstance(types, list):
            return self._nullable(made, at)
        return made

    def _nullable(self, made: Schema, at: str) -> Schema:
        """What a schema asks for besides null: all rules for one type say nothing of the others."""
        self._looser[at] = "it may be null, which the gateway can only be told by not asking for a type"
        whole = {"$ref", "anyOf", "allOf"} & set(made)
        return {} if whole else {key: value for key, value in made.items() if key != "type"}

    def any_of(self, value: Any, at: str, schema: Mapping[str, Any]) -> Schema:
        """Alternatives; where null is one of them and another is alone, that one without its type."""
        others = [one for one in value if one != {"type": "null"}]
        choices = [self.of(one, at) for one in others]
        if len(others) < len(value):
            beside = set(schema) - {"anyOf", "description", *LEFT_OUT}
            if beside:
                raise ValueError(f"{at}: {sorted(beside)} beside a value that may be null have no place")
            return self._nullable(choices[0] if len(choices) == 1 else {"anyOf": choices}, at)
        return {"anyOf": choices}

    def properties(self, value: Any, at: str, _schema: Mapping[str, Any]) -> Schema:
        """Of an object."""
        return {"properties": {name: self.of(one, f"{at}.{name}") for name, one in value.items()}}

    def additional(self, value: Any, at: str, _schema: Mapping[str, Any]) -> Schema:
        """Of an object: whether it may have others, or how they are."""
        return {"additionalProperties": value if isinstance(value, bool) else self.of(value, f"{at}.*")}

    def items(self, value: Any, at: str, schema: Mapping[str, Any]) -> Schema:
        """Of a list."""
        if "prefixItems" in schema:
            raise ValueError(f"{at}: a tuple with more items than are named has no place in API Gateway's models")
        return {"items": self.of(value, f"{at}[]")}

    def prefix_items(self, value: Any, at: str, schema: Mapping[str, Any]) -> Schema:
        """Of a tuple: OpenAPI 3.0 has one schema for all, so any of them may be anywhere."""
        if schema.get("maxItems") != len(value):
            raise ValueError(f"{at}: a tuple with more items than are named has no place in API Gateway's models")
        self._looser[f"{at}[]"] = "the order of a tuple's items cannot be told"
        return {"items": {"anyOf": [self.of(one, f"{at}[]") for one in value]}}


Convert = Callable[[_Conversion, Any, str, Mapping[str, Any]], Schema]


def _alternatives(keyword: str) -> Convert:
    def convert(conversion: _Conversion, value: Iterable[Any], at: str, _schema: Mapping[str, Any]) -> Schema:
        return {keyword: [conversion.of(one, at) for one in value]}

    return convert


CONVERSIONS: Mapping[str, Convert] = {
    "anyOf": _Conversion.any_of,
    # What tells them apart may be a value, so more than one may fit.
    "oneOf": _alternatives("anyOf"),
    "allOf": _alternatives("allOf"),
    "properties": _Conversion.properties,
    "additionalProperties": _Conversion.additional,
    "items": _Conversion.items,
    "prefixItems": _Conversion.prefix_items,
}
"""Keywords that draft 4 says otherwise."""
