"""Adds the operations that list, add and remove tags to Batch and AgentCore. The emulator stores tags only at creation."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import error_response_json, json_response
from ministack.services import batch, bedrock_agentcore

from local.emulation import get_private, wrap_function

FindTags = Callable[[str, str], dict[str, str] | None]
"""Function that returns the tags of a resource, or None if it does not exist. It is called with kind and name or id."""


def install() -> None:
    """Extend the request handlers of both services."""
    wrap_function(batch, "handle_request", functools.partial(_handle, "/v1/tags/", _find_batch_tags))
    wrap_function(bedrock_agentcore, "handle_request", functools.partial(_handle, "/tags/", _find_memory_tags))


async def _handle(
    prefix: str,
    find: FindTags,
    original: Any,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    query: Mapping[str, list[str]],
) -> Any:
    """Answer a request for the tags of a resource. The path ends with its ARN."""
    if not unquote(path).startswith(prefix):
        return await original(method, path, headers, body, query)
    arn = unquote(path).removeprefix(prefix)
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    tags = find(kind, name)
    if tags is None:
        return error_response_json("ResourceNotFoundException", f"Resource not found: {arn}", 404)
    match method:
        case "POST":
            tags.update(json.loads(body)["tags"])
        case "DELETE":
            for key in query.get("tagKeys", ()):
                tags.pop(key, None)
        case _:
            return json_response({"tags": dict(tags)})
    return json_response({})


def _find_batch_tags(kind: str, name: str) -> dict[str, str] | None:
    record: dict[str, Any] | None = None
    match kind:
        case "compute-environment":
            record = get_private(batch, "_compute_envs").get(name)
        case "job-queue":
            record = get_private(batch, "_job_queues").get(name)
        case "job-definition":
            revisions = get_private(batch, "_job_definitions").get(name.partition(":")[0]) or []
            record = next((item for item in revisions if item["jobDefinitionArn"].endswith(f"/{name}")), None)
    return None if record is None else record["tags"]


def _find_memory_tags(_kind: str, memory_id: str) -> dict[str, str] | None:
    record = get_private(bedrock_agentcore, "_memories").get(memory_id)
    tags: dict[str, str] | None = None if record is None else record["_tags"]
    return tags
