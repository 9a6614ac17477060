"""What an agent remembers: events as they were written, and what AgentCore draws from them by strategies.

Events are kept for some days, by actor and session. Each strategy writes records of its own into a namespace, a path
with the actor's id in it: what one actor said is never filed with another's. Who reads a namespace gets what begins
with it, too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi_aws import bedrock

from components.blocks.grant import Grant, grant
from components.blocks.names import Kind
from components.blocks.scope import Block, Scope

SERVICE = "bedrock-agentcore"
DAYS = range(7, 366)
"""How long events may be kept (pulumi-aws, `AgentcoreMemory`)."""
NAMESPACE = re.compile(r"(/([a-zA-Z0-9_-]+|\{[a-zA-Z][a-zA-Z0-9]*\}))+/?")
VARIABLES = frozenset({"actorId", "memoryStrategyId", "sessionId"})
ACTOR, SESSION = "{actorId}", "{sessionId}"


class StrategyType(StrEnum):
    """What is drawn from events."""

    SEMANTIC = "SEMANTIC"
    """Facts, whichever session they came up in."""
    SUMMARIZATION = "SUMMARIZATION"
    """What a session was about."""


@dataclass(frozen=True)
class Strategy:
    """One strategy, and where its records go."""

    type: StrategyType
    namespace: str

    def __post_init__(self) -> None:
        unknown = set(re.findall(r"\{(\w+)\}", self.namespace)) - VARIABLES
        if unknown or not NAMESPACE.fullmatch(self.namespace):
            known = ", ".join(f"{{{one}}}" for one in sorted(VARIABLES))
            raise ValueError(f"{self.namespace!r} is no namespace: use a path such as /facts/{ACTOR}, with {known}")
        if ACTOR not in self.namespace:
            raise ValueError(f"{self.namespace} would mix what actors said: put {ACTOR} into it")
        if self.type is StrategyType.SUMMARIZATION and SESSION not in self.namespace:
            raise ValueError(f"{self.namespace} would mix sessions, which summaries are of: put {SESSION} into it")


SUMMARIES = Strategy(StrategyType.SUMMARIZATION, "/summaries/{actorId}/{sessionId}/")
FACTS = Strategy(StrategyType.SEMANTIC, "/facts/{actorId}/")


@dataclass(frozen=True)
class AgentMemoryArgs:
    """One memory."""

    scope: Scope
    logical_name: str
    name_part: str
    """The last word of its name: AgentCore takes no hyphens."""
    days: int = 90
    """How long events are kept."""
    strategies: Sequence[Strategy] = (SUMMARIES, FACTS)


class AgentMemory(Block):
    """A memory with its strategies."""

    memory_id: pulumi.Output[str]
    """AWS makes it of the name and ten characters of its own."""

    def __init__(self, what: str, args: AgentMemoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("AgentMemory", what, args.scope, opts)
        _check(what, args)
        scope = args.scope
        self.name = scope.context.underscored_name(Kind.MEMORY, scope.subsystem, args.name_part)
        memory = bedrock.AgentcoreMemory(
            self.part("memory"),
            name=self.name,
            description=f"{args.logical_name} of Polyphony's {scope.subsystem}",
            event_expiry_duration=args.days,
            tags=scope.tags(args.logical_name),
            opts=self.inside(holds_data=True),
        )
        self.memory_id = memory.id
        before: list[pulumi.Resource] = []
        for one in args.strategies:
            # One after the other: each is an update of the memory, which takes one at a time.
            strategy = bedrock.AgentcoreMemoryStrategy(
                self.part(one.type.lower()),
                name=one.type.lower(),
                memory_id=memory.id,
                type=one.type.value,
                namespace_templates=[one.namespace],
                opts=self.inside(*before),
            )
            before = [strategy]
        self.register_outputs({"memoryId": self.memory_id, "name": self.name})

    def grant(self, *actions: str) -> Grant:
        """Permission on this memory: `memory.grant("CreateEvent", "ListEvents")`."""
        context = self.scope.context
        return grant(SERVICE, actions, self.memory_id.apply(lambda known: context.arn(SERVICE, f"memory/{known}")))


def _check(what: str, args: AgentMemoryArgs) -> None:
    if args.days not in DAYS:
        raise ValueError(f"{what}: events are kept for {DAYS[0]} to {DAYS[-1]} days, not {args.days}")
    types = [one.type for one in args.strategies]
    if len(set(types)) < len(types):
        raise ValueError(f"{what}: a memory has one strategy of each type")
