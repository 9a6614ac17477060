"""Tests of the concurrent policy run."""

import threading
from typing import Any, cast

import pytest

from local.preview.policy_pack_process import PackError, PolicyDescription, PolicyFinding, PolicyPackProcess
from local.preview.policy_run import PolicyRun
from local.preview.resource_graph import Graph, Resource
from tests.whole_program import ONE_WORKER, graph

pytestmark = ONE_WORKER


class DelayedPack:
    """Pack with a finding for every resource. It starts when the test sets `may_begin`."""

    def __init__(self) -> None:
        self.may_begin = threading.Event()
        self.asked: list[str] = []

    def policies(self) -> list[PolicyDescription]:
        assert self.may_begin.wait(20)
        return [PolicyDescription("named", "has a name", "advisory")]

    def analyze_resource(self, resource: Resource) -> tuple[list[PolicyFinding], list[Any]]:
        self.asked.append(resource.name)
        return [PolicyFinding("named", "advisory", "low", resource.urn, resource.name)], []

    def analyze_stack(self, whole: Graph) -> list[PolicyFinding]:
        return [PolicyFinding("whole", "advisory", "low", whole.stack.urn, "")]


def test_every_resource_is_analyzed_once_and_findings_keep_the_order_of_registration() -> None:
    pack, made = DelayedPack(), graph("dev")
    with PolicyRun(cast("PolicyPackProcess", pack)) as policy_run:
        for resource in reversed(made.customs()):
            policy_run.submit(resource)
        rest = policy_run.finish(made)
        pack.may_begin.set()
        rules, findings, remediations = rest.result(20)
    assert [rule.name for rule in rules] == ["named"]
    assert [finding.urn for finding in findings] == [*(entry.urn for entry in made), made.stack.urn]
    assert sorted(pack.asked) == sorted(item.name for item in made)
    assert remediations == []


def test_a_failing_pack_fails_the_policy_run() -> None:
    class BrokenPack(DelayedPack):
        def policies(self) -> list[PolicyDescription]:
            raise PackError("no pack is here")

    with (
        PolicyRun(cast("PolicyPackProcess", BrokenPack())) as policy_run,
        pytest.raises(PackError, match="no pack is here"),
    ):
        policy_run.finish(graph("dev")).result(20)
