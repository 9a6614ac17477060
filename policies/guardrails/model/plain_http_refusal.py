"""Check of the IAM policies of buckets, queues and topics: a statement must deny requests without TLS."""

from collections.abc import Sequence

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.iam_documents import Statement, parse_statements
from guardrails.pack.policy_kinds import CheckedResource, CheckedStack

SERVICE_WIDE_ACTIONS = frozenset({"sns:Publish"})
"""Actions that count as all actions of a service. Topic policies do not accept `sns:*`, so they deny `sns:Publish`."""


def list_own_policy(resource: CheckedResource, stack: CheckedStack) -> list[CheckedResource]:
    """Return a list with the bucket, queue or topic itself if the program sets an IAM policy in its property `policy`,
    otherwise an empty list.

    A value that the program does not set is ignored: it is the IAM policy that a separate resource, for example a
    bucket policy, had attached in the last deployment.
    """
    if not stack.is_set_by_program(resource, "policy"):
        return []
    try:
        return [resource] if resource.props.get("policy") else []
    except UnknownValueError:
        if resource.references.get("policy"):
            raise  # the IAM policy depends on another resource, and is known only during the deployment
        return []


def refuses_plain_http(policy: CheckedResource) -> bool:
    """Return True if the property `policy` of a resource denies all requests without TLS, for all principals."""
    return any(
        statement.effect == "Deny"
        and any(value == "*" for _, value in statement.principals)
        and any(
            action == "*" or action.endswith(":*") or action in SERVICE_WIDE_ACTIONS for action in statement.actions
        )
        and _covers_whole_resource(statement.resources)
        and _is_tls_the_only_condition(statement)
        for statement in parse_statements(policy.props.get("policy"))
    )


def _is_tls_the_only_condition(statement: Statement) -> bool:
    """Return True if the statement denies every request without TLS. With a second condition, it would deny only the
    requests that meet this condition too.
    """
    compared = [(operator.lower(), key.lower()) for operator, keys in statement.conditions.items() for key in keys]
    values = [value.lower() for value in statement.condition_values("aws:SecureTransport")]
    return compared == [("bool", "aws:securetransport")] and values == ["false"]


def _covers_whole_resource(resources: Sequence[str]) -> bool:
    """Return True if the ARNs cover the whole resource. For a bucket they must cover the bucket and its objects, by two
    ARNs or by `*`.
    """
    return any(":s3:::" not in arn or (not arn.endswith("/*") and f"{arn}/*" in resources) for arn in resources)
