"""The deployed local platform, with its clients, logs and decisions of IAM, and with changes that a test makes to it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.emulation.iam.grant_usage import (
    Decision,
    GrantComparison,
    compare_grants,
    log_size,
    read_decisions,
    read_reviewed_grants,
    read_stack_grants,
)
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import DeployedPlatform
from local.preview.resource_graph import Graph
from local.property_values import Props
from tests.end_to_end.deployment import Deployment

NAME_PREFIX = "polyphony-local-"


@dataclass
class Platform:
    """Deployed platform with its clients and its log of IAM decisions."""

    emulator: Emulator
    deployed: DeployedPlatform
    client: EmulatorClients
    unexplained_since: int = 0
    """Position in the log of IAM decisions. A test fails if IAM refused an action after it."""

    @property
    def outputs(self) -> Props:
        return self.deployed.outputs

    @property
    def deployment(self) -> Deployment:
        return Deployment(self.emulator, self.client, self.deployed.ids, self.outputs)

    @property
    def graph(self) -> Graph:
        return self.deployed.graph

    def id(self, name: str) -> Any:
        return self.deployed.ids[name]

    def log_lines(self, *functions: str) -> list[str]:
        """Return all log messages of functions, named as in `ingestion-manifest-builder`."""
        pages = [
            page
            for function in functions
            for page in self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=f"/aws/lambda/{NAME_PREFIX}{function}")
        ]
        return [event["message"] for page in pages for event in page["events"]]

    def decision_log_end(self) -> int:
        """Return the position of the end of the log of IAM decisions. `decisions` reads the log from a position."""
        return log_size(self.emulator.folder)

    def decisions(self, start: int) -> list[Decision]:
        return read_decisions(self.emulator.folder, start)

    def compare_grants(self, decisions: list[Decision]) -> GrantComparison:
        """Return the comparison of all grants with their use in the given decisions."""
        return compare_grants(
            read_stack_grants(self.client("iam"), NAME_PREFIX), decisions, read_reviewed_grants(), NAME_PREFIX
        )

    @contextmanager
    def changed_actions(
        self, role: str, *, removed: str = "", added: str = "", policy: str = "grants"
    ) -> Iterator[None]:
        """Remove an action from a role's policy or add one. The policy is restored at the end of the block."""
        iam = self.client("iam")
        name = f"{NAME_PREFIX}{role}"
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        changed: dict[str, Any] = json.loads(json.dumps(document))
        for statement in changed["Statement"]:
            statement["Action"] = [action for action in statement["Action"] if action != removed]
        changed["Statement"] = [statement for statement in changed["Statement"] if statement["Action"]]
        if added:
            changed["Statement"].append({"Effect": "Allow", "Action": [added], "Resource": ["*"]})
        assert changed != document, "the changed policy must differ from the deployed one"
        if changed["Statement"]:
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(changed))
        else:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        try:
            yield
        finally:
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
            self.unexplained_since = self.decision_log_end()

    @contextmanager
    def changed_variables(self, function: str, **variables: str) -> Iterator[None]:
        """Add variables to the environment of a function, named as in `ingestion-manifest-builder`.

        At the end of the block, the alias `live` gets its earlier version again.
        """
        functions = self.client("lambda")
        name, _, alias = self.deployment.function(function).rpartition(":")
        deployed = functions.get_function_configuration(FunctionName=name, Qualifier=alias)
        original = deployed["Environment"]["Variables"]

        def configure(environment: dict[str, str]) -> None:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": environment})
            functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1})

        configure({**original, **variables})
        version = functions.publish_version(FunctionName=name)["Version"]
        functions.update_alias(FunctionName=name, Name=alias, FunctionVersion=version)
        try:
            yield
        finally:
            configure(original)
            functions.update_alias(FunctionName=name, Name=alias, FunctionVersion=deployed["Version"])
            functions.delete_function(FunctionName=name, Qualifier=version)  # a rollout must not find it
