"""The pack on a program with an agent's memory, and what the cost model must be told of it."""

from collections.abc import Mapping

import pulumi
import pytest

from components.blocks.agent_memory import AgentMemory, AgentMemoryArgs
from components.blocks.context import Subsystem
from components.blocks.role import Role, RoleArgs
from components.blocks.trust import Service
from local import program, stack_files
from local.graph import Resource
from local.pack import Judgement, Pack
from local.preview_provider import PreviewProvider
from local.stack_files import StackConfig
from local.values import Props
from tests.engine import scope

BLOCK = "livestream-clip-agent-memory"
STACK_WIDE = {"budget-exists", "anomaly-detection-exists"}
"""About what stands once in a stack, in its foundation."""


class Deployed(PreviewProvider):
    """Knows the id that AWS would give, as after a deployment."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        if resource.kind == "AgentcoreMemory":
            return "polyphony_prod_clipAgentMemory-a1B2c3D4e5", {}
        return super().make(resource)


def judged(provider: PreviewProvider, usage: Mapping[str, float], days: int = 90) -> list[Judgement]:
    config = stack_files.read("prod")

    def body() -> None:
        own = scope(subsystem=Subsystem.LIVESTREAM)
        memory = AgentMemory("clip-agent-memory", AgentMemoryArgs(own, "clipAgentMemory", days))
        grants = [memory.grant("CreateEvent", "ListEvents")]
        Role("livestream-agent", RoleArgs(own, "agent", "Agent", Service.LAMBDA, grants), pulumi.ResourceOptions())
        published = {"environment": "prod", "usage": {BLOCK: dict(usage)}, "budget": 10_000, "exceptions": []}
        platform = pulumi.ComponentResource("polyphony:platform:Platform", "platform", published)
        platform.register_outputs(published)

    ran = program.record(body, StackConfig(config.project, "prod", config.values), provider, preview=True)
    with Pack(config, dry_run=True) as pack:
        pack.rules()
        return [one for one in pack.judge(ran.graph)[0] if one.policy not in STACK_WIDE]


USAGE = {"memoryEvents": 1_000_000, "memoryRecords": 1_000_000}


def test_a_memory_passes_every_policy_and_its_grant_is_decided_once_its_id_is_known() -> None:
    before, after = judged(PreviewProvider(), USAGE), judged(Deployed(), USAGE)
    assert [one for one in [*before, *after] if one.level == "mandatory"] == []
    assert {one.urn.rpartition("::")[2] for one in before if one.level == "unknown"} == {"livestream-agent-grants"}
    assert [one for one in after if one.level == "unknown"] == []


def test_events_and_records_are_in_the_bill() -> None:
    (told,) = [one.message for one in judged(Deployed(), USAGE) if one.policy == "cost-estimate"]
    assert "About $1,000" in told


@pytest.mark.parametrize("measure", sorted(USAGE))
def test_a_memory_whose_use_nobody_tells_is_found(measure: str) -> None:
    found = judged(Deployed(), {name: one for name, one in USAGE.items() if name != measure})
    assert any(measure in one.message for one in found), [one.message for one in found]


def test_a_memory_that_keeps_events_for_a_year_is_found() -> None:
    assert "memory-expires" in {one.policy for one in judged(Deployed(), USAGE, days=365)}
