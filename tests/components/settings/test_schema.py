"""Tests of the generated JSON schemas: they are up to date and valid, and accept the examples and the committed stack
files.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from handlers.common.json_models import Message
from handlers.meetings.bedrock_summarize.stored_summary_models import Summary
from handlers.meetings.bedrock_summarize.stored_transcript_models import Transcript
from handlers.meetings.meeting_record import MeetingRecord
from handlers.meetings.upload_completion_file import CompleteFile
from handlers.transcription import messages
from handlers.voice_qa import websocket_messages
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


def examples() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each example of the schemas, with the path of its schema and the name of its definition."""
    for path, generate in generated_files.SCHEMAS.items():
        for name, definition in json.loads(generate()).get("$defs", {}).items():
            yield from ((path, name, example) for example in definition.get("examples", ()))


@pytest.mark.parametrize(("path", "name", "example"), list(examples()))
def test_an_example_is_valid_for_the_schema_and_for_its_own_definition(
    path: str, name: str, example: dict[str, Any]
) -> None:
    schema = json.loads((ROOT / path).read_text())
    jsonschema.validate(example, schema)
    jsonschema.validate(example, {**schema, "oneOf": [{"$ref": f"#/$defs/{name}"}]})


@pytest.mark.parametrize(
    "path", ["docs/meetings.schema.json", "docs/transcription.schema.json", "docs/voice-qa.schema.json"]
)
def test_every_message_has_an_example(path: str) -> None:
    schema = json.loads((ROOT / path).read_text())
    names = [message["$ref"].rpartition("/")[2] for message in schema.get("oneOf") or schema["anyOf"]]
    assert [name for name in names if not schema["$defs"][name].get("examples")] == []


@pytest.mark.parametrize(
    ("path", "requests"),
    [("docs/transcription.schema.json", messages.REQUESTS), ("docs/voice-qa.schema.json", websocket_messages.REQUESTS)],
)
def test_the_handler_accepts_an_example_of_every_request(path: str, requests: Mapping[str, type[Message]]) -> None:
    parsed_types = {
        type(requests[example["action"]].model_validate(example))
        for schema_path, _, example in examples()
        if schema_path == path and "action" in example
    }
    assert parsed_types == set(requests.values())


@pytest.mark.parametrize(
    ("name", "model"),
    {
        "CompleteFile": CompleteFile,
        "MeetingRecord": MeetingRecord,
        "Transcript": Transcript,
        "Summary": Summary,
    }.items(),
)
def test_the_examples_of_a_stored_meeting_document_are_valid(name: str, model: type[Message]) -> None:
    schema = json.loads((ROOT / "docs/meetings.schema.json").read_text())
    for example in schema["$defs"][name]["examples"]:
        document = model.model_validate_json(json.dumps(example))
        assert document.model_dump(mode="json", by_alias=True, exclude_none=True) == example


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
    schema = json.loads((ROOT / "docs/meetings.schema.json").read_text())
    example = schema["$defs"]["CompleteFile"]["examples"][0]
    validator = jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/CompleteFile"})
    assert validator.is_valid(example)
    with pytest.raises(ValidationError):
        CompleteFile.model_validate_json(json.dumps({**example, **changes}))
    assert [str(error.absolute_path[0]) for error in validator.iter_errors({**example, **changes})] == [field]


@pytest.fixture(scope="module")
def stack_validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(generated_files.stack_schema())


@pytest.mark.parametrize("stack", stack_files.list_stacks())
def test_every_stack_file_is_valid_for_the_schema_and_names_it(
    stack: str, stack_validator: jsonschema.Draft202012Validator
) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=docs/stack.schema.json\n")
    stack_validator.validate(yaml.safe_load(text))


def test_an_unknown_key_in_a_stack_file_is_invalid(stack_validator: jsonschema.Draft202012Validator) -> None:
    stack_file = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    stack_file["config"]["polyphony:ingestion"]["lod"] = {}
    with pytest.raises(jsonschema.ValidationError, match="lod"):
        stack_validator.validate(stack_file)
