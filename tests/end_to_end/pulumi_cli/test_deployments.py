"""Tests of the whole local stack, deployed with the Pulumi CLI: use by a client, later deployments, deletion.

The tests share one deployment. Each test before the test that deletes the stack restores what it changed.
"""

from functools import partial
from pathlib import Path

import pytest

from local import ACCOUNT
from local.emulation.identity_provider import token_url
from local.flows import transcription_flow
from local.flows.identity import open_local_stack
from local.platform.emulator_clients import EmulatorClients
from tests.end_to_end.pulumi_cli.cli_project import CliProject, copy_program
from tests.end_to_end.pulumi_cli.conftest import ServedPlatform
from tests.whole_program import SECTIONS

pytestmark = [pytest.mark.e2e, pytest.mark.cli, pytest.mark.xdist_group("pulumi_cli")]

WITH_PACK = ("--policy-pack", "policies")


@pytest.fixture(scope="module")
def project(pulumi_cli: Path, served_platform: ServedPlatform, tmp_path_factory: pytest.TempPathFactory) -> CliProject:
    """Copy of the program, which is deployed as the stack `local`."""
    folder = tmp_path_factory.mktemp("deployments") / "program"
    project = copy_program(pulumi_cli, folder, "local", served_platform.environment)
    project.up(*WITH_PACK)
    return project


def test_a_client_can_use_transcription_on_the_deployed_stack(
    project: CliProject, served_platform: ServedPlatform
) -> None:
    frontend, platform = project.outputs()["frontend"], served_platform.emulator
    identity = {**frontend["identity"], "tokenUrl": token_url(platform.services["JWKS_URL"])}
    stack = open_local_stack({**frontend, "identity": identity}, partial(EmulatorClients, platform.endpoint))
    problems = transcription_flow.play(stack, lambda _step: None)
    assert problems == []


def test_a_second_up_changes_nothing(project: CliProject, served_platform: ServedPlatform) -> None:
    served_platform.clients.calls.clear()
    assert project.up(*WITH_PACK).actions == {}
    assert [call for call in served_platform.clients.calls if not call.startswith("get_")] == [], (
        "the provider only reads"
    )


def test_a_changed_handler_changes_only_its_function(project: CliProject) -> None:
    handler = project.folder / "handlers" / "ingestion" / "sweeper" / "handler.py"
    original = handler.read_text(encoding="utf-8")
    handler.write_text(f"{original}\n# changed\n", encoding="utf-8")
    run = project.up(*WITH_PACK)
    assert run.actions == {"ingestion-sweeper-function": "update", "ingestion-sweeper-live": "update"}
    handler.write_text(original, encoding="utf-8")
    project.up(*WITH_PACK)


def test_a_mandatory_finding_stops_the_deployment_before_anything_is_created(
    project: CliProject, served_platform: ServedPlatform
) -> None:
    program = project.folder / "__main__.py"
    original = program.read_text(encoding="utf-8")
    addition = "import pulumi_aws\npulumi_aws.sqs.Queue('open', name='open', tags={'Owner': 'nobody'})\n"
    program.write_text(f"{original}\n{addition}", encoding="utf-8")
    served_platform.clients.calls.clear()
    run = project.execute("up", *WITH_PACK, fails=True)
    program.write_text(original, encoding="utf-8")
    assert "[mandatory]" in run.output
    assert "create_queue" not in served_platform.clients.calls
    assert project.up(*WITH_PACK).actions == {}


def test_a_destroyed_stack_leaves_nothing_on_the_platform(project: CliProject, served_platform: ServedPlatform) -> None:
    project.execute("destroy")
    assert project.resources() == []
    clients = served_platform.unobserved_clients
    assert clients("lambda").list_functions()["Functions"] == []
    assert clients("dynamodb").list_tables()["TableNames"] == []
    assert [bucket["Name"] for bucket in clients("s3").list_buckets()["Buckets"]] == []
    assert clients("sqs").list_queues().get("QueueUrls", []) == []
    assert clients("apigateway").get_rest_apis()["items"] == []
    assert clients("apigatewayv2").get_apis()["Items"] == []
    assert clients("stepfunctions").list_state_machines()["stateMachines"] == []
    assert clients("logs").describe_log_groups()["logGroups"] == []
    program_roles = [
        role
        for role in clients("iam").list_roles()["Roles"]
        if role["Arn"].startswith(f"arn:aws:iam::{ACCOUNT}:role/polyphony")
    ]
    assert program_roles == []


@pytest.mark.parametrize("section", SECTIONS)
def test_a_backend_alone_is_deployed_in_one_step(section: str, project: CliProject) -> None:
    """The tests before this test leave an empty platform."""
    for other in SECTIONS:
        value = "true" if other == section else "false"
        setting = project.run("config", "set", "--path", f"polyphony:{other}.enabled", value, "--stack", project.stack)
        assert setting.status == 0, setting.output
    project.up(*WITH_PACK)
    assert set(SECTIONS) & set(project.outputs()["frontend"]) == {section}
    project.execute("destroy")
    assert project.resources() == []
