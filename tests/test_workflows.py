"""What runs on GitHub: valid, pinned, with the least rights, and nothing that a stranger writes becomes a command."""

import importlib.resources
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.blocks.compute.function import RUNTIME
from components.blocks.compute.image_repository import PINNED
from components.blocks.naming.physical_names import Kind, physical_name
from local import ROOT
from local.preview import stack_files
from tests.document_samples import list_make_targets

FOLDER = ROOT / ".github" / "workflows"
NAMES = sorted(path.name for path in FOLDER.glob("*.yml"))
IMAGE = FOLDER / "image.yml"
WRITES = {
    # What a job may write, and why it must.
    ("ci.yml", "preview", "security-events"): "findings are uploaded",
    ("ci.yml", "cost", "pull-requests"): "the cost is a comment",
    ("deploy.yml", "dev", "id-token"): "roles are taken by OIDC",
    ("deploy.yml", "staging", "id-token"): "roles are taken by OIDC",
    ("deploy.yml", "chosen", "id-token"): "roles are taken by OIDC",
    ("stack.yml", "image", "id-token"): "roles are taken by OIDC",
    ("stack.yml", "preview", "id-token"): "roles are taken by OIDC",
    ("stack.yml", "deploy", "id-token"): "roles are taken by OIDC",
    ("image.yml", "image", "id-token"): "roles are taken by OIDC",
}


def loaded(name: str) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text().replace("\non:", '\n"on":'))
    return found


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in NAMES:
        for job, said in loaded(name)["jobs"].items():
            yield name, job, said


def steps() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, job, said in jobs():
        for step in said.get("steps", ()):
            yield name, job, step


def scripts() -> list[tuple[str, str]]:
    return [(name, step["run"]) for name, _, step in steps() if "run" in step]


def schema(name: str = "github-workflows") -> dict[str, Any]:
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json"
    found: dict[str, Any] = json.loads(vendored.read_text())
    return found


# Form


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_is_one_by_githubs_schema(name: str) -> None:
    jsonschema.Draft7Validator(schema()).validate(loaded(name))


def test_pins_are_renewed_by_pull_requests() -> None:
    found = yaml.safe_load((FOLDER.parent / "dependabot.yml").read_text())
    jsonschema.Draft7Validator(schema("dependabot")).validate(found)
    assert "github-actions" in {one["package-ecosystem"] for one in found["updates"]}


