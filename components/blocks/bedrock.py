"""Amazon Bedrock: AgentCore memory of an agent, and grants to invoke models.

An agent stores events in its memory, which keeps them for some days. Each event belongs to an actor (the owner of an
episode) and a session (the episode). From the events, AgentCore derives records by two strategies: summaries and facts.
Records do not expire, so they must be deleted.

Each strategy writes to its own namespace, a path that contains the ids of actor and session. So actors never share
records, and the records of one session can be deleted. A read of a namespace also returns the records of all namespaces
that start with the same text. So every namespace ends in a slash, and `/facts/{actorId}/` returns the facts of all
sessions of an actor.

A model is invoked directly or through an inference profile. A caller of a cross-region inference profile needs a grant on
the profile, and on its model in each region to which the profile may send requests. A setting lists these regions,
because AWS adds some over time.
"""

from collections.abc import Iterable, Sequence

import pulumi
from pulumi_aws import bedrock

from components.blocks.iam import Grant, grant
from components.core import Block, Kind, Scope

SERVICE = "bedrock-agentcore"
SUMMARIES = "/summaries/{actorId}/{sessionId}/"
"""Namespace of the summaries. AgentCore replaces the names in braces by ids."""
FACTS = "/facts/{actorId}/{sessionId}/"
"""Namespace of the facts."""
NAMESPACES = {"SUMMARIZATION": SUMMARIES, "SEMANTIC": FACTS}
"""Type of a strategy → namespace of its records."""
MEMORY_ID_SUFFIX = f"-{'?' * 10}"
"""Pattern of the suffix that AWS appends to a memory's name to build its id: a hyphen and ten letters or digits."""
PROFILES = ("us", "us-gov", "ca", "eu", "apac", "jp", "au", "global")
"""Prefixes of the ids of inference profiles."""


class AgentMemory(Block):
    """Memory with its strategies, which summarize sessions and extract facts."""

    memory_id: pulumi.Output[str]
    """Id that AWS builds from the name and ten random characters."""

    def __init__(self, scope: Scope, short_name: str, *, display_name: str, days: int) -> None:
        """Create the memory, which keeps events for `days`.

        The physical name ends with the display name instead of the short name, because AgentCore accepts no hyphens.
        """
        super().__init__("AgentMemory", scope, short_name, display_name)
        self.name = scope.context.underscored_name(Kind.MEMORY, scope.subsystem, display_name)
        memory = bedrock.AgentcoreMemory(
            self.part_name("memory"),
            name=self.name,
            description=self.description,
            event_expiry_duration=days,
            tags=self.tags,
            opts=self.scope.options(holds_data=True),
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
                opts=self.scope.options(after=previous_strategy),
            )
            previous_strategy = [strategy]
        self.register_outputs({"memoryId": self.memory_id, "name": self.name})

    def grant(self, *actions: str, variable: str | None = None) -> Grant:
        """Grant actions on this memory: `memory.grant("CreateEvent", "ListEvents")`. `variable` is the field of the
        handler's environment model that gets the memory's id.

        Instead of the id, the ARN contains the name and a pattern for the rest of the id, so it is known at preview. It
        matches no other memory, because a name is unique in the account and contains no hyphen.
        """
        arn = self.scope.context.arn(SERVICE, f"memory/{self.name}{MEMORY_ID_SUFFIX}")
        return grant(SERVICE, actions, arn).with_variable(variable, self.memory_id)


def model_grants(scope: Scope, model_ids: Iterable[str], regions: Sequence[str]) -> list[Grant]:
    """Return the grants to invoke models or profiles. `regions` are the regions to which a profile may send requests."""
    return [_model_grant(scope, model_id, regions) for model_id in sorted(set(model_ids))]


def _model_grant(scope: Scope, model_id: str, regions: Sequence[str]) -> Grant:
    context = scope.context
    # The id of a profile is that of its model after a prefix: `eu.amazon.nova-lite-v1:0`.
    prefix, _, model = model_id.partition(".")
    if prefix not in PROFILES:
        return grant(
            "bedrock", ["InvokeModel"], f"arn:{context.partition}:bedrock:{context.region}::foundation-model/{model_id}"
        )
    # A global profile also needs a grant on its model without a region.
    model_regions = [*regions, *([""] if prefix == "global" else [])]
    return grant(
        "bedrock",
        ["InvokeModel"],
        [
            context.arn("bedrock", f"inference-profile/{model_id}"),
            *(f"arn:{context.partition}:bedrock:{region}::foundation-model/{model}" for region in model_regions),
        ],
    )
