"""Agents' memories, and what is drawn from them."""

from typing import Any

from local.platform.drivers.model import Call, Driver, Known, Made, answered, made
from local.preview.property_values import UNKNOWN

MEMBERS = {"SEMANTIC": "semanticMemoryStrategy", "SUMMARIZATION": "summaryMemoryStrategy"}
"""What the service calls a strategy of a type, in a request that adds one."""
WAYS = {"eventExpiryDuration": "eventExpiryDuration", "description": "description"}


@made("type", "name", "namespaceTemplates", "description")
def added(kind: str, name: str, namespaces: list[str], description: str | None) -> list[Any]:
    """The one strategy that is added."""
    described = {} if description is None else {"description": description}
    return [{MEMBERS[kind]: {"name": name, "namespaceTemplates": namespaces, **described}}]


def _modified(known: Known) -> list[Any]:
    parts = {name: known[name] for name in ("namespaceTemplates", "description")}
    return [{"memoryStrategyId": known["id"], **{name: one for name, one in parts.items() if one is not None}}]


def _deleted(known: Known) -> list[Any]:
    return [{"memoryStrategyId": known["id"]}]


def _strategy_id(known: Known) -> Any:
    """Of all that the memory has now, the one that has the name."""
    all_of_it = known.answers.get("UpdateMemory", {}).get("memory", {}).get("strategies", [])
    return next((one["strategyId"] for one in all_of_it if one["name"] == known["name"]), UNKNOWN)


DRIVERS = (
    Driver(
        type="aws:bedrock/agentcoreMemory:AgentcoreMemory",
        service="bedrock-agentcore-control",
        # The emulator cannot change a memory's tags: with others, it is made anew.
        create=(Call("CreateMemory", {"name": "name", "tags": "tags", **WAYS}),),
        update=(Call("UpdateMemory", {"memoryId": "id", **WAYS}),),
        delete=(Call("DeleteMemory", {"memoryId": "id"}),),
        id=answered("CreateMemory", "memory.id"),
        outputs={"arn": answered("CreateMemory", "memory.arn")},
    ),
    Driver(
        type="aws:bedrock/agentcoreMemoryStrategy:AgentcoreMemoryStrategy",
        service="bedrock-agentcore-control",
        create=(Call("UpdateMemory", {"memoryId": "memoryId", "memoryStrategies.addMemoryStrategies": added}),),
        update=(
            Call(
                "UpdateMemory",
                {
                    "memoryId": "memoryId",
                    "memoryStrategies.modifyMemoryStrategies": Made(_modified, ("namespaceTemplates", "description")),
                },
            ),
        ),
        delete=(
            Call("UpdateMemory", {"memoryId": "memoryId", "memoryStrategies.deleteMemoryStrategies": Made(_deleted)}),
        ),
        id=Made(_strategy_id),
        outputs={"memoryStrategyId": Made(_strategy_id)},
    ),
)
