"""Tests of the GitHub workflows: only approved plans are deployed, and jobs have only the permissions that they need.

`make lint` checks their syntax with check-jsonschema and their security with zizmor, and CI runs actionlint.
"""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.blocks.function import RUNTIME
from components.core import Kind, physical_name
from components.meetings import media_image
from components.settings.foundation import FoundationSettings
from local import ROOT
from local.preview import stack_files
from operations.verify import TOKEN_VARIABLES
from tests.document_samples import list_make_targets
from tests.end_to_end.pulumi_cli.conftest import CLI_REQUIRED_VARIABLE

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS: dict[str, Any] = {
    # YAML 1.1 reads the key `on` as true.
    path.name: yaml.safe_load(path.read_text().replace("\non:", '\n"on":'))
    for path in FOLDER.glob("*.yml")
}
STACK_JOBS: dict[str, Any] = WORKFLOWS["stack.yml"]["jobs"]
ROLE_ACTION = "aws-actions/configure-aws-credentials"


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, workflow in WORKFLOWS.items():
        for job, definition in workflow["jobs"].items():
            yield name, job, definition


def steps() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, job, definition in jobs():
        for step in definition.get("steps", ()):
            yield name, job, step


def uses(step: dict[str, Any], action: str) -> bool:
    """Return True if a step uses an action, in any version."""
    return str(step.get("uses", "")).startswith(f"{action}@")


def find_step(job: dict[str, Any], text: str) -> int:
    """Return the position of the only step of a job whose script or action contains a text."""
    [index] = [index for index, step in enumerate(job["steps"]) if text in f"{step.get('run')} {step.get('uses')}"]
    return index


def find_script(workflow: str, job: str, text: str) -> str:
    definition = WORKFLOWS[workflow]["jobs"][job]
    return str(definition["steps"][find_step(definition, text)]["run"])


