"""Requests that the emulator is known to misjudge, as IAM would be asked about them. Pure.

Each entry says what is wrong. Whatever is not listed is left to the emulator.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from local.emulation.iam.policy_conditions import lower_case_keys
from local.emulation.iam.policy_evaluator import AccessRequest

Body = Mapping[str, Any]
LEADING_KEYS = "dynamodb:leadingkeys"

AUTHORISED_AS = {
    # A batch is authorised as what it is a batch of.
    "sqs:SendMessageBatch": "sqs:SendMessage",
}


def correct_request(
    action: str, resource: str, body: Body, documents: Sequence[Mapping[str, Any]], hash_keys: Sequence[str]
) -> AccessRequest | None:
    """The request as IAM sees it, where the emulator is known to be wrong about it; none where it is not."""
    if action in AUTHORISED_AS:
        return AccessRequest(AUTHORISED_AS[action], resource)
    if action == "cloudwatch:PutMetricData":
        # The emulator does not know the namespace and denies.
        return AccessRequest(action, resource, {"cloudwatch:namespace": str(body.get("Namespace", ""))})
    if action == "events:PutEvents":
        # The emulator does not know whose events they are and denies. Entries are judged one by one on AWS; here those
        # of several sources are none's.
        sources = {str(entry.get("Source", "")) for entry in body.get("Entries", ())}
        return AccessRequest(action, resource, {"events:source": "\n".join(sorted(sources))})
    if action.startswith("dynamodb:") and any(_has_condition_key(one, LEADING_KEYS) for one in documents):
        # The emulator ignores the condition and allows.
        keys = leading_keys(body, hash_keys)
        return AccessRequest(action, resource, {LEADING_KEYS: keys} if keys else {})
    if any("${" in text for one in documents for text in _texts(one)):
        # The emulator takes a policy variable for its letters, and denies.
        return AccessRequest(action, resource)
    return None


def session_tagging(action: str, resource: str, body: Body) -> AccessRequest | None:
    """What whoever assumes a role with session tags must be allowed besides; the emulator asks the role's trust alone."""
    tags = {
        str(value): str(body.get(f"{name.removesuffix('.Key')}.Value", ""))
        for name, value in body.items()
        if re.fullmatch(r"Tags\.member\.\d+\.Key", name)
    }
    if action != "sts:AssumeRole" or not tags:
        return None
    named = {f"aws:RequestTag/{name}": value for name, value in tags.items()}
    return AccessRequest("sts:TagSession", resource, {**named, "aws:TagKeys": sorted(tags)})


def memory_resource(path: str, region: str, account: str) -> str | None:
    """The agent's memory that a request's path names, by id or by ARN: the emulator asks for `*`."""
    found = re.match(r"/memories/(?:arn:[^/]+:memory/)?([a-zA-Z][a-zA-Z0-9_-]{0,99}-[a-zA-Z0-9]{10})/", unquote(path))
    return f"arn:aws:bedrock-agentcore:{region}:{account}:memory/{found[1]}" if found else None


def job_resource(path: str, body: Body, region: str, account: str) -> str | None:
    """The job of AWS Batch that a request ends, by its id: the emulator asks for `*`."""
    job = body.get("jobId")
    ends = path in {"/v1/canceljob", "/v1/terminatejob"}
    return f"arn:aws:batch:{region}:{account}:job/{job}" if ends and job else None


def leading_keys(body: Body, hash_keys: Sequence[str]) -> list[str]:
    """The partition keys that a DynamoDB request names; `hash_keys` are those of its table and indexes.

    Nobody whose policy asks for them may send batches and transactions, so those are not looked into.
    """
    item = body.get("Key") or body.get("Item") or {}
    found = [value for key in hash_keys if key in item for value in item[key].values()]
    names, values = body.get("ExpressionAttributeNames") or {}, body.get("ExpressionAttributeValues") or {}
    for name, placeholder in re.findall(r"([#\w.-]+)\s*=\s*(:\w+)", body.get("KeyConditionExpression") or ""):
        if names.get(name, name) in hash_keys:
            found += values.get(placeholder, {}).values()
    return [str(value) for value in found]


def _texts(value: Any) -> Iterator[str]:
    """Every text within a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _has_condition_key(document: Mapping[str, Any], key: str) -> bool:
    statements = document.get("Statement", [])
    return any(
        key in lower_case_keys(keys)
        for statement in (statements if isinstance(statements, list) else [statements])
        for keys in (statement.get("Condition") or {}).values()
    )
