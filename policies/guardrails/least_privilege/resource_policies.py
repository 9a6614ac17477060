"""Policies of buckets, queues, topics, keys and functions: who may come in from outside."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.iam_documents import Statement, parse_statements
from guardrails.model.resource_types import (
    API_V2,
    EVENT_BUS_PERMISSION,
    FUNCTION_PERMISSION,
    FUNCTION_URL,
    LAYER_PERMISSION,
    POLICY_DOCUMENT_PROPERTIES,
    RESOURCE_POLICIES,
    REST_API,
)
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

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
OURS_BY_ARN = frozenset({REST_API, API_V2})
"""Types whose ids only AWS knows, and whose ARNs have their account: made of one of this stack, they are this account's."""
ENCRYPTION_CONTEXT = "kms:EncryptionContext:"


def _given(resource: CheckedResource) -> list[Statement]:
    return [statement for statement in parse_statements(_document(resource)) if statement.is_allow]


def _document(resource: CheckedResource) -> str | Mapping[str, Any] | None:
    """The document of a resource; a permission says the same in properties of its own."""
    if resource.type not in {EVENT_BUS_PERMISSION, LAYER_PERMISSION}:
        return resource.props.get(POLICY_DOCUMENT_PROPERTIES.get(resource.type, "policy"))
    principal, condition = resource.props.get("principal"), resource.props.get("condition")
    conditions = {condition.get("type"): {condition.get("key"): condition.get("value")}} if condition else {}
    if resource.has_property("organizationId"):
        conditions = {"StringEquals": {"aws:PrincipalOrgID": resource.props.get("organizationId")}}
    statement = {
        "Effect": "Allow",
        "Principal": principal if principal == "*" else {"AWS": principal},
        "Action": resource.props.get("action", "events:PutEvents"),
        "Condition": conditions,
    }
    return {"Statement": [statement]}


@POLICIES.resource(
    "resource-policy-not-public",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No bucket, queue, topic, key, secret, repository, log group or API allows everybody anything.",
    remedy="Name the principal, or compare who calls (aws:SourceAccount, aws:PrincipalArn).",
    frameworks=("AWS FSBP KMS.5", "AWS FSBP S3.2", "AWS FSBP S3.3", "AWS FSBP SNS.4", "AWS FSBP SQS.3"),
    types=RESOURCE_POLICIES,
)
def _check_resource_policy_not_public(resource: CheckedResource) -> Iterator[str]:
    for statement in _given(resource):
        for kind, value in statement.principals:
            if kind in {"*", "AWS"} and value == "*" and not _says_who(statement):
                yield f"It lets everybody {', '.join(statement.actions)}."


def _says_who(statement: Statement) -> bool:
    return any(statement.is_pinned_by(key) for key in CALLERS) or any(
        statement.is_narrowed_by(key) and all(_account(arn) or _bucket(arn) for arn in statement.condition_values(key))
        for key in CALLERS_BY_ARN
    )


@POLICIES.resource(
    "resource-policy-source-account",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A service that is let in says for which account it acts.",
    remedy="Add StringEquals aws:SourceAccount.",
    frameworks=("AWS Well-Architected SEC03-BP07",),
    types=RESOURCE_POLICIES,
)
def _check_resource_policy_source_account(resource: CheckedResource) -> Iterator[str]:
    for statement in _given(resource):
        services = [value for kind, value in statement.principals if kind == "Service"]
        if services and not _says_whose(statement):
            yield f"It lets {', '.join(services)} in, whichever account they act for."


def _says_whose(statement: Statement) -> bool:
    if any(statement.is_pinned_by(key) for key in OWNERS):
        return True
    if statement.is_narrowed_by("aws:SourceArn") and all(map(_account, statement.condition_values("aws:SourceArn"))):
        return True
    return any(
        key.startswith(ENCRYPTION_CONTEXT) and statement.is_narrowed_by(key)
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
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A resource's policy allows single actions; only a key lets its own account do everything.",
    remedy="Name each action.",
    types=RESOURCE_POLICIES,
)
def _check_resource_policy_no_wildcard_action(resource: CheckedResource) -> Iterator[str]:
    for statement in _given(resource):
        owner = all(kind == "AWS" and value.endswith(":root") for kind, value in statement.principals)
        for action in statement.actions:
            if "*" in action and not (owner and action == "kms:*"):
                yield f"It allows {action}."


@POLICIES.relation(
    "function-permission-source",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A service may call a function only for resources of one account, which the permission names.",
    remedy="Give sourceArn, and sourceAccount where the ARN has no account (a bucket's has none).",
    frameworks=("AWS FSBP Lambda.1",),
    types={FUNCTION_PERMISSION},
)
def _check_function_permission_source(permission: CheckedResource, _stack: CheckedStack) -> Iterator[str]:
    principal = str(permission.props.get("principal"))
    if principal == "*" and not permission.has_property("principalOrgId"):
        yield "It lets everybody call the function."
    if not principal.endswith(".amazonaws.com"):
        return
    if not permission.has_property("sourceArn"):
        yield f"It lets {principal} call the function for whatever resource asks: sourceArn is missing."
    elif not permission.has_property("sourceAccount") and not _source_has_account(permission):
        yield f"It lets {principal} call the function from any account: {permission.props.get('sourceArn')} names none."


def _source_has_account(permission: CheckedResource) -> bool:
    """Whether the ARN of whoever calls names an account; API Gateway is not documented to send one besides."""
    try:
        return _account(str(permission.props.get("sourceArn")))
    except UnknownValueError:
        if {source.type for source in permission.references.get("sourceArn", ())} & OURS_BY_ARN:
            return True
        raise


@POLICIES.resource(
    "function-url-not-public",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A function's URL asks for signed requests.",
    remedy="Set authorizationType AWS_IAM, or put an API with an authorizer before it.",
    types={FUNCTION_URL},
)
def _check_function_url_not_public(url: CheckedResource) -> Iterator[str]:
    if url.props.get("authorizationType") != "AWS_IAM":
        yield f"Its authorizationType is {url.props.get('authorizationType')}: everybody may call it."
