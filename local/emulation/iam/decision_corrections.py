"""Corrects wrong decisions of the emulator's IAM about requests of roles, and records the decisions.

The emulator decides in its function `enforce`, which this module replaces. Some corrections need the body of the
request, but `enforce` does not get it. So this module also replaces `pin_signed_body`, which gets the body before the
emulator decides. The replacement stores the body in a context variable.
"""

import contextvars
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import dynamodb

from local.emulation import get_private
from local.emulation.iam.access_request_corrections import correct_request, make_tagging_request
from local.emulation.iam.decision_log import BY_EMULATOR, BY_OWN_EVALUATOR, Decision, DecisionRecorder
from local.emulation.iam.policy_evaluator import AccessRequest, AccessVerdict, evaluate_policies
from local.emulation.iam.service_call_permissions import inline_policies

_body: contextvars.ContextVar[bytes] = contextvars.ContextVar("request_body", default=b"")


def install(recorder: DecisionRecorder) -> None:
    enforce = get_private(iam_evaluator, "enforce")
    find_principal = get_private(iam_evaluator, "resolve_principal")
    find_identity = get_private(iam_evaluator, "resolve_caller_identity")
    result_type = get_private(iam_evaluator, "EvalResult")
    error_type = get_private(iam_evaluator, "AuthError")
    pin = get_private(app, "pin_signed_body")

    def pin_body(body: bytes) -> None:
        _body.set(body)
        pin(body)

    def decide_and_record(
        access_key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
    ) -> Any:
        """Return None if the request is allowed, otherwise the refusal. Record the decision if the caller is a role."""
        result = enforce(access_key, action, service, region, resource_arn, service_context)
        caller = find_identity(access_key)
        if isinstance(result, error_type) or caller is None or ":assumed-role/" not in caller["userArn"]:
            return result
        role = caller["userArn"].split("/")[1]
        # Condition keys that describe the caller, for example `aws:userid`.
        keys = find_principal(access_key, get_account_id()).keys
        # An explicit denial, for example by a bucket's policy, overrides every policy of the role.
        is_denied = result is not None and result.decision == "Deny"
        corrected = None if is_denied else _correct(role, action, resource_arn, {**keys, **(service_context or {})})
        if corrected is not None:
            return decide_from_policies(caller["userArn"], corrected, keys)
        # No correction applies, so the emulator decides. Its result None means that the request is allowed.
        verdict = AccessVerdict.ALLOW if result is None else _verdict(result)
        recorder.record(Decision(role, action, resource_arn, verdict, BY_EMULATOR))
        if result is not None:
            return result
        # An allowed AssumeRole with session tags also needs `sts:TagSession`.
        tagging = make_tagging_request(action, resource_arn, _parse_body(_body.get()))
        return None if tagging is None else decide_from_policies(caller["userArn"], tagging, keys)

    def decide_from_policies(caller_arn: str, request: AccessRequest, keys: Mapping[str, Any]) -> Any:
        """Decide a request with our own evaluator from the inline policies of the caller's role. Record the decision.

        Return None if the request is allowed, otherwise the refusal. `keys` are the caller's condition keys.
        """
        role = caller_arn.split("/")[1]
        complete = AccessRequest(request.action, request.resource, {**keys, **request.context})
        verdict = evaluate_policies(inline_policies(role), complete)
        recorder.record(Decision(role, request.action, request.resource, verdict, BY_OWN_EVALUATOR))
        if verdict.allowed:
            return None
        return result_type(
            "Deny" if verdict is AccessVerdict.DENY else "ImplicitDeny",
            principal_arn=caller_arn,
            reason="decided from the role's inline policies",
        )

    app.pin_signed_body = pin_body
    iam_evaluator.enforce = decide_and_record


def _correct(role: str, action: str, resource: str, context: Mapping[str, Any]) -> AccessRequest | None:
    """Return the request as IAM would evaluate it, or None if the emulator evaluates it correctly."""
    table = resource.partition(":table/")[2].partition("/")[0]
    request = correct_request(action, resource, _parse_body(_body.get()), inline_policies(role), _partition_keys(table))
    if request is None:
        return None
    present_keys = {key: value for key, value in context.items() if value is not None}
    return AccessRequest(request.action, request.resource, {**present_keys, **request.context})


def _verdict(result: Any) -> AccessVerdict:
    return AccessVerdict.DENY if result.decision == "Deny" else AccessVerdict.IMPLICIT_DENY


def _partition_keys(table: str) -> list[str]:
    """Return the names of the partition keys of a table and of its indexes."""
    record = get_private(dynamodb, "_tables").get(table) or {}
    schemas = [
        record.get("KeySchema") or [],
        *(index["KeySchema"] for index in record.get("GlobalSecondaryIndexes") or []),
    ]
    return sorted({key["AttributeName"] for schema in schemas for key in schema if key["KeyType"] == "HASH"})


def _parse_body(body: bytes) -> dict[str, Any]:
    """Return the content of a request's body: a JSON object, a form or CBOR. It is empty for any other body."""
    try:
        if body.startswith(b"{"):
            content: dict[str, Any] = json.loads(body)
            return content
        if b"Action=" in body:
            return dict(parse_qsl(body.decode()))
        # Only the emulator's virtual environment contains the decoder for CBOR.
        import cbor2  # type: ignore[import-not-found] # noqa: PLC0415

        decoded = cbor2.loads(body) if body else {}
    except (ValueError, ImportError):
        return {}
    return decoded if isinstance(decoded, dict) else {}
