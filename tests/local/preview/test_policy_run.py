"""Tests of the policies in a preview, which analyze resources while the program registers others."""

import threading
from typing import cast

import pytest

from local.preview.policy_pack_process import PackError, PolicyDescription, PolicyFinding, PolicyPackProcess
from local.preview.policy_run import PolicyRun
from local.preview.resource_graph import Graph, Resource
from tests.whole_program import ONE_WORKER, graph

pytestmark = ONE_WORKER


class DelayedPack:
    """Fake policy pack with a finding for every resource. It starts when the test sets `may_start`."""

    def __init__(self) -> None:
        self.may_start = threading.Event()
        self.analyzed_resources: list[str] = []

    def policies(self) -> list[PolicyDescription]:
        assert self.may_start.wait(20)
        return [PolicyDescription("named", "has a name", "advisory")]

    def analyze_resource(self, resource: Resource) -> list[PolicyFinding]:
        self.analyzed_resources.append(resource.name)
        return [PolicyFinding("named", "advisory", "low", resource.urn, resource.name)]

    def analyze_stack(self, resources: Graph) -> list[PolicyFinding]:
        return [PolicyFinding("stack", "advisory", "low", resources.stack.urn, "")]


def test_every_resource_is_analyzed_once_and_findings_keep_the_order_of_registration() -> None:
    pack, resources = DelayedPack(), graph("dev")
    with PolicyRun(cast("PolicyPackProcess", pack)) as policy_run:
        for resource in resources:
            policy_run.submit(resource)
        result = policy_run.finish(resources)
        pack.may_start.set()
        policies, findings = result.result(20)
    assert [policy.name for policy in policies] == ["named"]
    assert [finding.urn for finding in findings] == [*(resource.urn for resource in resources), resources.stack.urn]
    assert sorted(pack.analyzed_resources) == sorted(resource.name for resource in resources)
    positions = {name: position for position, name in enumerate(pack.analyzed_resources)}
    role, grants = "ingestion-steps-role", "ingestion-steps-grants"
    assert positions["platform"] < positions[role] < positions[grants], "a resource is checked after its dependencies"


def test_the_policy_run_raises_the_error_of_the_pack() -> None:
    class BrokenPack(DelayedPack):
        def policies(self) -> list[PolicyDescription]:
            raise PackError("the pack cannot start")

    with (
        PolicyRun(cast("PolicyPackProcess", BrokenPack())) as policy_run,
        pytest.raises(PackError, match="the pack cannot start"),
    ):
        policy_run.finish(graph("dev")).result(20)
