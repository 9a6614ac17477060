"""Makes the IAM of the emulator, MiniStack, decide the requests of roles as AWS does, and records the decisions.

The emulator finds the caller and all policies that apply: those of the role, of its session and of the resource. Our own
evaluator then evaluates each policy, so the emulator has only one way to decide. Before a request is decided, this
module corrects its action, resource and condition keys. In addition, the emulator itself checks the trust policy of a
role that another role assumes.

| correction | service | ministack | AWS | needed for |
|---|---|---|---|---|
| `policy_variables` | IAM | compares `${aws:userid}` and other policy variables as plain text | replaces variables by values of the request | guests and meetings' clients have grants on their own prefixes and items |
| `line_breaks` | IAM | `*` and `?` match no line break, and a pattern matches a text with one more at its end | wildcards match any character, and patterns match whole texts | senders of files choose the S3 keys |
| `leading_keys` | IAM | has no condition key `dynamodb:LeadingKeys` | sets it to the partition keys of a request | guests and meetings' clients have grants on their own items |
| `metric_namespace` | IAM | has no condition key `cloudwatch:namespace` | sets it to the namespace of `PutMetricData` | functions have grants on one namespace |
| `event_source` | IAM | has no condition key `events:source` | sets it to the source of each event | functions have grants on the sources of their subsystem |
| `kms_key_of_upload` | IAM | has no condition key for the KMS key of an upload | sets it from the request's header | the policies of buckets deny uploads that choose a KMS key |
| `session_tags` | IAM | does not check the caller's permission to set session tags | asks for `sts:TagSession` in addition to `sts:AssumeRole` | meetings' token exchange tags the sessions of its clients |
| `memory_resource` | IAM | does not check requests to the events of an AgentCore memory | checks them with the memory's ARN | livestream's fact check has grants on its memory |
| `terminated_job` | IAM | checks `batch:TerminateJob` with the resource `*` | checks it with the job's ARN | the grant of meetings' workflow names jobs |
| `loopback_as_tls` | IAM | `aws:SecureTransport` is false, because requests come over plain HTTP | is called over TLS | policies of all buckets and queues deny plain HTTP |
"""

import contextvars
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb

from local.emulation import get_private, wrap_function
from local.emulation.iam.grant_usage import Decision, DecisionRecorder
from local.emulation.iam.policy_evaluator import AccessRequest, AccessVerdict, evaluate_policies

LEADING_KEYS = "dynamodb:leadingkeys"
AGENTCORE = "bedrock-agentcore"
KMS_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
"""Header of an upload that chooses a KMS key. The condition key is `s3:` with this name."""
GLOBAL_KEYS = (
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:SourceIp",
    "aws:TagKeys",
)
"""Condition keys of every request, whose values the emulator computes."""
_body: contextvars.ContextVar[bytes] = contextvars.ContextVar("request_body", default=b"")
"""Body of the request that is being served, which the emulator does not pass on to its IAM."""


