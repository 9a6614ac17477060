"""An agent's memory and its model on an emulator of its own: used by functions, as far as their roles go."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from components.blocks import agent_memory
from components.blocks.agent_memory import SUMMARIES, AgentMemory, AgentMemoryArgs
from components.blocks.function import Function, FunctionArgs
from components.blocks.grant import Grant, grant
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from local import ROOT
from local.changes import Action
from local.iam.evaluator import Verdict
from tests.end_to_end.small_stack import SmallStack, small_stack
from tests.engine import foundation_settings, scope

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("memory")]

CODE = f"""
import os, sys
from datetime import datetime, timezone
import boto3

sys.path.append({str(ROOT)!r})
from handlers.common.faults import ServiceFailed
from handlers.livestream.memory import AgentMemory

def handler(event, context):
    if "model" in event:
        return answered(**event)
    client = boto3.client("bedrock-agentcore")
    memory = AgentMemory(client, os.environ["MEMORY_ID"], lambda: datetime.now(timezone.utc))
    try:
        if "asked" in event:
            memory.record("everybody", event["session"], event["window"], event["asked"], "Noted.")
        return [one.text for one in memory.recall("everybody", event["session"])]
    except ServiceFailed as error:
        return str(error.fault)

def answered(model, **more):
    client = boto3.client("bedrock-runtime")
    messages = [{{"role": "user", "content": [{{"text": "Hello."}}]}}]
    try:
        return client.converse(modelId=model, messages=messages, **more)["stopReason"]
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
"""
MEMORY = "ingestion-clip-agent-memory"
MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = f"us.{MODEL}"
PROFILE_ARN = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{PROFILE}"
MODEL_ARNS = [
    f"arn:aws:bedrock:{region}::foundation-model/{MODEL}" for region in ("us-east-1", "us-east-2", "us-west-2")
]


class Remembering(HandlerEnvironment):
    """What the functions read."""

    memory_id: str


def body(days: int = 90) -> Callable[[], object]:
    """A memory, and functions that may use it, and a model, to different degrees."""
    own = scope(layers=[], foundation=foundation_settings(data={"deletionProtection": False}))

    def models(*arns: str) -> Grant:
        return grant("bedrock", ["InvokeModel"], list(arns))

    def program() -> None:
        memory = AgentMemory("clip-agent-memory", AgentMemoryArgs(own, "clipAgentMemory", days=days))
        for what, grants in {
            "agent": [memory.grant("CreateEvent", "ListEvents"), models(PROFILE_ARN, *MODEL_ARNS)],
            "reader": [memory.grant("ListEvents"), models(PROFILE_ARN, *MODEL_ARNS[:2])],
            "stranger": [models(*MODEL_ARNS)],
        }.items():
            Function(
                what,
                FunctionArgs(
                    scope=own,
                    logical_name="Agent",
                    entry="echo.handler",
                    settings=FunctionSettings.model_validate({"timeoutSeconds": 20}),
                    environment=Remembering,
                    values={"memory_id": memory.memory_id},
                    grants=grants,
                ),
            )

    return program


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    with small_stack(tmp_path_factory.mktemp("memory"), CODE) as made:
        made.up(body())
        yield made


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: these functions have an emulator of their own, and are refused on purpose."""


