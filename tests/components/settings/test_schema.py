"""Tests of the generated JSON schemas: they are up to date and valid, and accept the committed stack files."""

import json
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from handlers.meetings.upload_completion_file import CompleteFile
from local import ROOT
from local.generate import generated_files
from local.preview import stack_files


def test_the_committed_schemas_are_fresh() -> None:
    assert generated_files.find_stale_files(generated_files.INTERFACES) == [], (
        "run `make schema` and commit what it writes"
    )


@pytest.mark.parametrize("path", sorted(generated_files.SCHEMAS))
def test_a_generated_schema_is_a_schema(path: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads((ROOT / path).read_text()))


COMPLETE_FILE: dict[str, Any] = {
    "schemaVersion": 1,
    "title": "Weekly",
    "startedAt": "2026-01-31T10:00:00.000Z",
    "chunks": [{"name": "00000.webm", "bytes": 1, "sha256": "0" * 64}],
}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"startedAt": "2026-01-31T10:00:00Z"}, "startedAt"),
        ({"chunks": []}, "chunks"),
        ({"chunks": [{"name": "a/b", "bytes": 1, "sha256": "0" * 64}]}, "chunks"),
        ({"schemaVersion": 2}, "schemaVersion"),
        ({"language": "en-UK"}, "language"),
    ],
)
def test_the_schema_refuses_a_recording_that_the_handler_refuses(changes: dict[str, Any], field: str) -> None:
    schema = json.loads((ROOT / "docs/reference/meetings.schema.json").read_text())
    validator = jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/CompleteFile"})
    assert validator.is_valid(COMPLETE_FILE)
    recording = {**COMPLETE_FILE, **changes}
    with pytest.raises(ValidationError):
        CompleteFile.model_validate_json(json.dumps(recording))
    assert [str(error.absolute_path[0]) for error in validator.iter_errors(recording)] == [field]


@pytest.fixture(scope="module")
def stack_validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(generated_files.stack_schema())


@pytest.mark.parametrize("stack", stack_files.list_stacks())
def test_every_stack_file_is_valid_for_the_schema_and_names_it(
    stack: str, stack_validator: jsonschema.Draft202012Validator
) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=docs/reference/stack.schema.json\n")
    stack_validator.validate(yaml.safe_load(text))


def test_an_unknown_key_in_a_stack_file_is_invalid(stack_validator: jsonschema.Draft202012Validator) -> None:
    stack_file = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    stack_file["config"]["polyphony:ingestion"]["lod"] = {}
    with pytest.raises(jsonschema.ValidationError, match="lod"):
        stack_validator.validate(stack_file)
