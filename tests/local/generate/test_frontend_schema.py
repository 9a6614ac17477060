"""Tests of the JSON Schema of the output `frontend`, with which clients check what they read."""

from typing import Any

from jsonschema import Draft202012Validator

from local.generate.generated_files import frontend_schema

SCHEMA = Draft202012Validator(frontend_schema())
INGESTION = {
    "bucket": "b",
    "prefix": "p/",
    "table": "t",
    "suffixes": [".ndjson"],
    "maxFileBytes": 1,
    "flushMinutes": 60,
}
OUTPUT: dict[str, Any] = {"schemaVersion": 1, "environment": "prod", "region": "eu-west-1", "ingestion": INGESTION}


def test_unknown_fields_are_valid_because_later_versions_may_add_fields() -> None:
    later_output = {**OUTPUT, "glossary": {}, "ingestion": {**INGESTION, "minFileBytes": 1}}
    assert list(SCHEMA.iter_errors(later_output)) == []


def test_another_version_or_a_section_without_content_is_invalid() -> None:
    assert SCHEMA.is_valid(OUTPUT)
    assert not SCHEMA.is_valid({**OUTPUT, "schemaVersion": 2})
    assert not SCHEMA.is_valid({**OUTPUT, "ingestion": None})
