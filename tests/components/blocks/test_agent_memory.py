"""An agent's memory: kept for days, filed by actor and session, and open to those who were granted it."""

import json

import pulumi

from components.blocks.agent_memory import AgentMemory, AgentMemoryArgs
from components.blocks.grant import documents
from local import program
from local.graph import Resource
from local.preview_provider import PreviewProvider
from local.stack_files import StackConfig
from local.values import Props
from tests.engine import Recorded, scope

ID = "polyphony_test_clipAgentMemory-a1B2c3D4e5"


class Deployed(PreviewProvider):
    """Knows the ids that AWS would give, as after a deployment."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        return (ID if resource.kind == "AgentcoreMemory" else f"{resource.name}-id"), {}


def test_a_memory_files_summaries_by_session_and_facts_by_actor_and_is_granted_alone() -> None:
    found: list[str] = []

    def body() -> None:
        made = AgentMemory("clip-agent-memory", AgentMemoryArgs(scope(), "clipAgentMemory", days=90))
        one = made.grant("CreateEvent", "ListEvents")
        assert not one.known
        for text in documents([one]):
            pulumi.Output.from_input(text).apply(found.append)

    recorded = Recorded(program.record(body, StackConfig("polyphony", "test", {}), Deployed(), preview=True).graph)
    memory = recorded.one("bedrock.AgentcoreMemory").inputs
    assert (memory["name"], memory["eventExpiryDuration"]) == ("polyphony_test_clipAgentMemory", 90)
    facts, summaries = recorded.all("bedrock.AgentcoreMemoryStrategy")
    assert (facts.inputs["type"], facts.inputs["namespaceTemplates"]) == ("SEMANTIC", ["/facts/{actorId}/"])
    assert (summaries.inputs["type"], summaries.inputs["namespaceTemplates"]) == (
        "SUMMARIZATION",
        ["/summaries/{actorId}/{sessionId}/"],
    )
    assert facts.inputs["memoryId"] == summaries.inputs["memoryId"] == ID
    assert summaries in list(recorded.ancestors(facts)), "the memory takes one update at a time"
    [text] = found
    assert json.loads(text)["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["bedrock-agentcore:CreateEvent", "bedrock-agentcore:ListEvents"],
            "Resource": [f"arn:aws:bedrock-agentcore:us-east-1:123456789012:memory/{ID}"],
        }
    ]
