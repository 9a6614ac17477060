"""Who may exist at all: roles with documents of their own; no managed policies, no users, no keys, none shared."""

from collections.abc import Iterator

from guardrails.least_privilege.effective_permissions import ATTACHMENTS, allowed, attached
from guardrails.model.resource_types import ACCESS_KEY, FUNCTION, IDENTITY_POLICIES, LOGIN_PROFILE, ROLE, USER
from guardrails.pack.policy_kinds import ALWAYS, Group, Judged, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.LEAST_PRIVILEGE)

OF_AWS = ":iam::aws:policy/"
BROAD = ("AdministratorAccess", "PowerUserAccess", "FullAccess", "ReadOnlyAccess", "SystemAdministrator")


@POLICIES.resource(
    "iam-no-full-access-policy",
    severity=Severity.CRITICAL,
    levels=ALWAYS,
    description="Nobody has an AWS-managed administrator, full-access or read-everything policy.",
    remedy="Give grants for what the code calls.",
    frameworks=("AWS FSBP IAM.1", "CIS AWS 3.0 1.16"),
    types=ATTACHMENTS | {ROLE},
)
def _broad_policies(one: Judged) -> Iterator[str]:
    for arn in attached(one):
        if OF_AWS in arn and any(word in arn for word in BROAD):
            yield f"It has {arn.rpartition('/')[2]}, which reaches far beyond this program."


@POLICIES.resource(
    "iam-no-managed-policy",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="No role has a policy that AWS manages, not even a small one.",
    remedy="Grant the few actions of it that are needed.",
    types=ATTACHMENTS | {ROLE},
)
def _managed_policies(one: Judged) -> Iterator[str]:
    for arn in attached(one):
        if OF_AWS in arn and not any(word in arn for word in BROAD):
            yield f"It has {arn.rpartition('/')[2]}, which AWS widens without asking."


@POLICIES.resource(
    "iam-no-long-lived-credentials",
    severity=Severity.CRITICAL,
    levels=ALWAYS,
    description="There are no IAM users, access keys or passwords.",
    remedy="Let a role be assumed, by a service or by a federated identity.",
    frameworks=("AWS Well-Architected SEC02-BP02",),
    types={ACCESS_KEY, LOGIN_PROFILE, USER},
)
def _long_lived(one: Judged) -> Iterator[str]:
    what = {ACCESS_KEY: "an access key", LOGIN_PROFILE: "a password", USER: "an IAM user"}[one.type]
    yield f"It is {what}, which stays valid until somebody remembers it."


@POLICIES.relation(
    "iam-one-role-a-function",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="Every function has a role of its own.",
    remedy="Use the function block, which makes one.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types={FUNCTION},
)
def _shared_roles(one: Judged, stack: Stack) -> Iterator[str]:
    mine = _role_of(one)
    others = [other.name for other in stack.of(FUNCTION) if other.urn != one.urn and mine and _role_of(other) == mine]
    if others:
        yield f"It shares its role with {', '.join(others)}: each may do what the other needs."


def _role_of(function: Judged) -> str:
    """Which role a function has; while its ARN is not known, the resource that it comes from tells."""
    references = function.references.get("role", ())
    return references[0].urn if references else str(function.props.get("role"))


@POLICIES.resource(
    "iam-metrics-in-namespace",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="PutMetricData, which has no resource level, is limited to a namespace.",
    remedy="Add a condition on cloudwatch:namespace.",
    types=IDENTITY_POLICIES,
)
def _metrics_anywhere(one: Judged) -> Iterator[str]:
    for statement in allowed(one):
        if statement.does("cloudwatch:PutMetricData") and not statement.narrowed_by("cloudwatch:namespace"):
            yield "It may write cloudwatch metrics into every namespace, AWS' own included."
