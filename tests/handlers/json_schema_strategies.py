"""Hypothesis strategies for values of the API's JSON Schemas, both valid and invalid."""

import operator
from functools import cache
from typing import Any

import jsonschema
from hypothesis import strategies as st

from handlers.common.json_models import Message

Schema = dict[str, Any]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@cache
def validator(model: type[Message], *, is_answer: bool = False) -> jsonschema.Draft202012Validator:
    """Return a validator of the model's schema. It is cached, because checking the schema takes longer than using it."""
    schema = model.model_json_schema(mode="serialization" if is_answer else "validation")
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@cache
def valid_values(model: type[Message]) -> st.SearchStrategy[Any]:
    """Return a strategy for values that the model's schema allows."""
    schema: Any = validator(model).schema
    return _values(schema, schema.get("$defs", {}))


@cache
def arbitrary_values(model: type[Message]) -> st.SearchStrategy[Any]:
    """Return a strategy for arbitrary values, and for valid values with changed or missing fields."""
    names = st.sampled_from([*model.model_json_schema()["properties"]])
    replaced_fields = st.dictionaries(names, JSON_VALUES, min_size=1, max_size=2)

    def without_field(value: dict[str, Any], name: str) -> dict[str, Any]:
        return {field: content for field, content in value.items() if field != name}

    valid = valid_values(model)
    return JSON_VALUES | st.builds(operator.or_, valid, replaced_fields) | st.builds(without_field, valid, names)


def _values(schema: Schema, definitions: dict[str, Schema]) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a schema with the keywords that the models of requests use."""
    match schema:
        case {"$ref": reference}:
            return _values(definitions[reference.rsplit("/", 1)[-1]], definitions)
        case {"anyOf": options}:
            return st.one_of([_values(option, definitions) for option in options])
        case {"enum": values}:
            return st.sampled_from(values)
        case {"type": "integer"}:
            return st.integers(schema.get("minimum"))
        case {"type": "string"}:
            texts = st.from_regex(schema["pattern"].removesuffix("$") + r"\Z") if "pattern" in schema else st.text()
            return texts.filter(lambda text: len(text) <= schema.get("maxLength", 10_000))
        case {"items": item}:
            return st.lists(_values(item, definitions), min_size=schema.get("minItems", 0), max_size=5)
        case {"properties": properties}:
            fields = {name: _values(field, definitions) for name, field in properties.items()}
            required = {name: fields.pop(name) for name in schema["required"]}
            return st.fixed_dictionaries(required, optional=fields)
    return st.none()
