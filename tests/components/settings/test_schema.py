"""Tests of the generated JSON schemas: they are up to date, and accept the committed stack files."""

import jsonschema
import pytest
import yaml

from local import ROOT
from local.generate import generated_files
from local.preview import stack_files


def test_the_committed_schemas_are_fresh() -> None:
    stale_files = generated_files.find_stale_files(generated_files.INTERFACES)
    assert stale_files == [], "run `make schema` and commit what it writes"


@pytest.mark.parametrize("stack", stack_files.list_stacks())
def test_every_stack_file_is_valid_for_the_schema_and_names_it(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=docs/reference/stack.schema.json\n")
    jsonschema.validate(yaml.safe_load(text), generated_files.stack_schema())
