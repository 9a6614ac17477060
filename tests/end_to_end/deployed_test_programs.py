"""Programs that the interruption tests deploy: two versions of a few resources, and the whole stack `local`.

`command_killer.py` imports this module, forks for each command, and calls `run_command` in the child process.
"""

import sys
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, sns, sqs

from local import __main__ as command_line
from local.platform import lifecycle
from local.preview import program_run, stack_files
from local.preview.policy_pack_process import PolicyFinding
from local.preview.program_run import ProgramRun
from local.preview.resource_graph import Graph
from local.preview.resource_monitor import Provider
from local.preview.stack_files import StackConfig
from tests.end_to_end.command_killer import PROGRAM

CONFIG = StackConfig("polyphony", "local", {"polyphony:environment": "local", "polyphony:exceptions": "[]"})
QUEUES = {1: "before", 2: "after"}
"""Name of the queue by version. A queue with another name is a replacement."""
RETENTION_DAYS = {1: 7, 2: 30}
"""Retention of the log group by version."""
TOPIC, GROUP, GONE = "kept", "changed", "gone"
"""Names of resources. Version 2 keeps the topic, changes the log group, and deletes the second topic."""


def deploy_small_stack(version: int) -> None:
    """Register the resources of a version, one after the other.

    In this order, a command always reaches the same points, at which a test may kill it (`command_killer.py`).
    """
    topic = sns.Topic("topic", name=TOPIC)
    pulumi.export("topic", topic.arn)
    previous: pulumi.Resource = topic
    if version == 1:
        previous = sns.Topic("gone", name=GONE, opts=pulumi.ResourceOptions(depends_on=[previous]))
    previous = cloudwatch.LogGroup(
        "group",
        name=GROUP,
        retention_in_days=RETENTION_DAYS[version],
        opts=pulumi.ResourceOptions(depends_on=[previous]),
    )
    sqs.Queue("queue", name=QUEUES[version], opts=pulumi.ResourceOptions(depends_on=[previous]))


def run_command(request: Mapping[str, Any]) -> int:
    """Run a command of `python -m local` with the program that the request names, and return its exit status.

    `CommandRunner.run` builds the request. Its fields are `stack` (`small` or `local`), `version` (of the small stack),
    `withPolicies` (True if the policy pack checks the program) and `arguments` (of the command line). The child process
    ends with the command, so the replaced functions are not restored.
    """
    find_policy_violations = lifecycle.list_deployed_findings

    def run_program(config: StackConfig, provider: Provider, *, preview: bool) -> ProgramRun:
        sys.audit("polyphony.point", PROGRAM)
        if request["stack"] != "small":
            return program_run.run_program(config, provider, preview=preview)
        return program_run.run_function(
            lambda: deploy_small_stack(request["version"]), config, provider, preview=preview
        )

    def list_findings(config: StackConfig, graph: Graph) -> list[PolicyFinding]:
        return find_policy_violations(config, graph) if request["withPolicies"] else []

    lifecycle.run_program = run_program  # type: ignore[attr-defined]
    lifecycle.list_deployed_findings = list_findings
    if request["stack"] == "small":
        stack_files.read_stack = lambda *_: CONFIG
    return command_line.main(request["arguments"])


def import_all() -> None:
    """Import the modules that the commands import when they run. This is done before the fork, so that each command
    starts fast."""
    from local.platform import emulator_clients, resource_drivers  # noqa: F401, PLC0415