def install(recorder: DecisionRecorder) -> None:
    """Replace functions of the emulator by those below, which get the original. `extended_emulator.py` calls this."""
    wrap_function(app, "pin_signed_body", _keep_body)
    # Without these models, the emulator finds no actions for requests to AgentCore's memories, so it checks none.
    get_private(iam_actions, "_BOTOCORE_SERVICE_MAP")[AGENTCORE] = [AGENTCORE, f"{AGENTCORE}-control"]
    wrap_function(iam_actions, "extract_resource_arn", _extract_resource)
    wrap_function(iam_actions, "_s3_object_context", _add_kms_key)
    wrap_function(iam_evaluator, "evaluate", _evaluate)

    def decide_and_record(enforce: Any, access_key: str, action: str, *request: Any) -> Any:
        """Return None if the request is allowed, otherwise the refusal. Record the decision if the caller is a role.

        An AuthError, for example about a wrong signature, is no decision about permissions.
        """
        refusal = enforce(access_key, action, *request)
        caller = get_private(iam_evaluator, "resolve_caller_identity")(access_key)
        is_role = caller is not None and ":assumed-role/" in caller["userArn"]
        if is_role and not isinstance(refusal, get_private(iam_evaluator, "AuthError")):
            _service, _region, resource, _keys = request
            recorder.record(Decision(caller["userArn"].split("/")[1], action, resource, _verdict(refusal)))
        return refusal

    def enforce_corrected(
        enforce: Any,
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Decide about a request. `service_context` are the condition keys that the emulator has found."""
        keys = {**(service_context or {}), **_read_condition_keys(action, resource_arn)}
        refusal = decide_and_record(enforce, access_key, action, service, region, resource_arn, keys)
        if refusal is None and action == "sts:AssumeRole" and keys.get("aws:TagKeys"):
            return decide_and_record(enforce, access_key, "sts:TagSession", service, region, resource_arn, keys)
        return refusal

    wrap_function(iam_evaluator, "enforce", enforce_corrected)


def _keep_body(original: Any, body: bytes) -> None:
    """Keep a request's body. The emulator calls this function for each request, before IAM."""
    _body.set(body)
    original(body)


def _evaluate(_original: Any, context: Any, policies: Sequence[Any], *limits: Sequence[Any]) -> Any:
    """Evaluate policies with our own evaluator. All `limits`, for example session policies, must also allow the request.

    The emulator passes each policy document as a list of its statements.
    """
    keys = {key: get_private(iam_evaluator, "_resolve_condition_key")(key, context) for key in GLOBAL_KEYS}
    keys = {**context.principal_keys, **context.service_context, **keys, "aws:SecureTransport": "true"}
    present_keys = {key: value for key, value in keys.items() if value is not None}
    request = AccessRequest(context.action, context.resource_arn, present_keys)
    verdicts = [
        evaluate_policies([{"Statement": [_to_json(item) for item in document]} for document in documents], request)
        for documents in (policies, *limits)
    ]
    if AccessVerdict.DENY in verdicts:
        decision = "Deny"
    else:
        decision = "Allow" if all(verdict.allowed for verdict in verdicts) else "ImplicitDeny"
    return get_private(iam_evaluator, "EvalResult")(decision, context.principal_arn)


def _to_json(statement: Any) -> dict[str, Any]:
    """Return a statement as a policy document contains it."""
    elements = {
        "Effect": statement.effect,
        "Action": statement.actions,
        "NotAction": statement.not_actions,
        "Resource": statement.resources,
        "NotResource": statement.not_resources,
        "Condition": statement.conditions,
    }
    return {name: value for name, value in elements.items() if value}


def _verdict(refusal: Any) -> AccessVerdict:
    if refusal is None:
        return AccessVerdict.ALLOW
    return AccessVerdict.DENY if refusal.decision == "Deny" else AccessVerdict.IMPLICIT_DENY


def _extract_resource(
    original: Any, service: str, method: str, path: str, headers: Any, body: bytes, *arguments: Any
) -> str:
    """Return the ARN with which a request is checked. The last two `arguments` are the region and the account."""
    region, account = arguments[-2:]
    if service == AGENTCORE:
        match = re.match(r"/memories/(?:arn:[^/]+:memory/)?([a-zA-Z][\w-]{0,99}-[a-zA-Z0-9]{10})/", unquote(path))
        if match:
            return f"arn:aws:{AGENTCORE}:{region}:{account}:memory/{match[1]}"
    if service == "batch" and path == "/v1/terminatejob":
        return f"arn:aws:batch:{region}:{account}:job/{json.loads(body or b'{}').get('jobId', '')}"
    return str(original(service, method, path, headers, body, *arguments))


def _add_kms_key(
    original: Any, action: str, query: Mapping[str, Any], path: str, headers: Mapping[str, str]
) -> dict[str, Any]:
    keys: dict[str, Any] = original(action, query, path, headers)
    kms_key = headers.get(KMS_KEY_HEADER)
    return {**keys, f"s3:{KMS_KEY_HEADER}": kms_key} if kms_key and action == "s3:PutObject" else keys


def _read_condition_keys(action: str, resource: str) -> dict[str, Any]:
    """Return the condition keys that IAM takes from a request's body."""
    if action == "cloudwatch:PutMetricData":
        return {"cloudwatch:namespace": str(_read_body().get("Namespace", ""))}
    if action == "events:PutEvents":
        # AWS evaluates each entry separately. Here, different sources become a text that matches no condition, so the
        # request is denied.
        return {
            "events:source": "\n".join(sorted({str(entry.get("Source")) for entry in _read_body().get("Entries", ())}))
        }
    if action.startswith("dynamodb:"):
        keys = _find_leading_keys(_read_body(), _partition_keys(resource))
        return {LEADING_KEYS: keys} if keys else {}
    return {}


def _find_leading_keys(body: Mapping[str, Any], partition_keys: Sequence[str]) -> list[str]:
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


def _partition_keys(table_arn: str) -> list[str]:
    """Return the names of the partition keys of a table and of its indexes."""
    record = get_private(dynamodb, "_tables").get(table_arn.partition(":table/")[2].partition("/")[0]) or {}
    schemas = [
        record.get("KeySchema") or [],
        *(index["KeySchema"] for index in record.get("GlobalSecondaryIndexes") or []),
    ]
    return sorted({key["AttributeName"] for schema in schemas for key in schema if key["KeyType"] == "HASH"})


def _read_body() -> dict[str, Any]:
    """Return the content of the request's body: a JSON object or a form. It is empty for any other body."""
    body = _body.get()
    if body.startswith(b"{"):
        return dict(json.loads(body))
    return dict(parse_qsl(body.decode(errors="replace"))) if b"Action=" in body else {}
