"""Tests of the Pulumi CLI with small programs, which it deploys to the emulator through our provider.

The programs show replacement, protection, failure, interruption and deletion of resources.
"""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.pulumi_cli.cli_project import REPLACED, CliProject, create_small_project
from tests.end_to_end.pulumi_cli.conftest import ServedPlatform

pytestmark = [pytest.mark.e2e, pytest.mark.cli, pytest.mark.xdist_group("pulumi_cli")]


@pytest.fixture
def project(pulumi_cli: Path, served_platform: ServedPlatform, tmp_path: Path) -> Iterator[CliProject]:
    """Project without a program yet, whose resources are deleted after the test."""
    project = create_small_project(pulumi_cli, tmp_path / "small", "", served_platform.environment)
    served_platform.clients.calls.clear()
    yield project
    served_platform.clients.refused_operations.clear()
    served_platform.clients.before_call = lambda _operation: None
    write_program(project, "")
    project.up()
    assert project.resources() == []


def write_program(project: CliProject, *lines: str) -> None:
    imports = ("import pulumi", "from pulumi_aws import cloudwatch, sns, sqs", "from pulumi import ResourceOptions")
    (project.folder / "__main__.py").write_text("\n".join([*imports, *lines, ""]), encoding="utf-8")


def list_queues(served_platform: ServedPlatform) -> list[str]:
    return [
        url.rpartition("/")[2] for url in served_platform.unobserved_clients("sqs").list_queues().get("QueueUrls", [])
    ]


def test_a_renamed_resource_is_created_before_the_old_one_is_deleted(
    project: CliProject, served_platform: ServedPlatform
) -> None:
    write_program(project, "sqs.Queue('queue', name='first')")
    project.up()
    served_platform.clients.calls.clear()
    write_program(project, "sqs.Queue('queue', name='second')")
    run = project.up()
    assert run.actions == {"queue": REPLACED}
    assert [call for call in served_platform.clients.calls if call in ("create_queue", "delete_queue")] == [
        "create_queue",
        "delete_queue",
    ]
    assert list_queues(served_platform) == ["second"]


def test_a_resource_that_keeps_its_name_is_deleted_before_it_is_created_again(
    project: CliProject, served_platform: ServedPlatform
) -> None:
    group = "cloudwatch.LogGroup('group', name='group', retention_in_days={})"
    write_program(project, group.format(7))
    project.up()
    served_platform.clients.calls.clear()
    # No call of the provider removes a retention, so the group must be replaced.
    write_program(project, group.format("None"))
    run = project.up()
    assert run.actions["group"] == REPLACED
    calls = served_platform.clients.calls
    assert calls.index("delete_log_group") < calls.index("create_log_group")


def test_a_protected_resource_is_neither_deleted_nor_replaced(
    project: CliProject, served_platform: ServedPlatform
) -> None:
    queue = "sqs.Queue('queue', name='{}', opts=ResourceOptions(protect={}))"
    write_program(project, queue.format("kept", "True"))
    project.up()
    write_program(project, queue.format("other", "True"))
    assert "unable to replace resource" in project.up(fails=True).output
    write_program(project, "")
    assert "protect" in project.up(fails=True).output
    assert "protect" in project.execute("destroy", fails=True).output
    assert list_queues(served_platform) == ["kept"]
    write_program(project, queue.format("kept", "False"))
    project.up()


def test_a_creation_with_a_failed_second_call_is_completed_by_the_next_up(
    project: CliProject, served_platform: ServedPlatform
) -> None:
    write_program(project, "cloudwatch.LogGroup('group', name='half', retention_in_days=7)")
    served_platform.clients.refused_operations.add("put_retention_policy")
    run = project.up(fails=True)
    assert "put_retention_policy: LimitExceededException: refused by the test" in run.output
    [saved] = project.resources()
    assert saved["id"] == "half"
    served_platform.clients.refused_operations.clear()
    project.up()
    [group] = served_platform.unobserved_clients("logs").describe_log_groups(logGroupNamePrefix="half")["logGroups"]
    assert group["retentionInDays"] == 7
    assert project.up().actions == {}


def test_a_failed_update_is_repeated_even_if_the_program_has_the_old_values_again(
    project: CliProject, served_platform: ServedPlatform
) -> None:
    queue = "sqs.Queue('queue', name='queue', visibility_timeout_seconds={})"
    write_program(project, queue.format(30))
    project.up()
    write_program(project, queue.format(60))
    served_platform.clients.refused_operations.add("set_queue_attributes")
    assert "refused by the test" in project.up(fails=True).output
    served_platform.clients.refused_operations.clear()
    write_program(project, queue.format(30))
    assert project.up().actions == {"queue": "update"}
    assert project.up().actions == {}


def test_an_interrupted_up_is_continued_by_the_next_one(project: CliProject, served_platform: ServedPlatform) -> None:
    names = [f"queue-{number}" for number in range(8)]
    write_program(
        project,
        "previous = None",
        f"for name in {names!r}:",
        "    options = ResourceOptions(depends_on=[previous] if previous else [])",
        "    previous = sqs.Queue(name, name=name, opts=options)",
    )
    third_creation, interrupted = threading.Event(), threading.Event()

    def wait_in_the_third_creation(operation: str) -> None:
        if operation == "create_queue" and served_platform.clients.calls.count("create_queue") == 3:
            third_creation.set()
            interrupted.wait(timeout=30)

    served_platform.clients.before_call = wait_in_the_third_creation
    process = project.start("up", "--yes", "--skip-preview", "--stack", project.stack)
    assert third_creation.wait(timeout=60)
    process.send_signal(signal.SIGINT)
    interrupted.set()
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0, output
    created_queues = set(list_queues(served_platform))
    assert {"queue-0", "queue-1"} <= created_queues < set(names)
    assert {resource["id"].rpartition("/")[2] for resource in project.resources()} == created_queues
    served_platform.clients.calls.clear()
    run = project.up()
    assert set(run.actions) == set(names) - created_queues
    assert set(list_queues(served_platform)) == set(names)
    assert served_platform.clients.calls.count("create_queue") == len(names) - len(created_queues)


def test_a_destroyed_stack_leaves_nothing(project: CliProject, served_platform: ServedPlatform) -> None:
    write_program(project, "topic = sns.Topic('topic', name='gone')", "sqs.Queue('queue', name='gone')")
    project.up()
    run = project.execute("destroy")
    assert run.actions == {"topic": "delete", "queue": "delete"}
    assert project.resources() == []
    assert list_queues(served_platform) == []
    assert served_platform.unobserved_clients("sns").list_topics()["Topics"] == []
