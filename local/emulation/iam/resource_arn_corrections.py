"""Makes the emulator's IAM evaluate requests to AgentCore memory and Batch for the ARN of the memory or job.

The emulator itself would not evaluate requests to AgentCore at all, and would evaluate a request that ends a Batch job
for the resource `*`.
"""

import json
from typing import Any

from ministack.core import iam_actions

from local.emulation import get_private, wrap_function
from local.emulation.iam.access_request_corrections import find_job_resource, find_memory_resource

AGENTCORE = "bedrock-agentcore"


def install() -> None:
    """Replace `iam_actions.extract_resource_arn`, and add AgentCore to `iam_actions._BOTOCORE_SERVICE_MAP`."""
    get_private(iam_actions, "_BOTOCORE_SERVICE_MAP")[AGENTCORE] = [AGENTCORE, f"{AGENTCORE}-control"]
    wrap_function(iam_actions, "extract_resource_arn", _extract_resource)


def _extract_resource(
    original: Any, service: str, method: str, path: str, headers: Any, body: bytes, *arguments: Any
) -> str:
    region, account = arguments[-2:]
    resource: str | None = None
    if service == AGENTCORE:
        resource = find_memory_resource(path, region, account)
    elif service == "batch":
        resource = find_job_resource(path, json.loads(body or b"{}"), region, account)
    return resource or original(service, method, path, headers, body, *arguments)
