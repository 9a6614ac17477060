"""An agent's memory: kept for days, filed by actor and session, and open to those who were granted it."""

import json
import re
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.blocks.agent_memory import FACTS, SUMMARIES, AgentMemory, AgentMemoryArgs, Strategy, StrategyType
from components.blocks.context import Subsystem
from components.blocks.grant import GrantError, documents
from components.blocks.names import InvalidName, Kind, underscored_name
from local import program
from local.graph import Resource
from local.preview_provider import PreviewProvider
from local.stack_files import StackConfig
from local.values import Props
from tests.engine import Engine, Recorded, context, scope

ID = "polyphony_test_clipAgentMemory-a1B2c3D4e5"
ARN = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:memory/{ID}"


class Deployed(PreviewProvider):
    """Knows the ids that AWS would give, as after a deployment."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        return (ID if resource.kind == "AgentcoreMemory" else f"{resource.name}-id"), {}


def memory(**how: Any) -> Callable[[], AgentMemory]:
    args = {"scope": scope(), "logical_name": "ClipAgentMemory", "name_part": "clipAgentMemory", **how}
    return lambda: AgentMemory("clip-agent-memory", AgentMemoryArgs(**args))


def deployed(body: Callable[[], object]) -> Recorded:
    return Recorded(program.record(body, StackConfig("polyphony", "test", {}), Deployed(), preview=True).graph)


def test_a_memory_keeps_events_for_ninety_days_under_a_name_without_hyphens(engine: Engine) -> None:
    made = engine.run(memory()).one("bedrock.AgentcoreMemory").inputs
    assert made["name"] == "polyphony_test_clipAgentMemory"
    assert made["eventExpiryDuration"] == 90
    assert made["tags"]["Name"] == "ClipAgentMemory"
    assert made["tags"]["Subsystem"] == "ingestion"


def test_summaries_are_filed_by_session_and_facts_by_actor() -> None:
    ran = deployed(memory())
    found = {one.inputs["type"]: one.inputs for one in ran.all("bedrock.AgentcoreMemoryStrategy")}
    assert {kind: one["namespaceTemplates"] for kind, one in found.items()} == {
        "SUMMARIZATION": ["/summaries/{actorId}/{sessionId}/"],
        "SEMANTIC": ["/facts/{actorId}/"],
    }
    assert {one["memoryId"] for one in found.values()} == {ID}
    assert len({one["name"] for one in found.values()}) == 2


def test_strategies_are_made_one_after_the_other(engine: Engine) -> None:
    ran = engine.run(memory())
    facts, summaries = ran.all("bedrock.AgentcoreMemoryStrategy")
    assert summaries.name in {one.name for one in ran.ancestors(facts)}


@pytest.mark.parametrize("days", [6, 366, 0])
def test_days_that_the_service_does_not_take_are_refused(engine: Engine, days: int) -> None:
    with pytest.raises(ValueError, match="7 to 365 days"):
        engine.run(memory(days=days))


def test_two_strategies_of_a_type_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="one strategy of each type"):
        engine.run(memory(strategies=[FACTS, SUMMARIES, Strategy(StrategyType.SEMANTIC, "/more/{actorId}")]))


@pytest.mark.parametrize(
    ("kind", "namespace", "says"),
    [
        (StrategyType.SEMANTIC, "/facts", "mix what actors said"),
        (StrategyType.SUMMARIZATION, "/summaries/{actorId}", "mix sessions"),
        (StrategyType.SEMANTIC, "/facts/{actorid}", "no namespace"),
        (StrategyType.SEMANTIC, "/facts/{actorId", "no namespace"),
        (StrategyType.SEMANTIC, "facts/{actorId}", "no namespace"),
        (StrategyType.SEMANTIC, "/a b/{actorId}", "no namespace"),
        (StrategyType.SEMANTIC, "", "no namespace"),
    ],
)
def test_a_namespace_that_mixes_or_is_none_is_refused(kind: StrategyType, namespace: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Strategy(kind, namespace)


def test_a_grant_is_on_this_memory_alone_in_a_document_of_its_own() -> None:
    found: list[str] = []

    def body() -> None:
        made = memory()()
        one = made.grant("CreateEvent", "ListEvents")
        assert not one.known
        for text in documents([one]):
            pulumi.Output.from_input(text).apply(found.append)
        made.memory_id.apply(found.append)

    deployed(body)
    own, known = sorted(found, key=len)
    assert own == ID
    assert json.loads(known)["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["bedrock-agentcore:CreateEvent", "bedrock-agentcore:ListEvents"],
            "Resource": [ARN],
        }
    ]


def test_before_a_deployment_its_id_is_not_known(engine: Engine) -> None:
    known: list[str] = []

    def body() -> None:
        for text in documents([memory()().grant("ListEvents")]):
            pulumi.Output.from_input(text).apply(known.append)

    engine.run(body)
    assert known == []


def test_actions_that_a_memory_does_not_have_are_refused(engine: Engine) -> None:
    with pytest.raises(GrantError, match="not an action of AWS"):
        engine.run(lambda: memory()().grant("PutEvent"))


def test_one_name_for_two_subsystems_is_refused() -> None:
    surroundings = context()
    assert surroundings.underscored_name(Kind.MEMORY, Subsystem.LIVESTREAM, "memory") == "polyphony_test_memory"
    with pytest.raises(InvalidName, match="two memory stores would be called polyphony_test_memory"):
        surroundings.underscored_name(Kind.MEMORY, Subsystem.VOICE_QA, "memory")


part = st.from_regex(r"\A[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,4}\Z")
word = st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9]{0,60}\Z")


@given(stack=part, other=part, last=word, another=word)
def test_names_fit_and_are_never_shared(stack: str, other: str, last: str, another: str) -> None:
    name = underscored_name(Kind.MEMORY, ["polyphony", stack], last)
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,47}", name)
    if (stack, last) != (other, another):
        assert name != underscored_name(Kind.MEMORY, ["polyphony", other], another)


@pytest.mark.parametrize("bad", ["", "1st", "a-b", "a_b", "ü"])
def test_a_last_word_outside_the_alphabet_is_refused(bad: str) -> None:
    with pytest.raises(InvalidName, match="begin with a letter"):
        underscored_name(Kind.MEMORY, ["polyphony", "dev"], bad)


def test_a_long_stack_name_keeps_the_start_and_ends_in_a_hash() -> None:
    name = underscored_name(Kind.MEMORY, ["polyphony", "feature-" + "x" * 40], "clipAgentMemory")
    assert len(name) == 48
    assert re.fullmatch(r"polyphony_feature_x+_[0-9a-f]{8}", name)