def ask(stack: SmallStack, function: str, **event: Any) -> Any:
    name = f"polyphony-test-ingestion-{function}:live"
    answer = stack.clients("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read())


def memory_of(stack: SmallStack) -> dict[str, Any]:
    client = stack.clients("bedrock-agentcore-control")
    found: dict[str, Any] = client.get_memory(memoryId=stack.ids[f"{MEMORY}-memory"])["memory"]
    return found


def test_what_one_session_was_told_it_remembers_once_and_others_do_not(stack: SmallStack) -> None:
    for window in ("1", "2", "2"):
        said = ask(stack, "agent", session="s1", window=window, asked=f"Window {window}.")
    assert said == ["Noted.\nWindow 1.", "Noted.\nWindow 2."], "what was found comes first"
    assert ask(stack, "reader", session="s1") == said
    assert ask(stack, "agent", session="s2") == []


def test_who_may_not_is_refused_and_the_record_names_the_memory(stack: SmallStack) -> None:
    assert ask(stack, "stranger", session="s1") == "refused"
    assert ask(stack, "reader", session="s1", window="3", asked="May I?") == "refused"
    arn = memory_of(stack)["arn"]
    verdicts = {
        (one.role.removeprefix("polyphony-test-ingestion-"), one.action, one.resource): one.verdict
        for one in stack.decisions()
        if one.action.startswith("bedrock-agentcore:")
    }
    assert verdicts[("reader", "bedrock-agentcore:ListEvents", arn)] is Verdict.ALLOW
    assert verdicts[("reader", "bedrock-agentcore:CreateEvent", arn)] is Verdict.IMPLICIT_DENY
    assert verdicts[("stranger", "bedrock-agentcore:ListEvents", arn)] is Verdict.IMPLICIT_DENY
    assert {resource for _, _, resource in verdicts} == {arn}


@pytest.mark.parametrize(
    ("function", "model", "said"),
    [
        ("agent", PROFILE, "end_turn"),
        ("agent", PROFILE_ARN, "end_turn"),
        ("agent", MODEL, "end_turn"),
        ("agent", "us.somebody.else-v1:0", "AccessDeniedException"),
        ("reader", PROFILE, "AccessDeniedException"),
        ("stranger", PROFILE, "AccessDeniedException"),
        ("stranger", MODEL, "end_turn"),
    ],
    ids=["profile", "its ARN", "model", "another", "a region is missing", "models without profile", "model alone"],
)
def test_a_model_answers_whoever_may_ask_it(stack: SmallStack, function: str, model: str, said: str) -> None:
    assert ask(stack, function, model=model) == said


def test_a_guardrail_is_a_permission_of_its_own(stack: SmallStack) -> None:
    guardrail = {"guardrailIdentifier": "abc123", "guardrailVersion": "1"}
    assert ask(stack, "agent", model=MODEL, guardrailConfig=guardrail) == "AccessDeniedException"
    asked = {(one.action, one.resource) for one in stack.decisions() if one.action == "bedrock:ApplyGuardrail"}
    assert asked == {("bedrock:ApplyGuardrail", "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc123")}


def test_days_and_namespaces_change_in_place_and_a_strategy_comes_and_goes(
    stack: SmallStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strategies(**namespaces: str) -> None:
        monkeypatch.setattr(agent_memory, "NAMESPACES", namespaces)

    before = memory_of(stack)
    assert before["name"] == "polyphony_test_clipAgentMemory"
    assert {one["type"]: one["namespaceTemplates"] for one in before["strategies"]} == {
        "SUMMARIZATION": ["/summaries/{actorId}/{sessionId}/"],
        "SEMANTIC": ["/facts/{actorId}/"],
    }

    strategies(SUMMARIZATION=SUMMARIES, SEMANTIC="/known/{actorId}")
    _, done = stack.up(body(30))
    assert (done[f"{MEMORY}-memory"], done[f"{MEMORY}-semantic"]) == (Action.UPDATE, Action.UPDATE)
    after = memory_of(stack)
    assert (after["id"], after["eventExpiryDuration"]) == (before["id"], 30)
    assert {one["strategyId"] for one in after["strategies"]} == {one["strategyId"] for one in before["strategies"]}
    assert ["/known/{actorId}"] in [one["namespaceTemplates"] for one in after["strategies"]]

    strategies(SUMMARIZATION=SUMMARIES)
    _, done = stack.up(body(30))
    assert done[f"{MEMORY}-semantic"] is Action.DELETE
    assert [one["type"] for one in memory_of(stack)["strategies"]] == ["SUMMARIZATION"]

    strategies(SUMMARIZATION=SUMMARIES, SEMANTIC="/facts/{actorId}/")
    _, done = stack.up(body(30))
    assert done[f"{MEMORY}-semantic"] is Action.CREATE
    assert {one["type"] for one in memory_of(stack)["strategies"]} == {"SUMMARIZATION", "SEMANTIC"}
    _, done = stack.up(body(30))
    assert set(done.values()) <= {Action.SAME}


def test_down_leaves_no_memory(stack: SmallStack) -> None:
    stack.up(lambda: None)
    assert stack.ids == {}
    assert stack.clients("bedrock-agentcore-control").list_memories()["memories"] == []
