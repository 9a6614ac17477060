"""Policies of buckets, queues, topics, keys and functions: who may come in from outside."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.iam_documents import Statement, statements
from guardrails.model.resource_types import (
    DOCUMENTS,
    EVENT_BUS_PERMISSION,
    FUNCTION_PERMISSION,
    FUNCTION_URL,
    LAYER_PERMISSION,
    RESOURCE_POLICIES,
    REST_API,
    SOCKET_API,
)
from guardrails.pack.policy_kinds import ALWAYS, Group, Judged, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.LEAST_PRIVILEGE)

CALLERS = (
    "aws:PrincipalAccount",
    "aws:PrincipalOrgID",
    "aws:SourceAccount",
    "aws:SourceOrgID",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "kms:CallerAccount",
)
"""Condition keys that say who calls, each enough to keep strangers out."""
CALLERS_BY_ARN = ("aws:PrincipalArn", "aws:SourceArn")
"""The same, where the ARN says whose it is."""
OWNERS = ("aws:SourceAccount", "aws:SourceOrgID", "kms:CallerAccount")
OURS_BY_ARN = frozenset({REST_API, SOCKET_API})
"""Types whose ids only AWS knows, and whose ARNs have their account: made of one of this stack, they are this account's."""
ENCRYPTION_CONTEXT = "kms:EncryptionContext:"


def _given(one: Judged) -> list[Statement]:
    return [statement for statement in statements(_document(one)) if statement.allows]


def _document(one: Judged) -> str | Mapping[str, Any] | None:
    """The document of a resource; a permission says the same in properties of its own."""
    if one.type not in {EVENT_BUS_PERMISSION, LAYER_PERMISSION}:
        return one.props.get(DOCUMENTS.get(one.type, "policy"))
    principal, condition = one.props.get("principal"), one.props.get("condition")
    conditions = {condition.get("type"): {condition.get("key"): condition.get("value")}} if condition else {}
    if one.has("organizationId"):
        conditions = {"StringEquals": {"aws:PrincipalOrgID": one.props.get("organizationId")}}
    statement = {
        "Effect": "Allow",
        "Principal": principal if principal == "*" else {"AWS": principal},
        "Action": one.props.get("action", "events:PutEvents"),
        "Condition": conditions,
    }
    return {"Statement": [statement]}


@POLICIES.resource(
    "resource-policy-not-public",
    severity=Severity.CRITICAL,
    levels=ALWAYS,
    description="No bucket, queue, topic, key, secret, repository, log group or API allows everybody anything.",
    remedy="Name the principal, or compare who calls (aws:SourceAccount, aws:PrincipalArn).",
    frameworks=("AWS FSBP KMS.5", "AWS FSBP S3.2", "AWS FSBP S3.3", "AWS FSBP SNS.4", "AWS FSBP SQS.3"),
    types=RESOURCE_POLICIES,
)
def _public(one: Judged) -> Iterator[str]:
    for statement in _given(one):
        for kind, value in statement.principals:
            if kind in {"*", "AWS"} and value == "*" and not _says_who(statement):
                yield f"It lets everybody {', '.join(statement.actions)}."


def _says_who(statement: Statement) -> bool:
    return any(statement.pinned_by(key) for key in CALLERS) or any(
        statement.narrowed_by(key) and all(_account(arn) or _bucket(arn) for arn in statement.values(key))
        for key in CALLERS_BY_ARN
    )


@POLICIES.resource(
    "resource-policy-source-account",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="A service that is let in says for which account it acts.",
    remedy="Add StringEquals aws:SourceAccount.",
    frameworks=("AWS Well-Architected SEC03-BP07",),
    types=RESOURCE_POLICIES,
)
def _ownerless(one: Judged) -> Iterator[str]:
    for statement in _given(one):
        services = [value for kind, value in statement.principals if kind == "Service"]
        if services and not _says_whose(statement):
            yield f"It lets {', '.join(services)} in, whichever account they act for."


def _says_whose(statement: Statement) -> bool:
    if any(statement.pinned_by(key) for key in OWNERS):
        return True
    if statement.narrowed_by("aws:SourceArn") and all(map(_account, statement.values("aws:SourceArn"))):
        return True
    return any(
        key.startswith(ENCRYPTION_CONTEXT) and statement.narrowed_by(key)
        for keys in statement.conditions.values()
        for key in keys
    )


def _account(arn: str) -> bool:
    """Whether an ARN names an account; a bucket's does not."""
    parts = arn.split(":")
    return len(parts) > 4 and parts[4].isdigit()


def _bucket(arn: str) -> bool:
    """Whether an ARN names one bucket, which is one account's."""
    name = arn.partition(":s3:::")[2]
    return bool(name) and not {"*", "?"} & set(name)


@POLICIES.resource(
    "resource-policy-no-wildcard-action",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="A resource's policy allows single actions; only a key lets its own account do everything.",
    remedy="Name each action.",
    types=RESOURCE_POLICIES,
)
def _any_action(one: Judged) -> Iterator[str]:
    for statement in _given(one):
        owner = all(kind == "AWS" and value.endswith(":root") for kind, value in statement.principals)
        for action in statement.actions:
            if "*" in action and not (owner and action == "kms:*"):
                yield f"It allows {action}."


@POLICIES.relation(
    "function-permission-source",
    severity=Severity.CRITICAL,
    levels=ALWAYS,
    description="A service may call a function only for resources of one account, which the permission names.",
    remedy="Give sourceArn, and sourceAccount where the ARN has no account (a bucket's has none).",
    frameworks=("AWS FSBP Lambda.1",),
    types={FUNCTION_PERMISSION},
)
def _permission_for_anybody(one: Judged, _stack: Stack) -> Iterator[str]:
    principal = str(one.props.get("principal"))
    if principal == "*" and not one.has("principalOrgId"):
        yield "It lets everybody call the function."
    if not principal.endswith(".amazonaws.com"):
        return
    if not one.has("sourceArn"):
        yield f"It lets {principal} call the function for whatever resource asks: sourceArn is missing."
    elif not one.has("sourceAccount") and not _source_has_account(one):
        yield f"It lets {principal} call the function from any account: {one.props.get('sourceArn')} names none."


def _source_has_account(permission: Judged) -> bool:
    """Whether the ARN of whoever calls names an account; API Gateway is not documented to send one besides."""
    try:
        return _account(str(permission.props.get("sourceArn")))
    except UnknownValueError:
        if {one.type for one in permission.references.get("sourceArn", ())} & OURS_BY_ARN:
            return True
        raise


@POLICIES.resource(
    "function-url-not-public",
    severity=Severity.CRITICAL,
    levels=ALWAYS,
    description="A function's URL asks for signed requests.",
    remedy="Set authorizationType AWS_IAM, or put an API with an authorizer before it.",
    types={FUNCTION_URL},
)
def _open_url(one: Judged) -> Iterator[str]:
    if one.props.get("authorizationType") != "AWS_IAM":
        yield f"Its authorizationType is {one.props.get('authorizationType')}: everybody may call it."
