"""Tests of the generated TypeScript declarations."""

import re
from typing import Any

import pytest
from pydantic import BaseModel

from components.frontend_output import Frontend, TranscriptionOutput
from local.generate.generated_files import frontend_types
from local.generate.typescript import to_declarations
from tests.document_samples import read_code_block


def declare(**fields: dict[str, Any]) -> str:
    return to_declarations({"title": "Given", "properties": fields, "required": ["name"]})


def test_each_field_is_declared_with_its_type_and_description() -> None:
    assert declare(
        name={"type": "string", "description": "Always present. */"},
        size={"type": "integer"},
        kind={"const": "a"},
        level={"enum": ["a", 1]},
        other={"anyOf": [{"$ref": "#/$defs/Other"}, {"type": "boolean"}]},
        values={"type": "array", "items": {"type": "number"}},
    ).splitlines() == [
        "export interface Given {",
        "  /** Always present. * / */",
        "  readonly name: string;",
        "  readonly size?: number;",
        '  readonly kind?: "a";',
        '  readonly level?: "a" | 1;',
        "  readonly other?: Other | boolean;",
        "  readonly values?: ReadonlyArray<number>;",
        "}",
    ]


def test_an_unsupported_schema_is_an_error_with_the_name_of_the_field() -> None:
    with pytest.raises(ValueError, match=r"Given\.name"):
        declare(name={"type": "object"})


def test_every_field_of_the_frontend_output_is_declared_and_no_field_is_nullable() -> None:
    types = frontend_types()
    for field in Frontend.model_fields.values():
        assert f"readonly {field.alias}" in types
    assert "null" not in types


def test_the_code_sample_of_the_documentation_reads_existing_fields() -> None:
    """The test compares names of fields, because no TypeScript compiler is available."""
    text = "\n".join(read_code_block("docs/frontend.md", "look at the version first:"))
    names_by_model: dict[type[BaseModel], list[str]] = {
        Frontend: re.findall(r"\boutput\.(\w+)", text) + re.findall(r"const \{ (\w+) \} = await stack", text),
        TranscriptionOutput: re.findall(r"\btranscription\.(\w+)", text),
    }
    for model, names in names_by_model.items():
        assert names
        assert set(names) <= {field.alias or name for name, field in model.model_fields.items()}
