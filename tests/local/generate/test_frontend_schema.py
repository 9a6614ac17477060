"""Tests of the JSON Schema of the output `frontend`."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from local.generate.generated_files import frontend_schema

SCHEMA = Draft202012Validator(frontend_schema())
MINIMAL_OUTPUT: dict[str, Any] = {"schemaVersion": 1, "environment": "prod", "region": "eu-west-1"}
INGESTION = {
    "bucket": "b",
    "prefix": "p/",
    "table": "t",
    "suffixes": [".ndjson"],
    "maxFileBytes": 1,
    "flushMinutes": 60,
}


def with_ingestion(**fields: object) -> dict[str, Any]:
    return {**MINIMAL_OUTPUT, "ingestion": {**INGESTION, **fields}}


@pytest.mark.parametrize(
    "document", [MINIMAL_OUTPUT, with_ingestion(), {**MINIMAL_OUTPUT, "glossary": {}}, with_ingestion(minFileBytes=1)]
)
def test_unknown_fields_are_valid_because_later_versions_may_add_fields(document: dict[str, Any]) -> None:
    assert list(SCHEMA.iter_errors(document)) == []


@pytest.mark.parametrize("document", [{**MINIMAL_OUTPUT, "schemaVersion": 2}, {**MINIMAL_OUTPUT, "ingestion": None}])
def test_another_version_or_a_section_without_content_is_invalid(document: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(document)