def run_script(script: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as GitHub does. The programs in the folder replace those of the system."""
    return subprocess.run(  # noqa: S603
        ["/bin/bash", "-e", "-c", script],
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o700)


def test_every_make_target_in_a_workflow_exists_and_every_stack_is_previewed() -> None:
    called_targets = {
        word
        for _, _, step in steps()
        for line in re.findall(r"^ *make (.*)$", step.get("run", ""), re.MULTILINE)
        for word in line.partition("|")[0].split()
        if "=" not in word and not word.startswith("-")
    }
    assert "layers" in called_targets
    assert called_targets <= list_make_targets()
    matrix = WORKFLOWS["ci.yml"]["jobs"]["preview"]["strategy"]["matrix"]
    assert sorted(matrix["stack"]) == stack_files.list_stacks()


def test_every_job_with_the_pulumi_cli_installs_the_version_of_the_locked_sdk() -> None:
    locks = [*(ROOT / "requirements").glob("*.txt"), ROOT / "policies" / "requirements.txt"]
    [locked_version] = {
        version for path in locks for version in re.findall(r"^pulumi==([\d.]+)", path.read_text(), re.MULTILINE)
    }
    installed = {(name, job): step["with"] for name, job, step in steps() if uses(step, "pulumi/actions")}
    assert set(installed) == {("ci.yml", "test"), *(("stack.yml", job) for job in ("preview", "deploy", "verify"))}
    # With the input `command`, the action would also log in and run that command.
    assert list(installed.values()) == [{"pulumi-version": locked_version}] * 4


def test_pull_requests_fail_if_the_tests_of_the_pulumi_cli_are_skipped() -> None:
    assert "pull_request" in WORKFLOWS["ci.yml"]["on"]
    job = WORKFLOWS["ci.yml"]["jobs"]["test"]
    tests = find_step(job, ".ci/run")
    assert find_step(job, "pulumi/actions@") < tests
    assert job["steps"][tests]["env"] == {CLI_REQUIRED_VARIABLE: "1"}


def test_layers_are_built_with_the_functions_python_version() -> None:
    """Without this version, the layers contain no bytecode, and every cold start compiles their modules."""
    layer_jobs = {(name, job) for name, job, step in steps() if "layers" in str(step.get("run", "")).split()}
    setups = {(name, job): step["with"] for name, job, step in steps() if uses(step, "actions/setup-python")}
    for job_key in layer_jobs:
        *others, last = str(setups[job_key]["python-version"]).split()
        assert last == "3.11", "the last version becomes `python`, and 3.11 generated the locks"
        assert RUNTIME.removeprefix("python") in others


# Permissions


def test_no_workflow_reads_a_stored_secret_except_the_verification_the_tokens_of_its_test_users() -> None:
    texts = {name: (FOLDER / name).read_text() for name in WORKFLOWS}
    uses_of_secrets = {
        (name, use)
        for name, text in texts.items()
        for use in re.findall(r"\$\{\{[^}]*\bsecrets\b[^}]*}}|\bsecrets:", text)
    }
    assert uses_of_secrets == {("stack.yml", f"${{{{ secrets.{variable} }}}}") for variable in TOKEN_VARIABLES.values()}


def test_workflows_have_no_permissions_and_jobs_only_those_they_need() -> None:
    assert all(workflow["permissions"] == {} for workflow in WORKFLOWS.values())
    assuming_jobs = {(name, job) for name, job, step in steps() if uses(step, ROLE_ACTION)}
    calling_jobs = {(name, job) for name, job, definition in jobs() if "uses" in definition}
    published = {
        ("ci.yml", "preview", "security-events"),
        ("ci.yml", "cost", "pull-requests"),
        ("release.yml", "release", "contents"),
    }
    write_permissions = {
        (name, job, permission)
        for name, job, definition in jobs()
        for permission, level in definition["permissions"].items()
        if level != "read"
    }
    assert write_permissions == {(*job, "id-token") for job in assuming_jobs | calling_jobs} | published


def test_only_commits_of_main_assume_a_role() -> None:
    """A workflow can be started on any tag.

    So each job with a role checks the commit itself, or needs a job that did.
    """
    checking_jobs = {
        (name, job)
        for name, job, step in steps()
        if str(step.get("run", "")).startswith("git merge-base --is-ancestor") and not step.get("if")
    }
    for name, job, definition in jobs():
        assumes_role = any(str(step.get("uses", "")).startswith("aws-actions/") for step in definition.get("steps", ()))
        checked_jobs = {
            (name, needed_job)
            for needed_job in definition.get("needs", ())
            if f"needs.{needed_job}.result == 'success' &&" in definition["if"]
        }
        assert not assumes_role or checking_jobs & {(name, job), *checked_jobs}, f"{name}: {job}"
    fetched = {(name, job) for name, job, step in steps() if step.get("with", {}).get("fetch-depth") == 0}
    assert checking_jobs <= fetched, "the check needs the commit's history"


def test_jobs_with_a_role_run_in_their_stacks_environment() -> None:
    for name, job, definition in jobs():
        if any(uses(step, ROLE_ACTION) for step in definition.get("steps", ())):
            assert definition["environment"] in {"${{ inputs.stack }}", "${{ inputs.stack }}-preview"}, f"{name}: {job}"
    for job in ("deploy", "rollout"):
        assert STACK_JOBS[job]["environment"] == "${{ inputs.stack }}", "its reviewers approve a change of the stack"


# The order of jobs and steps


def test_dependencies_are_installed_before_credentials_exist() -> None:
    for job in ("preview", "deploy", "rollout", "verify"):
        job_steps = STACK_JOBS[job]["steps"]
        [make_step] = [index for index, step in enumerate(job_steps) if str(step.get("run", "")).startswith("make")]
        assert make_step < find_step(STACK_JOBS[job], ROLE_ACTION)


def test_preview_and_deployment_both_run_the_policies() -> None:
    deploy = STACK_JOBS["deploy"]
    assert STACK_JOBS["preview"]["needs"] == ["image"], "the preview looks the image up"
    assert "preview" in deploy["needs"]
    assert "needs.preview.result == 'success'" in deploy["if"]
    for job, command in (("preview", "pulumi preview"), ("deploy", "pulumi up")):
        assert "--policy-pack policies" in find_script("stack.yml", job, command)


def test_the_rollout_follows_the_deployment_and_ends_before_its_credentials_do() -> None:
    rollout, verify = STACK_JOBS["rollout"], STACK_JOBS["verify"]
    assert "needs.deploy.result == 'success' && (needs.rollout.result == 'success' || " in verify["if"]
    assert "needs.deploy.result == 'success' &&" in rollout["if"]
    command = find_script("stack.yml", "rollout", "-m operations rollout").split()
    assert command[0] == "exec", "otherwise Python does not get the signal of a cancelled job"
    shares = command[command.index("--share") + 1 : command.index("--minutes")]
    minutes = len(shares) * float(command[command.index("--minutes") + 1])
    assert minutes + 15 <= rollout["timeout-minutes"] <= 60


# The scripts of the steps


@pytest.mark.parametrize(
    ("blocks", "exit_code"),
    [(r"True\tTrue\tTrue\tTrue", 0), (r"True\tTrue\tFalse\tTrue", 1), ("", 1)],
)
def test_a_deployment_stops_unless_public_access_is_blocked(tmp_path: Path, blocks: str, exit_code: int) -> None:
    """The fake AWS CLI prints the account's public access block, or fails if the account has none."""
    deploy = STACK_JOBS["deploy"]
    assert find_step(deploy, "get-public-access-block") < find_step(deploy, "pulumi up")
    answers = (
        '"sts "*) echo 123456789012 ;; "s3control "*) [ "$4" = 123456789012 ] && [ "$BLOCKS" ] && printf "$BLOCKS"'
    )
    write_program(tmp_path / "aws", f'#!/bin/bash\ncase "$1 $2" in\n{answers} ;;\nesac\n')
    process = run_script(find_script("stack.yml", "deploy", "get-public-access-block"), tmp_path, BLOCKS=blocks)
    assert process.returncode == exit_code, process.stderr
    assert ("::error::" in process.stdout) == (exit_code == 1)


def run_plan_step(job: str, folder: Path, plan: str, approved: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the step of a job that makes the plan, with a fake command that prints this plan. It fails without a plan."""
    fake_python = f"#!/bin/bash\necho '{plan}'\n[ \"$*\" = '-m local plan --stack prod' ] && [ '{plan}' ]\n"
    write_program(folder / ".venv/bin/python", fake_python)
    files = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    script = find_script("stack.yml", job, "-m local plan")
    return run_script(script, folder, STACK="prod", APPROVED=approved, **files)


def test_only_the_approved_plan_is_deployed(tmp_path: Path) -> None:
    """The reviewers see the plan. The job that deploys gets its hash, and compares it directly before the deployment."""
    assert run_plan_step("preview", tmp_path, "1 changes").returncode == 0
    assert (tmp_path / "summary").read_text() == "### Plan of prod\n```\n1 changes\n```\n"
    key, _, approved_hash = (tmp_path / "output").read_text().strip().partition("=")
    assert hashlib.sha256(b"1 changes\n").hexdigest() == approved_hash
    assert STACK_JOBS["preview"]["outputs"]["plan"] == f"${{{{ steps.plan.outputs.{key} }}}}"
    deploy = STACK_JOBS["deploy"]
    comparison = deploy["steps"][find_step(deploy, "-m local plan")]
    assert comparison["env"]["APPROVED"] == "${{ needs.preview.outputs.plan }}"
    assert "if" not in comparison
    assert find_step(deploy, "pulumi up") == find_step(deploy, "-m local plan") + 1
    assert run_plan_step("deploy", tmp_path, "1 changes", approved_hash).returncode == 0
    for plan, approved in (("2 changes", approved_hash), ("1 changes", "")):
        process = run_plan_step("deploy", tmp_path, plan, approved)
        assert process.returncode == 1
        assert process.stdout.startswith(plan), "the log has the new plan"
        assert "::error::The plan of prod has changed since its approval" in process.stdout
    (tmp_path / "output").unlink()
    for job in ("preview", "deploy"):
        assert run_plan_step(job, tmp_path, "", hashlib.sha256(b"\n").hexdigest()).returncode == 1, "without a plan"
    assert not (tmp_path / "output").exists()


FAKE_GITHUB = """\
#!/bin/bash
case "$2" in
"repos/owner/polyphony/actions/workflows/deploy.yml/runs?head_sha=c0ffee&status=success&per_page=100") echo "$RUNS" ;;
repos/owner/polyphony/actions/runs/6/jobs*) echo "staging / preview" ;;
repos/owner/polyphony/actions/runs/7/jobs*) echo "dev / deploy" ;;
repos/owner/polyphony/actions/runs/8/jobs*) printf 'staging / preview\\nstaging / deploy\\n' ;;
*) exit 1 ;;
esac
"""
"""Fake GitHub CLI: run 6 has only previewed staging, run 7 has deployed dev, and run 8 staging. The shell's variable has the successful runs."""


