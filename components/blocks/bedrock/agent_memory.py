"""What an agent remembers: events as they were written, and what AgentCore draws from them by strategies.

Events are kept for some days, by actor and session. Each strategy writes records of its own into a namespace, a path
with the actor's id in it: what one actor said is never filed with another's. Who reads a namespace gets what begins
with it, too.
"""

from dataclasses import dataclass

import pulumi
from pulumi_aws import bedrock

from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Block, Scope

SERVICE = "bedrock-agentcore"
SUMMARIES = "/summaries/{actorId}/{sessionId}/"
NAMESPACES = {"SUMMARIZATION": SUMMARIES, "SEMANTIC": "/facts/{actorId}/"}
"""Type of a strategy → where its records go."""


@dataclass(frozen=True)
class AgentMemoryArgs:
    """One memory."""

    scope: Scope
    logical_name: str
    """The last word of its name, too: AgentCore takes no hyphens."""
    days: int
    """How long events are kept."""


class AgentMemory(Block):
    """A memory with its strategies."""

    memory_id: pulumi.Output[str]
    """AWS makes it of the name and ten characters of its own."""

    def __init__(self, short_name: str, args: AgentMemoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("AgentMemory", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.context.underscored_name(Kind.MEMORY, scope.subsystem, args.logical_name)
        memory = bedrock.AgentcoreMemory(
            self.part_name("memory"),
            name=self.name,
            description=f"{args.logical_name} of Polyphony's {scope.subsystem}",
            event_expiry_duration=args.days,
            tags=scope.tags(args.logical_name),
            opts=self.part_options(holds_data=True),
        )
        self.memory_id = memory.id
        before: list[pulumi.Resource] = []
        for kind, namespace in NAMESPACES.items():
            # One after the other: each is an update of the memory, which takes one at a time.
            strategy = bedrock.AgentcoreMemoryStrategy(
                self.part_name(kind.lower()),
                name=kind.lower(),
                memory_id=memory.id,
                type=kind,
                namespace_templates=[namespace],
                opts=self.part_options(*before),
            )
            before = [strategy]
        self.register_outputs({"memoryId": self.memory_id, "name": self.name})

    def grant(self, *actions: str) -> Grant:
        """Permission on this memory: `memory.grant("CreateEvent", "ListEvents")`."""
        context = self.scope.context
        return grant(SERVICE, actions, self.memory_id.apply(lambda known: context.arn(SERVICE, f"memory/{known}")))
