"""The generated schemas are fresh, valid, and accept exactly what the committed stack files say."""

import json

import jsonschema
import pytest
import yaml

from local import ROOT, generated, stack_files


def test_the_committed_schemas_are_fresh() -> None:
    assert generated.stale(generated.SCHEMAS) == [], "run `make schema` and commit what it writes"


@pytest.mark.parametrize("path", sorted(generated.SCHEMAS))
def test_a_generated_schema_is_a_schema(path: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads((ROOT / path).read_text()))


@pytest.mark.parametrize("stack", stack_files.stacks())
def test_every_stack_file_obeys_the_schema_and_names_it(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=docs/stack.schema.json\n")
    jsonschema.validate(yaml.safe_load(text), generated.stack_schema())


def test_an_unknown_key_is_underlined_by_an_editor() -> None:
    given = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    given["config"]["polyphony:ingestion"]["lod"] = {}
    with pytest.raises(jsonschema.ValidationError, match="lod"):
        jsonschema.validate(given, generated.stack_schema())
