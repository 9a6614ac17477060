"""Tests of the JSON Schema of the output `frontend`."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from local.generate.generated_files import frontend_schema

SCHEMA = Draft202012Validator(frontend_schema())
STACK: dict[str, Any] = {"schemaVersion": 1, "environment": "prod", "region": "eu-west-1"}
INGESTION = {"bucket": "b", "prefix": "p/", "table": "t", "suffixes": [".ndjson"], "maxFileBytes": 1}


def with_ingestion(**more: object) -> dict[str, Any]:
    return {**STACK, "ingestion": {**INGESTION, **more}}


@pytest.mark.parametrize(
    "document", [STACK, with_ingestion(), {**STACK, "glossary": {}}, with_ingestion(minFileBytes=1)]
)
def test_a_reader_accepts_fields_that_were_added_later(document: dict[str, Any]) -> None:
    """docs/frontend.md: fields are only added, and a reader ignores those that it does not know."""
    assert list(SCHEMA.iter_errors(document)) == []


@pytest.mark.parametrize("document", [{**STACK, "schemaVersion": 2}, {**STACK, "ingestion": None}])
def test_a_reader_rejects_an_invalid_output(document: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(document)
