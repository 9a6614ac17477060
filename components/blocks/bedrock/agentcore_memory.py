"""Amazon Bedrock AgentCore memory of an agent: raw events, and records that strategies extract from them.

An agent stores events for an actor and a session, and the memory keeps them for some days. Each strategy writes its
records to its own namespace, a path that contains the actor's id, so actors never share records. Reading a namespace
also returns the records of all namespaces that start with the same text, so every namespace ends in a slash.
"""

from dataclasses import dataclass

import pulumi
from pulumi_aws import bedrock

from components.blocks.block import Block
from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope

SERVICE = "bedrock-agentcore"
SUMMARIES = "/summaries/{actorId}/{sessionId}/"
"""Namespace of the summaries. AgentCore replaces the names in braces by ids."""
NAMESPACES = {"SUMMARIZATION": SUMMARIES, "SEMANTIC": "/facts/{actorId}/"}
"""Type of a strategy → namespace of its records."""
MEMORY_ID_SUFFIX = f"-{'?' * 10}"
"""Pattern of the suffix that AWS appends to a memory's name to build its id: a hyphen and ten letters or digits."""


@dataclass(frozen=True)
class AgentMemoryArgs:
    scope: Scope
    display_name: str
    """Name in the requirements. The physical name ends with it instead of the short name, because AgentCore accepts no
    hyphens."""
    days: int
    """Days for which events are kept."""


class AgentMemory(Block):
    """Memory with its strategies, which summarize sessions and extract facts."""

    memory_id: pulumi.Output[str]
    """Id that AWS builds from the name and ten random characters."""

    def __init__(self, short_name: str, args: AgentMemoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("AgentMemory", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.context.underscored_name(Kind.MEMORY, scope.subsystem, args.display_name)
        memory = bedrock.AgentcoreMemory(
            self.part_name("memory"),
            name=self.name,
            description=f"{args.display_name} of Polyphony's {scope.subsystem}",
            event_expiry_duration=args.days,
            tags=scope.tags(args.display_name),
            opts=self.part_options(holds_data=True),
        )
        self.memory_id = memory.id
        previous_strategy: list[pulumi.Resource] = []
        for kind, namespace in NAMESPACES.items():
            # Strategies are created one after the other: each is an update of the memory, which accepts one update at a
            # time.
            strategy = bedrock.AgentcoreMemoryStrategy(
                self.part_name(kind.lower()),
                name=kind.lower(),
                memory_id=memory.id,
                type=kind,
                namespace_templates=[namespace],
                opts=self.part_options(*previous_strategy),
            )
            previous_strategy = [strategy]
        self.register_outputs({"memoryId": self.memory_id, "name": self.name})

    def grant(self, *actions: str) -> Grant:
        """Grant actions on this memory: `memory.grant("CreateEvent", "ListEvents")`.

        Instead of the id, the ARN contains the name and a pattern for the rest of the id, so it is known at preview. It
        matches no other memory, because a name is unique in the account and contains no hyphen.
        """
        return grant(SERVICE, actions, self.scope.context.arn(SERVICE, f"memory/{self.name}{MEMORY_ID_SUFFIX}"))
