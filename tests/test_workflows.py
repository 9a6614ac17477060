"""The workflows that hold a role of AWS: nothing of them is fetched by a name that can move, and no key is kept."""

import re
from typing import Any

import pytest
import yaml

from components.blocks.names import Kind, physical_name
from local import ROOT

FOLDER = ROOT / ".github" / "workflows"
IMAGE = FOLDER / "image.yml"


def loaded(name: str) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text().replace("\non:", '\n"on":'))
    return found


def test_what_takes_a_role_runs_actions_by_their_commit_alone() -> None:
    steps = loaded("image.yml")["jobs"]["image"]["steps"]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert [one for one in used if re.fullmatch(r"[\w-]+/[\w.-]+@[0-9a-f]{40}", one) is None] == []


def test_a_role_is_taken_by_oidc_and_no_secret_is_read() -> None:
    assert "secrets." not in IMAGE.read_text()
    found = loaded("image.yml")
    assert found["permissions"] == {}
    assert found["jobs"]["image"]["permissions"] == {"contents": "read", "id-token": "write"}


def test_nothing_that_somebody_types_is_pasted_into_a_script() -> None:
    for step in loaded("image.yml")["jobs"]["image"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_image_goes_to_the_repository_that_the_program_makes() -> None:
    name = physical_name(Kind.IMAGE_REPOSITORY, ["polyphony", "dev", "meetings", "media-images"])
    assert name.replace("-dev-", "-${STACK}-") in IMAGE.read_text()


@pytest.mark.parametrize("stack", loaded("image.yml")["on"]["workflow_dispatch"]["inputs"]["stack"]["options"])
def test_a_stack_that_can_be_chosen_has_a_file(stack: str) -> None:
    assert (ROOT / f"Pulumi.{stack}.yaml").is_file()


def test_the_dockerfile_is_there() -> None:
    [path] = re.findall(r"--file (\S+)", IMAGE.read_text())
    assert (ROOT / path).is_file()


def test_latest_is_moved_only_where_it_is_what_runs() -> None:
    [script] = [one["run"] for one in loaded("image.yml")["jobs"]["image"]["steps"] if one.get("id") == "push"]
    moved = script.index("--image-tag latest")
    assert "IMMUTABLE_WITH_EXCLUSION" in script[:moved], "a repository of reviewed images refuses it"
    assert script.index('"$digest" =~') < moved
