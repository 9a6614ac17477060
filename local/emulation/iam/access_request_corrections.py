"""Finds requests for which the emulator checks a wrong action, resource or condition key, and computes what IAM checks.

`decision_corrections.py` lets our own evaluator decide on the results of `correct_request` and `make_tagging_request`.
`evaluation_corrections.py` passes the results of the other functions to the emulator. A comment or docstring at each
case describes the emulator's fault.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from local.emulation.iam.policy_conditions import as_list, lower_case_keys
from local.emulation.iam.policy_evaluator import AccessRequest

Body = Mapping[str, Any]
"""Parsed body of a request."""
LEADING_KEYS = "dynamodb:leadingkeys"
"""Condition key with the values of partition keys in a request to DynamoDB."""

IAM_ACTION_BY_CHECKED_ACTION = {
    # IAM has no action for the operation SendMessageBatch. It requires the action of SendMessage.
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Action that IAM evaluates, by the action that the emulator evaluates in place of it."""


def correct_request(
    action: str, resource: str, body: Body, documents: Sequence[Mapping[str, Any]], partition_keys: Sequence[str]
) -> AccessRequest | None:
    """Return the request as IAM would evaluate it, or None if the emulator evaluates it correctly.

    `documents` are the policies of the caller's role. For a request to DynamoDB, `partition_keys` are the names of the
    partition keys of the table and its indexes.
    """
    if action in IAM_ACTION_BY_CHECKED_ACTION:
        return AccessRequest(IAM_ACTION_BY_CHECKED_ACTION[action], resource)
    if action == "cloudwatch:PutMetricData":
        # The emulator does not set the condition key with the namespace, so it denies the request.
        return AccessRequest(action, resource, {"cloudwatch:namespace": str(body.get("Namespace", ""))})
    if action == "events:PutEvents":
        # The emulator does not set the condition key with the source, so it denies the request. AWS evaluates each
        # entry separately. Here, different sources are joined to a text that matches no condition, so the request is
        # denied.
        sources = {str(entry.get("Source", "")) for entry in body.get("Entries", ())}
        return AccessRequest(action, resource, {"events:source": "\n".join(sorted(sources))})
    if action.startswith("dynamodb:") and any(_has_condition_key(document, LEADING_KEYS) for document in documents):
        # The emulator ignores this condition, so it would allow access to all items.
        keys = find_leading_keys(body, partition_keys)
        return AccessRequest(action, resource, {LEADING_KEYS: keys} if keys else {})
    if any("${" in text for document in documents for text in _list_texts(document)):
        # The emulator does not replace policy variables, so it denies the request. Our evaluator replaces them.
        return AccessRequest(action, resource)
    return None


def make_tagging_request(action: str, resource: str, body: Body) -> AccessRequest | None:
    """Return the request for `sts:TagSession`, which IAM evaluates in addition if AssumeRole sets session tags.

    Return None for any other request. The emulator never checks the caller's permission for `sts:TagSession`.
    """
    tags = {
        str(value): str(body.get(f"{name.removesuffix('.Key')}.Value", ""))
        for name, value in body.items()
        if re.fullmatch(r"Tags\.member\.\d+\.Key", name)
    }
    if action != "sts:AssumeRole" or not tags:
        return None
    request_tags = {f"aws:RequestTag/{name}": value for name, value in tags.items()}
    return AccessRequest("sts:TagSession", resource, {**request_tags, "aws:TagKeys": sorted(tags)})


def find_memory_resource(path: str, region: str, account: str) -> str | None:
    """Return the ARN of the AgentCore memory whose id or ARN a request's path contains, or None.

    The emulator itself would use `*`.
    """
    match = re.match(r"/memories/(?:arn:[^/]+:memory/)?([a-zA-Z][a-zA-Z0-9_-]{0,99}-[a-zA-Z0-9]{10})/", unquote(path))
    return f"arn:aws:bedrock-agentcore:{region}:{account}:memory/{match[1]}" if match else None


def find_job_resource(path: str, body: Body, region: str, account: str) -> str | None:
    """Return the ARN of the Batch job that a request terminates, or None for any other request.

    The emulator itself would use `*`.
    """
    job = body.get("jobId")
    return f"arn:aws:batch:{region}:{account}:job/{job}" if path == "/v1/terminatejob" and job else None


def find_leading_keys(body: Body, partition_keys: Sequence[str]) -> list[str]:
    """Return the values of partition keys in a DynamoDB request. `partition_keys` are the names of these keys.

    Batches and transactions are not examined, because no role with a condition on `dynamodb:LeadingKeys` may send them.
    """
    item = body.get("Key") or body.get("Item") or {}
    keys = [value for key in partition_keys if key in item for value in item[key].values()]
    names, values = body.get("ExpressionAttributeNames") or {}, body.get("ExpressionAttributeValues") or {}
    for name, placeholder in re.findall(r"([#\w.-]+)\s*=\s*(:\w+)", body.get("KeyConditionExpression") or ""):
        if names.get(name, name) in partition_keys:
            keys += values.get(placeholder, {}).values()
    return [str(value) for value in keys]


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _list_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_texts(inner)


def _has_condition_key(document: Mapping[str, Any], key: str) -> bool:
    return any(
        key in lower_case_keys(keys)
        for statement in as_list(document.get("Statement", []))
        for keys in (statement.get("Condition") or {}).values()
    )
