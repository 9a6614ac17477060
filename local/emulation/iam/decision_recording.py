"""Every IAM decision on a role is recorded; those that the emulator is known to get wrong are judged again.

`enforce` is the emulator's one decision function. Its callers look it up each time, so replacing it reaches them all.
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

from local.emulation import reached
from local.emulation.iam.decision_log import Decision, Recorder
from local.emulation.iam.policy_evaluator import Request, Verdict, judge
from local.emulation.iam.request_corrections import corrected, tagging
from local.emulation.iam.service_roles import documents

_body: contextvars.ContextVar[bytes] = contextvars.ContextVar("request_body", default=b"")


def install(recorder: Recorder) -> None:
    """Replaces `iam_evaluator.enforce` and `app.pin_signed_body`."""
    enforce = reached(iam_evaluator, "enforce")
    resolve = reached(iam_evaluator, "resolve_principal")
    identity = reached(iam_evaluator, "resolve_caller_identity")
    denied = reached(iam_evaluator, "EvalResult")
    failed = reached(iam_evaluator, "AuthError")
    pin = reached(app, "pin_signed_body")

    def pin_body(body: bytes) -> None:
        _body.set(body)
        pin(body)

    def enforce_and_record(
        access_key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
    ) -> Any:
        result = enforce(access_key, action, service, region, resource_arn, service_context)
        caller = identity(access_key)
        if isinstance(result, failed) or caller is None or ":assumed-role/" not in caller["userArn"]:
            return result
        role = caller["userArn"].split("/")[1]
        keys = resolve(access_key, get_account_id()).keys
        # What a bucket's policy forbids, for instance, no policy of a role allows.
        forbidden = result is not None and result.decision == "Deny"
        request = None if forbidden else _corrected(role, action, resource_arn, {**keys, **(service_context or {})})
        if request is None:
            verdict = Verdict.ALLOW if result is None else _verdict(result)
            recorder.record(Decision(role, action, resource_arn, verdict, "emulator"))
            request = None if result is not None else tagging(action, resource_arn, _parsed(_body.get()))
            if request is None:
                return result
        verdict = judge(documents(role), Request(request.action, request.resource, {**keys, **request.context})).verdict
        recorder.record(Decision(role, request.action, request.resource, verdict, "document"))
        if verdict is Verdict.ALLOW:
            return None
        return denied(
            "Deny" if verdict is Verdict.DENY else "ImplicitDeny",
            principal_arn=caller["userArn"],
            reason="judged from the role's own policies",
        )

    app.pin_signed_body = pin_body
    iam_evaluator.enforce = enforce_and_record


def _corrected(role: str, action: str, resource: str, context: Mapping[str, Any]) -> Request | None:
    own = documents(role)
    table = resource.partition(":table/")[2].partition("/")[0]
    request = corrected(action, resource, _parsed(_body.get()), own, _hash_keys(table))
    if request is None:
        return None
    known = {key: value for key, value in context.items() if value is not None}
    return Request(request.action, request.resource, {**known, **request.context})


def _verdict(result: Any) -> Verdict:
    return Verdict.DENY if result.decision == "Deny" else Verdict.IMPLICIT_DENY


def _hash_keys(table: str) -> list[str]:
    """The partition keys of a table and of its indexes."""
    known = reached(dynamodb, "_tables").get(table) or {}
    schemas = [known.get("KeySchema") or [], *(one["KeySchema"] for one in known.get("GlobalSecondaryIndexes") or [])]
    return sorted({key["AttributeName"] for schema in schemas for key in schema if key["KeyType"] == "HASH"})


def _parsed(body: bytes) -> dict[str, Any]:
    """A request's body in whichever of AWS' protocols it came; nothing where it is none of them."""
    try:
        if body.startswith(b"{"):
            found: dict[str, Any] = json.loads(body)
            return found
        if b"Action=" in body:
            return dict(parse_qsl(body.decode()))
        import cbor2  # type: ignore[import-not-found] # noqa: PLC0415 - the emulator's own, for the newest protocol

        decoded = cbor2.loads(body) if body else {}
    except (ValueError, ImportError):
        return {}
    return decoded if isinstance(decoded, dict) else {}
