"""Drivers of AgentCore memories and their strategies: the API calls that create, update and delete them.

A strategy has no operations of its own: UpdateMemory adds, changes and deletes the strategies of a memory.
"""

from typing import Any

from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    computed_from,
    from_response,
)
from local.property_values import UNKNOWN

REQUEST_MEMBERS = {"SEMANTIC": "semanticMemoryStrategy", "SUMMARIZATION": "summaryMemoryStrategy"}
"""For each type of strategy, the member of UpdateMemory's request that adds one."""
MEMORY = {"eventExpiryDuration": "eventExpiryDuration", "description": "description"}
"""Parameters of the calls that create and update a memory, each with its Pulumi property."""


@computed_from("type", "name", "namespaceTemplates", "description")
def added_strategies(kind: str, name: str, namespaces: list[str], description: str | None) -> list[Any]:
    """Return the strategy to add, in UpdateMemory's form: a list with one item."""
    described = {} if description is None else {"description": description}
    return [{REQUEST_MEMBERS[kind]: {"name": name, "namespaceTemplates": namespaces, **described}}]


def _strategy_id(values: ResourceValues) -> Any:
    """Return the id of the strategy, found by its name, because UpdateMemory returns all strategies of the memory."""
    strategies = values.responses.get("UpdateMemory", {}).get("memory", {}).get("strategies", [])
    return next((strategy["strategyId"] for strategy in strategies if strategy["name"] == values["name"]), UNKNOWN)


DRIVERS = (
    Driver(
        type="aws:bedrock/agentcoreMemory:AgentcoreMemory",
        service="bedrock-agentcore-control",
        create=(DriverCall("CreateMemory", {"name": "name", "tags": "tags", **MEMORY}),),
        update=(DriverCall("UpdateMemory", {"memoryId": "id", **MEMORY}),),
        delete=(DriverCall("DeleteMemory", {"memoryId": "id"}),),
        id=from_response("CreateMemory", "memory.id"),
        outputs={"arn": from_response("CreateMemory", "memory.arn")},
    ),
    Driver(
        type="aws:bedrock/agentcoreMemoryStrategy:AgentcoreMemoryStrategy",
        service="bedrock-agentcore-control",
        create=(
            DriverCall(
                "UpdateMemory", {"memoryId": "memoryId", "memoryStrategies.addMemoryStrategies": added_strategies}
            ),
        ),
        update=(
            DriverCall(
                "UpdateMemory",
                {
                    "memoryId": "memoryId",
                    "memoryStrategies.modifyMemoryStrategies.memoryStrategyId": "id",
                    "memoryStrategies.modifyMemoryStrategies.namespaceTemplates": "namespaceTemplates",
                    "memoryStrategies.modifyMemoryStrategies.description": "description",
                },
            ),
        ),
        delete=(
            DriverCall(
                "UpdateMemory",
                {"memoryId": "memoryId", "memoryStrategies.deleteMemoryStrategies.memoryStrategyId": "id"},
            ),
        ),
        id=ComputedValue(_strategy_id),
        outputs={"memoryStrategyId": ComputedValue(_strategy_id)},
    ),
)
