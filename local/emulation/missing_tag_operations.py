"""Tag operations that the emulator's Batch and AgentCore lack: they list, add and remove the tags of existing resources."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import error_response_json, json_response
from ministack.services import batch, bedrock_agentcore

from local.emulation import get_private, wrap_function


def install() -> None:
    batch_tags = TagOperations("/v1/tags/", _find_batch_tags, "ClientException")
    memory_tags = TagOperations("/tags/", _find_memory_tags, "ResourceNotFoundException")
    wrap_function(batch, "handle_request", batch_tags.handle_request)
    wrap_function(bedrock_agentcore, "handle_request", memory_tags.handle_request)


@dataclass(frozen=True)
class TagOperations:
    path_prefix: str
    """Beginning of the operations' path. The ARN of the resource follows it."""
    find_tags: Callable[[str, str], dict[str, str] | None]
    """Function that returns the tags of a resource, or None if the resource does not exist. Its arguments are the kind
    and the name in the ARN, for example `job-queue` and `media`."""
    missing_error: str
    """Error code of the answer if the resource does not exist."""

    async def handle_request(
        self,
        original: Any,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query: Mapping[str, list[str]],
    ) -> Any:
        """Answer a request about the tags of a resource. Let the emulator answer all other requests."""
        full_path = unquote(path)
        if not full_path.startswith(self.path_prefix):
            return await original(method, path, headers, body, query)
        arn = full_path.removeprefix(self.path_prefix)
        kind, _, name = arn.split(":", 5)[-1].partition("/")
        tags = self.find_tags(kind, name)
        if tags is None:
            return error_response_json(self.missing_error, f"Resource not found: {arn}", 404)
        match method:
            case "GET":
                return json_response({"tags": dict(tags)})
            case "POST":
                tags.update(json.loads(body)["tags"])
            case "DELETE":
                for key in query["tagKeys"]:
                    tags.pop(key, None)
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
    record: dict[str, Any] | None = get_private(bedrock_agentcore, "_memories").get(memory_id)
    return None if record is None else record["_tags"]
