"""Guardrail policies about the IAM policies of resources, and about permissions and URLs of functions: which principals
may use a bucket, queue, topic, key, API or function.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.arn_parser import contains_account
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

CALLER_KEYS = (
    "aws:PrincipalAccount",
    "aws:PrincipalOrgID",
    "aws:SourceAccount",
    "aws:SourceOrgID",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "kms:CallerAccount",
)
"""Condition keys that identify the caller by an id. A condition that compares one of them with ids without wildcards is
enough to refuse foreign callers.
"""
CALLER_ARN_KEYS = ("aws:PrincipalArn", "aws:SourceArn")
"""Condition keys that identify the caller by an ARN. A condition on one of them is enough if each of its ARNs contains
an account id or names one bucket. An ARN with an account id may have wildcards in its other parts.
"""
SERVICE_ACCOUNT_KEYS = ("aws:SourceAccount", "aws:SourceOrgID", "kms:CallerAccount")
"""Condition keys that identify the account for which an AWS service acts."""
ENCRYPTION_CONTEXT = "kms:EncryptionContext:"
"""Prefix of the condition keys of a KMS key policy that name the encrypted resource, for example a log group."""


def _list_allow_statements(resource: CheckedResource) -> list[Statement]:
    return [statement for statement in parse_statements(_get_document(resource)) if statement.is_allow]


def _get_document(resource: CheckedResource) -> str | Mapping[str, Any] | None:
    """Return the IAM policy document of a resource. The permissions of an event bus or a layer have none, so their
    properties are converted to an equivalent document.
    """
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
    description="No bucket, queue, topic, key, secret, repository, log group or API allows actions to every principal.",
    remedy="Name the principal, or add a condition on the caller (aws:SourceAccount or aws:PrincipalArn).",
    frameworks=("AWS FSBP KMS.5", "AWS FSBP S3.2", "AWS FSBP S3.3", "AWS FSBP SNS.4", "AWS FSBP SQS.3"),
    types=RESOURCE_POLICIES,
    excusable=False,
)
def _check_resource_policy_not_public(resource: CheckedResource) -> Iterator[str]:
    for statement in _list_allow_statements(resource):
        for kind, value in statement.principals:
            if kind in {"*", "AWS"} and value == "*" and not _limits_caller(statement):
                yield f"The IAM policy allows {', '.join(statement.actions)} to every principal."


def _limits_caller(statement: Statement) -> bool:
    """Return True if the conditions of a statement refuse foreign callers.

    `is_pinned_by` allows no wildcards in the values. `is_narrowed_by` allows them, because an ARN may have wildcards in
    other parts than the account id.
    """
    return any(statement.is_pinned_by(key) for key in CALLER_KEYS) or any(
        statement.is_narrowed_by(key)
        and all(contains_account(arn) or _names_bucket(arn) for arn in statement.condition_values(key))
        for key in CALLER_ARN_KEYS
    )


@POLICIES.resource(
    "resource-policy-source-account",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every service that the IAM policy of a resource allows must act for a named account.",
    remedy="Add a StringEquals condition on aws:SourceAccount.",
    frameworks=("AWS Well-Architected SEC03-BP07",),
    types=RESOURCE_POLICIES,
    excusable=False,
)
def _check_resource_policy_source_account(resource: CheckedResource) -> Iterator[str]:
    for statement in _list_allow_statements(resource):
        services = [value for kind, value in statement.principals if kind == "Service"]
        if services and not _limits_service_account(statement):
            yield f"The IAM policy allows {', '.join(services)} without a condition on the account that the service acts for."


def _limits_service_account(statement: Statement) -> bool:
    """Return True if the conditions of a statement name the account for which a service acts. A condition on a KMS
    encryption context is enough, because it names the encrypted resource.
    """
    if any(statement.is_pinned_by(key) for key in SERVICE_ACCOUNT_KEYS):
        return True
    if statement.is_narrowed_by("aws:SourceArn") and all(
        map(contains_account, statement.condition_values("aws:SourceArn"))
    ):
        return True
    return any(
        key.startswith(ENCRYPTION_CONTEXT) and statement.is_narrowed_by(key)
        for keys in statement.conditions.values()
        for key in keys
    )


def _names_bucket(arn: str) -> bool:
    """Return True if an ARN names one bucket without wildcards. Bucket names are unique, so the bucket belongs to one
    account.
    """
    name = arn.partition(":s3:::")[2]
    return bool(name) and not {"*", "?"} & set(name)


@POLICIES.resource(
    "resource-policy-no-wildcard-action",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="IAM policies of resources allow exact actions. Only a KMS key's own account may have kms:*.",
    remedy="List each action.",
    types=RESOURCE_POLICIES,
)
def _check_resource_policy_no_wildcard_action(resource: CheckedResource) -> Iterator[str]:
    for statement in _list_allow_statements(resource):
        is_for_account = all(kind == "AWS" and value.endswith(":root") for kind, value in statement.principals)
        for action in statement.actions:
            if {"*", "?"} & set(action) and not (is_for_account and action == "kms:*"):
                yield f"The IAM policy allows the action pattern {action}."


@POLICIES.resource_in_stack(
    "function-permission-source",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A service may call a function only for resources of one named account.",
    remedy="Set sourceArn. Also set sourceAccount if the ARN contains no account, as for a bucket.",
    frameworks=("AWS FSBP Lambda.1",),
    types={FUNCTION_PERMISSION},
    excusable=False,
)
def _check_function_permission_source(permission: CheckedResource, _stack: CheckedStack) -> Iterator[str]:
    # A `ResourcePolicy` gets resources without references, so this is a `ResourceInStackPolicy`.
    principal = str(permission.props.get("principal"))
    if principal == "*" and not permission.has_property("principalOrgId"):
        yield "principal is *, so every AWS account may call the function."
    if not principal.endswith(".amazonaws.com"):
        return
    if not permission.has_property("sourceArn"):
        yield f"{principal} may call the function for any resource of any account, because sourceArn is missing."
    elif not permission.has_property("sourceAccount") and not _source_has_account(permission):
        arn = permission.props.get("sourceArn")
        yield f"{principal} may call the function for any account, because {arn} contains no account."


API_TYPES = frozenset({REST_API, API_V2})
"""Resource types of APIs. AWS assigns the id of an API, so the API's ARN is unknown in a preview before the first
deployment.
"""


def _source_has_account(permission: CheckedResource) -> bool:
    """Return True if the source ARN contains an account, so that `sourceAccount` is not needed.

    For permissions of API Gateway, an account in the ARN must be enough. `sourceAccount` cannot be required for them,
    because AWS does not document that API Gateway sends it.

    Raise UnknownValueError if the ARN is unknown and does not come from an API. The check is then undecided.
    """
    try:
        return contains_account(str(permission.props.get("sourceArn")))
    except UnknownValueError:
        # The ARN of an API always contains the account, so its value is not needed.
        if {source.type for source in permission.references.get("sourceArn", ())} & API_TYPES:
            return True
        raise


@POLICIES.resource(
    "function-url-not-public",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A function URL accepts only requests that are signed with IAM credentials.",
    remedy="Set authorizationType to AWS_IAM, or use an API with an authorizer.",
    types={FUNCTION_URL},
    excusable=False,
)
def _check_function_url_not_public(url: CheckedResource) -> Iterator[str]:
    if url.props.get("authorizationType") != "AWS_IAM":
        yield f"authorizationType is {url.props.get('authorizationType')}, so everyone may call the function."
