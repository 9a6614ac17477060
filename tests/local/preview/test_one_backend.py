"""Tests that a stack may contain one backend only: it can be deployed, and it has nothing of the disabled backends."""

import re
from pathlib import Path

import pytest

from local import ROOT
from local.preview.preview import Preview, preview
from local.preview.stack_files import StackConfig, read_stack
from tests.whole_program import ONE_WORKER, SECTIONS, backend_alone, previewed

pytestmark = ONE_WORKER


def check(config: StackConfig, section: str) -> Preview:
    """Return the preview of a stack with one backend, after checking that it has nothing else and can be deployed."""
    result = preview(config)
    assert (result.deployable, result.mandatory, result.invalid_inputs, result.handler_faults) == (True, [], (), ())
    subsystem = re.sub("[A-Z]", lambda letter: f"-{letter[0].lower()}", section)
    names = {resource.name for resource in result.graph if not resource.name.startswith((subsystem, "foundation"))}
    assert names == {"platform", f"polyphony-{config.stack}"}
    assert set(result.outputs["frontend"]) - {"environment", "identity", "region", "schemaVersion"} == {section}
    return result


@pytest.mark.parametrize("section", SECTIONS)
def test_a_backend_can_be_deployed_alone(section: str) -> None:
    result = check(backend_alone("prod", section), section)
    assert 0 < result.cost.total < previewed("prod").cost.total


def test_the_stack_file_on_the_page_runs_captions_alone(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "deploying.md").read_text().split("## One backend alone")[1]
    [stack_file] = re.findall(r"```yaml\n(.*?)```", text.split("\n## ")[0], re.DOTALL)
    (tmp_path / "Pulumi.captions.yaml").write_text(stack_file)
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    config = read_stack("captions", tmp_path)
    check(config, "transcription")
    assert config.warnings == (), "a stack without voice Q&A and livestream needs no secrets"