@pytest.mark.parametrize(("runs", "accepted"), [("7 8", True), ("6", False), ("7", False), ("", False), ("9", False)])
def test_prod_takes_only_a_commit_whose_deployment_of_staging_succeeded(
    tmp_path: Path, runs: str, accepted: bool
) -> None:
    write_program(tmp_path / "gh", FAKE_GITHUB)
    variables = {"GITHUB_REPOSITORY": "owner/polyphony", "GITHUB_SHA": "c0ffee", "RUNS": runs}
    preview, callers = STACK_JOBS["preview"], WORKFLOWS["deploy.yml"]["jobs"]
    check = find_step(preview, "gh api")
    assert check < find_step(preview, ROLE_ACTION)
    assert preview["steps"][check]["if"] == "${{ inputs.stack == 'prod' }}"
    process = run_script(preview["steps"][check]["run"], tmp_path, **variables)
    assert (process.returncode == 0) is accepted, process.stderr
    assert ("::error::No deployment of staging has succeeded" in process.stdout) is not accepted
    assert callers["chosen"]["name"] == "${{ inputs.stack }}", "a chosen deployment of staging counts, too"
    assert {caller["permissions"]["actions"] for caller in callers.values()} == {"read"}


@pytest.mark.parametrize(
    ("foundation", "needed"),
    [("rolloutInSteps: true # since May", True), ("rolloutInSteps: false", False), ("# rolloutInSteps: true", False)],
)
def test_a_stack_is_rolled_out_in_steps_if_its_file_says_so(tmp_path: Path, foundation: str, needed: bool) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(f"config:\n  polyphony:foundation:\n    {foundation}\n")
    (tmp_path / "output").touch()
    script = find_script("stack.yml", "preview", "rolloutInSteps")
    assert run_script(script, tmp_path, STACK="prod", GITHUB_OUTPUT=str(tmp_path / "output")).returncode == 0
    assert ((tmp_path / "output").read_text() == "needed=true\n") is needed
    assert "rolloutInSteps" in {field.alias for field in FoundationSettings.model_fields.values()}
    assert STACK_JOBS["preview"]["outputs"]["rollout"] == "${{ steps.rollout.outputs.needed }}"
    assert "needs.preview.outputs.rollout == 'true'" in STACK_JOBS["rollout"]["if"]


