"""Requests to an agent's memory are judged: the emulator knows no action for them, and lets everybody through.

Which action a request is follows from botocore's routes, as for the emulator's other services.
"""

from typing import Any

from ministack.core import iam_actions

from local.iam.corrections import memory_resource
from local.patches import reached

SERVICE = "bedrock-agentcore"


def install() -> None:
    """Replaces `iam_actions.extract_resource_arn`, and enters the service into `iam_actions._BOTOCORE_SERVICE_MAP`."""
    extract = reached(iam_actions, "extract_resource_arn")
    reached(iam_actions, "_BOTOCORE_SERVICE_MAP")[SERVICE] = [SERVICE, f"{SERVICE}-control"]

    def resource_or_memory(service: str, method: str, path: str, *rest: Any) -> str:
        found: str = extract(service, method, path, *rest)
        region, account = rest[-2:]
        memory = memory_resource(path, region, account) if service == SERVICE else None
        return memory or found

    iam_actions.extract_resource_arn = resource_or_memory
