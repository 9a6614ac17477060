"""Tests of the TypeScript declarations."""

import re
from typing import Any

import pytest
from pydantic import BaseModel

from components.frontend_output import Frontend, TranscriptionOutput
from local.generate.generated_files import frontend_schema, frontend_types
from local.generate.typescript import to_declarations
from tests.document_samples import read_code_block


def declare(**fields: dict[str, Any]) -> str:
    return to_declarations(
        {"title": "Given", "type": "object", "additionalProperties": False, "properties": fields, "required": ["must"]}
    )


def test_each_field_is_declared_with_its_type_and_description() -> None:
    assert declare(
        must={"type": "string", "description": "Always there."},
        may={"type": "integer"},
        one={"const": "a"},
        some={"enum": ["a", 1]},
        either={"anyOf": [{"$ref": "#/$defs/Other"}, {"type": "boolean"}]},
        many={"type": "array", "items": {"type": "number"}},
    ).splitlines() == [
        "export interface Given {",
        "  /** Always there. */",
        "  readonly must: string;",
        "  readonly may?: number;",
        '  readonly one?: "a";',
        '  readonly some?: "a" | 1;',
        "  readonly either?: Other | boolean;",
        "  readonly many?: ReadonlyArray<number>;",
        "}",
    ]


@pytest.mark.parametrize("shape", [{}, {"type": "object"}, {"type": ["string", "null"]}, {"allOf": []}])
def test_an_unsupported_schema_is_rejected_with_the_fields_name(shape: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Given\.must"):
        declare(must=shape)


def test_an_object_with_unknown_fields_is_rejected() -> None:
    with pytest.raises(ValueError, match="Open"):
        to_declarations({"title": "Open", "type": "object", "properties": {}})


def test_a_description_cannot_end_its_comment() -> None:
    assert "*/ evil" not in declare(must={"type": "string", "description": "*/ evil"})


def test_every_field_of_the_output_is_declared_and_none_is_ever_null() -> None:
    types = frontend_types()
    for field in Frontend.model_fields.values():
        assert f"readonly {field.alias}" in types
    assert "null" not in types
    assert frontend_schema()["required"] == ["schemaVersion", "environment", "region"]


def test_the_guides_sample_reads_existing_fields() -> None:
    """The test compares field names only, because no TypeScript compiler is available."""
    text = "\n".join(read_code_block("docs/frontend.md", "look at the version first:"))
    read: dict[type[BaseModel], list[str]] = {
        Frontend: re.findall(r"\boutput\.(\w+)", text) + re.findall(r"const \{ (\w+) \} = await stack", text),
        TranscriptionOutput: re.findall(r"\btranscription\.(\w+)", text),
    }
    for model, names in read.items():
        assert names
        assert set(names) <= {one.alias or name for name, one in model.model_fields.items()}