def push_image(folder: Path, digest_in_repository: str) -> str:
    """Run the workflow's script with a repository that has this digest, or `None`, for every tag. Return its calls."""
    answers = f"""case "$*" in *describe-repositories*) echo account.dkr/images;; *batch-get-image*) echo {digest_in_repository};; esac"""
    write_program(folder / "aws", f'#!/bin/sh\necho "aws $*" >> calls\n{answers}\n')
    write_program(folder / "docker", '#!/bin/sh\necho "docker $*" >> calls\n')
    script = find_script("image.yml", "image", "docker push").replace("python3 -m", f"PYTHONPATH={ROOT} python3 -m")
    process = run_script(script, folder, STACK="dev", COMMIT="commit", GITHUB_STEP_SUMMARY=str(folder / "summary"))
    assert process.returncode == 0
    return (folder / "calls").read_text()


def test_the_image_that_the_program_looks_for_is_pushed_once(tmp_path: Path) -> None:
    repository = physical_name(Kind.IMAGE_REPOSITORY, "polyphony", "dev", "meetings", "media-images")
    tag = media_image.get_tag()
    calls = push_image(tmp_path, "None")
    assert f"aws ecr batch-get-image --repository-name {repository} --image-ids imageTag={tag} " in calls
    assert f"docker push account.dkr/images:{tag}\n" in calls
    (tmp_path / "calls").unlink()
    assert "docker" not in push_image(tmp_path, "sha256:a"), "tags are immutable, so a second push would fail"
