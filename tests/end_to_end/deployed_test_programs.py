"""Programs that the tests of killed commands deploy: two versions of a few resources, and the whole stack `local`.

`command_killer.py` imports this module, forks for each command, and calls `run_command` in the child process. A test
may kill the command at a *point*, for example before it sends its third request. The command reports its points as
audit events of the Python interpreter.
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

CONFIG = StackConfig("polyphony", "local", {"polyphony:environment": "local", "polyphony:exceptions": "[]"})
TOPIC = "unchanged-topic"
REMOVED_TOPIC = "removed-topic"
"""Name of a second topic, which only version 1 has."""
LOG_GROUP = "updated-group"
RETENTION_DAYS = {1: 7, 2: 30}
"""Retention of the log group by version. The other version updates the log group in place."""
QUEUES = {1: "first-queue", 2: "second-queue"}
"""Name of the queue by version. The other version replaces the queue, because a queue cannot be renamed."""


def register_resources(version: int) -> None:
    """Register the few resources of a version.

    Each resource depends on the one before it, so that the order of a command's points is always the same.
    """
    topic = sns.Topic("topic", name=TOPIC)
    pulumi.export("topic", topic.arn)
    previous: pulumi.Resource = topic
    if version == 1:
        previous = sns.Topic("removed-topic", name=REMOVED_TOPIC, opts=pulumi.ResourceOptions(depends_on=[previous]))
    previous = cloudwatch.LogGroup(
        "group",
        name=LOG_GROUP,
        retention_in_days=RETENTION_DAYS[version],
        opts=pulumi.ResourceOptions(depends_on=[previous]),
    )
    sqs.Queue("queue", name=QUEUES[version], opts=pulumi.ResourceOptions(depends_on=[previous]))


def run_command(request: Mapping[str, Any]) -> int:
    """Run a command of `python -m local` with the program that the request selects, and return its exit status.

    `CommandRunner.run` builds the request. Its fields are `arguments` (of the command line), `wholeProgram`, `version`
    (of the few resources) and `withPolicies` (True if the policy pack checks the program). The child process ends with
    the command, so the replaced functions are not restored.
    """
    list_deployed_findings = lifecycle.list_deployed_findings

    def run_program(config: StackConfig, provider: Provider, *, preview: bool) -> ProgramRun:
        sys.audit("polyphony.point", "run of the program")
        if request["wholeProgram"]:
            return program_run.run_program(config, provider, preview=preview)
        return program_run.run_function(
            lambda: register_resources(request["version"]), config, provider, preview=preview
        )

    def list_findings(config: StackConfig, graph: Graph) -> list[PolicyFinding]:
        return list_deployed_findings(config, graph) if request["withPolicies"] else []

    lifecycle.run_program = run_program  # type: ignore[assignment, attr-defined]
    lifecycle.list_deployed_findings = list_findings
    if not request["wholeProgram"]:
        stack_files.read_stack = lambda *_: CONFIG
    return command_line.main(request["arguments"])


def import_all() -> None:
    """Import the modules that the commands import when they run. This is done before the fork, so that each command
    starts fast."""
    from local import drivers  # noqa: F401, PLC0415
    from local.platform import emulator_clients  # noqa: F401, PLC0415