@pytest.mark.parametrize(("name", "script"), scripts())
def test_a_script_is_bash(name: str, script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, f"{name}: {done.stderr}"


def test_every_target_of_make_that_is_called_exists() -> None:
    called = [
        word
        for _, script in scripts()
        for line in re.findall(r"^ *make (.*)$", script, re.MULTILINE)
        for word in line.partition("|")[0].split()
        if "=" not in word and not word.startswith("-")
    ]
    assert len(called) >= 4
    assert set(called) <= list_make_targets()


def test_a_workflow_that_is_called_is_there_and_takes_what_it_is_given() -> None:
    for name, _, job in jobs():
        if "uses" in job:
            called = loaded(job["uses"].removeprefix("./.github/workflows/"))
            taken = called["on"]["workflow_call"]["inputs"]
            assert set(job["with"]) <= set(taken), name
            assert {one for one, said in taken.items() if said.get("required")} <= set(job["with"]), name


def test_what_a_job_waits_for_is_a_job() -> None:
    for name, _, job in jobs():
        needed = job.get("needs", [])
        assert set([needed] if isinstance(needed, str) else needed) <= set(loaded(name)["jobs"])


@pytest.mark.parametrize("name", ["deploy.yml", "image.yml"])
def test_a_stack_that_can_be_chosen_has_a_file(name: str) -> None:
    for stack in loaded(name)["on"]["workflow_dispatch"]["inputs"]["stack"]["options"]:
        assert (ROOT / f"Pulumi.{stack}.yaml").is_file()


def test_every_stack_is_previewed() -> None:
    assert sorted(loaded("ci.yml")["jobs"]["preview"]["strategy"]["matrix"]["stack"]) == stack_files.stacks()


def test_the_previews_are_one_check_that_fails_when_one_of_them_did() -> None:
    job = loaded("ci.yml")["jobs"]["previews"]
    assert job["needs"] == "preview"
    assert job["if"] == "${{ always() }}", "a required check that is skipped counts as passed"
    [step] = job["steps"]
    assert step["env"] == {"RESULT": "${{ needs.preview.result }}"}
    for result in ("success", "failure", "cancelled", "skipped"):
        done = subprocess.run(["bash", "-e"], input=step["run"], env={"RESULT": result}, text=True, check=False)  # noqa: S607
        assert (done.returncode == 0) is (result == "success"), result


def test_the_pulumi_cli_is_of_the_programs_version() -> None:
    [locked] = re.findall(r"^pulumi==([\d.]+)", (ROOT / "requirements" / "program.txt").read_text(), re.MULTILINE)
    used = [
        step["with"]["pulumi-version"]
        for _, _, step in steps()
        if str(step.get("uses", "")).startswith("pulumi/actions@")
    ]
    assert used == [locked, locked]


# Safety


def test_actions_are_named_by_one_commit_with_the_version_beside_it() -> None:
    used = re.findall(r"uses: (\S+)(.*)", "\n".join((FOLDER / name).read_text() for name in NAMES))
    foreign = {(action, beside) for action, beside in used if not action.startswith("./")}
    assert len(foreign) > 4
    for action, beside in foreign:
        assert re.fullmatch(r"[\w-]+(/[\w.-]+)+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", beside), f"{action}: which version is it?"
    assert len({action.partition("@")[0] for action, _ in foreign}) == len(foreign), "an action in two versions"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_stranger_writes_runs_with_rights(name: str) -> None:
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(loaded(name)["on"])
    text = (FOLDER / name).read_text()
    assert "secrets." not in text
    assert "secrets: inherit" not in text
    assert [script for where, script in scripts() if where == name and "${{" in script] == []


def test_a_workflow_gives_nothing_and_a_job_what_it_must() -> None:
    assert all(loaded(name)["permissions"] == {} for name in NAMES)
    rights = {(name, job, right, level) for name, job, said in jobs() for right, level in said["permissions"].items()}
    assert {(name, job, right) for name, job, right, level in rights if level != "read"} == set(WRITES)


def test_what_takes_a_role_is_a_commit_of_main() -> None:
    """Somebody may run a workflow on any tag: each job with a role asks for itself, or waits for one that did."""
    asks = {
        (name, job)
        for name, job, step in steps()
        if str(step.get("run", "")).startswith("git merge-base --is-ancestor") and not step.get("if")
    }
    for name, job, said in jobs():
        takes_a_role = any(str(one.get("uses", "")).startswith("aws-actions/") for one in said.get("steps", ()))
        before = {(name, one) for one in said.get("needs", ()) if f"needs.{one}.result == 'success' &&" in said["if"]}
        assert not takes_a_role or asks & {(name, job), *before}, f"{name}: {job}"
    fetched = {(name, job) for name, job, step in steps() if step.get("with", {}).get("fetch-depth") == 0}
    assert asks <= fetched, "the commit's ancestors have to be there"


def test_layers_are_built_where_there_is_the_functions_own_python() -> None:
    """Without it they have no bytecode, and every cold start compiles them."""
    building = {(name, job) for name, job, step in steps() if "layers" in str(step.get("run", "")).split()}
    versions = {
        (name, job): str(step["with"]["python-version"]).split()
        for name, job, step in steps()
        if str(step.get("uses", "")).startswith("actions/setup-python@")
    }
    assert building
    for where in building:
        assert versions[where][-1] == "3.11", "what the locks were made with is `python`"
        assert RUNTIME.removeprefix("python") in versions[where]


def test_what_is_checked_out_keeps_no_token() -> None:
    for name, job, step in steps():
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, f"{name}: {job}"


def test_nothing_of_a_pull_request_takes_a_role() -> None:
    for name, job, said in jobs():
        if "pull_request" in loaded(name)["on"]:
            assert "id-token" not in said["permissions"], job


def test_whatever_takes_a_role_does_so_in_an_environment_that_names_its_stack() -> None:
    for name, job, said in jobs():
        if any("configure-aws-credentials" in str(step.get("uses")) for step in said.get("steps", ())):
            assert said["environment"] in {"${{ inputs.stack }}", "${{ inputs.stack }}-preview"}, f"{name}: {job}"


def test_dependencies_are_installed_before_there_are_credentials() -> None:
    for name, job in (("stack.yml", "preview"), ("stack.yml", "deploy")):
        found = loaded(name)["jobs"][job]["steps"]
        [makes] = [index for index, step in enumerate(found) if str(step.get("run", "")).startswith("make")]
        [takes] = [index for index, step in enumerate(found) if "configure-aws-credentials" in str(step.get("uses"))]
        assert makes < takes


def test_a_stack_is_deployed_once_at_a_time_and_never_cut_off() -> None:
    assert loaded("stack.yml")["concurrency"] == {"group": "stack-${{ inputs.stack }}", "cancel-in-progress": False}


def test_a_deployment_is_judged_by_the_policies_after_a_preview_that_was() -> None:
    found = loaded("stack.yml")["jobs"]
    assert "preview" in found["deploy"]["needs"]
    assert "needs.preview.result == 'success'" in found["deploy"]["if"]
    for job, command in (("preview", "pulumi preview"), ("deploy", "pulumi up")):
        [run] = [step["run"] for step in found[job]["steps"] if command in str(step.get("run"))]
        assert "--policy-pack policies" in run


def test_forks_upload_and_comment_nothing() -> None:
    same = "github.event.pull_request.head.repo.full_name == github.repository"
    writing = [
        step for _, _, step in steps() if "upload-sarif" in str(step.get("uses")) or "gh api" in str(step.get("run"))
    ]
    assert len(writing) == 2
    assert all(same in step["if"] for step in writing)


# The image


def test_the_image_goes_to_the_repository_that_the_program_makes() -> None:
    name = physical_name(Kind.IMAGE_REPOSITORY, ["polyphony", "dev", "meetings", "media-images"])
    assert name.replace("-dev-", "-${STACK}-") in IMAGE.read_text()


def test_the_dockerfile_is_there() -> None:
    [path] = re.findall(r"--file (\S+)", IMAGE.read_text())
    assert (ROOT / path).is_file()


def pushing() -> str:
    [script] = [one["run"] for one in loaded("image.yml")["jobs"]["image"]["steps"] if one.get("id") == "push"]
    return str(script)


REPOSITORY = """\
#!{python}
import json, pathlib, sys
file = pathlib.Path("repository.json")
images = json.loads(file.read_text())  # digests by tag
program, *said = pathlib.Path(sys.argv[0]).name, *sys.argv[1:]
told = dict(zip(said, said[1:]))
if program == "docker":
    if said[0] == "push":
        images[said[-1].rpartition(":")[2]] = "sha256:" + "b" * 64
        images["log"] += ["push"]
elif said[1] == "describe-repositories":
    print("IMMUTABLE" if "Mutability" in told["--query"] else "account.dkr.ecr/images")
elif said[1] == "batch-get-image":
    by, _, what = told["--image-ids"].partition("=")
    found = images.get(what) if by == "imageTag" else what if what in images.values() else None
    print(f"manifest of {{found}}" if "Manifest" in told["--query"] else found)
elif said[1] == "put-image":
    assert told["--image-tag"] not in images, "no tag is written twice"
    images[told["--image-tag"]] = told["--image-manifest"].removeprefix("manifest of ")
    images["log"] += ["tag"]
if images != json.loads(file.read_text()):
    file.write_text(json.dumps(images))  # not while `docker login` waits for a password beside it
"""
"""A repository, as the command lines `aws` and `docker` know it."""


def pushed(folder: Path, named: str, images: dict[str, Any]) -> dict[str, Any]:
    """What a repository has, once the workflow has pushed to it for a stack whose file names this digest."""
    for program in ("aws", "docker"):
        (folder / program).write_text(REPOSITORY.format(python=sys.executable))
        (folder / program).chmod(0o700)
    (folder / "Pulumi.prod.yaml").write_text(
        f"config:\n  polyphony:meetings:\n    media:\n      imageDigest: {named}\n"
    )
    (folder / "repository.json").write_text(json.dumps({**images, "log": []}))
    told = {"PATH": f"{folder}:/usr/bin:/bin", "STACK": "prod", "COMMIT": "commit"}
    files = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    done = subprocess.run(  # noqa: S603
        ["/bin/bash", "-e", "-c", pushing()], cwd=folder, env=told | files, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "repository.json").read_text())
    return found


def test_what_the_stack_file_names_is_kept_before_another_is_pushed(tmp_path: Path) -> None:
    named, other = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    once = pushed(tmp_path, named, {"older": named})
    kept = f"{PINNED}aaaaaaaaaaaa"
    assert once == {"older": named, kept: named, "commit": other, "log": ["tag", "push"]}
    del once["commit"]
    assert pushed(tmp_path, f'"{named}"', once)["log"] == ["push"], "it has its tag"


@pytest.mark.parametrize("named", ["sha256:" + "0" * 64, "null"])
def test_where_the_stack_file_names_no_image_there_is_nothing_to_keep(tmp_path: Path, named: str) -> None:
    assert pushed(tmp_path, named, {})["log"] == ["push"]
