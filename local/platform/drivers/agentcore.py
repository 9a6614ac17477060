"""Agents' memories, and what is drawn from them."""

from typing import Any

from local.platform.drivers.model import ComputedValue, Driver, DriverCall, ResourceValues, computed_from, from_response
from local.preview.property_values import UNKNOWN

MEMBERS = {"SEMANTIC": "semanticMemoryStrategy", "SUMMARIZATION": "summaryMemoryStrategy"}
"""What the service calls a strategy of a type, in a request that adds one."""
WAYS = {"eventExpiryDuration": "eventExpiryDuration", "description": "description"}


@computed_from("type", "name", "namespaceTemplates", "description")
def added(kind: str, name: str, namespaces: list[str], description: str | None) -> list[Any]:
    """The one strategy that is added."""
    described = {} if description is None else {"description": description}
    return [{MEMBERS[kind]: {"name": name, "namespaceTemplates": namespaces, **described}}]


def _modified(known: ResourceValues) -> list[Any]:
    parts = {name: known[name] for name in ("namespaceTemplates", "description")}
    return [{"memoryStrategyId": known["id"], **{name: one for name, one in parts.items() if one is not None}}]


def _deleted(known: ResourceValues) -> list[Any]:
    return [{"memoryStrategyId": known["id"]}]


def _strategy_id(known: ResourceValues) -> Any:
    """Of all that the memory has now, the one that has the name."""
    all_of_it = known.answers.get("UpdateMemory", {}).get("memory", {}).get("strategies", [])
    return next((one["strategyId"] for one in all_of_it if one["name"] == known["name"]), UNKNOWN)


DRIVERS = (
    Driver(
        type="aws:bedrock/agentcoreMemory:AgentcoreMemory",
        service="bedrock-agentcore-control",
        # The emulator cannot change a memory's tags: with others, it is made anew.
        create=(DriverCall("CreateMemory", {"name": "name", "tags": "tags", **WAYS}),),
        update=(DriverCall("UpdateMemory", {"memoryId": "id", **WAYS}),),
        delete=(DriverCall("DeleteMemory", {"memoryId": "id"}),),
        id=from_response("CreateMemory", "memory.id"),
        outputs={"arn": from_response("CreateMemory", "memory.arn")},
    ),
    Driver(
        type="aws:bedrock/agentcoreMemoryStrategy:AgentcoreMemoryStrategy",
        service="bedrock-agentcore-control",
        create=(DriverCall("UpdateMemory", {"memoryId": "memoryId", "memoryStrategies.addMemoryStrategies": added}),),
        update=(
            DriverCall(
                "UpdateMemory",
                {
                    "memoryId": "memoryId",
                    "memoryStrategies.modifyMemoryStrategies": ComputedValue(
                        _modified, ("namespaceTemplates", "description")
                    ),
                },
            ),
        ),
        delete=(
            DriverCall(
                "UpdateMemory",
                {"memoryId": "memoryId", "memoryStrategies.deleteMemoryStrategies": ComputedValue(_deleted)},
            ),
        ),
        id=ComputedValue(_strategy_id),
        outputs={"memoryStrategyId": ComputedValue(_strategy_id)},
    ),
)
