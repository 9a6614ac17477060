"""Policy documents by their words: actions that exist, resources that they can have, no patterns, no negations."""

from collections.abc import Iterator

from guardrails.least_privilege.effective_permissions import list_all_statements, list_allow_statements, list_statements
from guardrails.model import iam_actions
from guardrails.model.iam_documents import patterns_overlap
from guardrails.model.resource_types import IDENTITY_POLICIES, RESOURCE_POLICIES
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

IDS_OF_AWS = frozenset(
    {
        "backup:TagResource",
        "batch:CancelJob",
        "batch:TerminateJob",
        "ec2:CreateNetworkInterface",
        "ec2:CreateTags",
        "ec2:DeleteNetworkInterface",
        "mediaconvert:CancelJob",
        "mediaconvert:GetJob",
    }
)
"""Actions on what AWS gives an id of its own when it is made: a job, a network interface, a recovery point."""
WITHOUT_KIND = frozenset({"codecommit", "execute-api", "sns", "sqs"})
"""Services whose ARNs begin with a name, as those of buckets do, which alone have no region; all others' with a kind."""
BEFORE_NAME = {"autoScalingGroup": 2, "global": 1, "loadbalancer": 1, "regional": 1}
"""Kinds whose name is not the next word: so many others stand between."""


@POLICIES.resource(
    "iam-no-wildcard-action",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A role is allowed single actions, never a pattern of them.",
    remedy="Name each action that the code calls.",
    frameworks=("AWS FSBP IAM.1", "AWS FSBP IAM.21", "CIS AWS 3.0 1.16"),
    types=IDENTITY_POLICIES,
)
def _check_iam_no_wildcard_action(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        for action in statement.actions:
            if "*" in action:
                yield f"It allows {action}."


@POLICIES.resource(
    "iam-no-star-resource",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="An action that can be limited to resources is limited to them.",
    remedy="Name the ARN: a block's grant() gives it.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=IDENTITY_POLICIES,
)
def _check_iam_no_star_resource(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        for action in statement.actions if "*" in statement.resources else ():
            if iam_actions.has_resource_level(action):
                yield f"It allows {action} on *, but it can be limited to {iam_actions.get_arn_patterns(action)[0]}."


@POLICIES.resource(
    "iam-resource-is-named",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="An ARN in a role's policy names something, not all tables, all buckets or all roles.",
    remedy="Name the resource, or a prefix of its name.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=IDENTITY_POLICIES,
)
def _check_iam_resource_is_named(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        for arn in statement.resources if not set(statement.actions) <= IDS_OF_AWS else ():
            if arn != "*" and not _names_something(arn):
                yield f"It allows {', '.join(statement.actions)} on {arn}, which is everything of that kind."


def _names_something(arn: str) -> bool:
    """Whether an ARN says which resource: more than kinds and wildcards."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return False
    service, region = parts[2:4]
    words = [word for word in parts[5].replace(":", "/").split("/") if word]
    if len(words) > 1 and service not in WITHOUT_KIND and not (service == "s3" and not region):
        kind, *words = words
        words = words[min(BEFORE_NAME.get(kind, 0), len(words) - 1) :]
    return any(letter.isalnum() for letter in "".join(words[:1]))


@POLICIES.resource(
    "iam-action-exists",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every action of a role's policy is one that AWS has.",
    remedy="Look it up in the service authorization reference (s3:HeadObject is s3:GetObject, for instance).",
    types=IDENTITY_POLICIES,
)
def _check_iam_action_exists(resource: CheckedResource) -> Iterator[str]:
    for statement in list_statements(resource):
        for action in statement.actions:
            if "*" not in action and not iam_actions.is_known_action(action):
                yield f"{action} is no action of AWS, so it allows nothing."


@POLICIES.resource(
    "iam-resource-fits-action",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every action is allowed on resources that it can have.",
    remedy="Name the kind of resource that the action has (an object instead of its bucket, an alias with its name).",
    types=IDENTITY_POLICIES,
)
def _check_iam_resource_fits_action(resource: CheckedResource) -> Iterator[str]:
    for statement in list_statements(resource):
        for action in statement.actions:
            known = iam_actions.get_arn_patterns(action) if "*" not in action else ()
            for arn in statement.resources if known else ():
                if arn != "*" and not any(patterns_overlap(arn, pattern) for pattern in known):
                    yield f"{action} can never be allowed on {arn}: its resources look like {known[0]}."


@POLICIES.resource(
    "iam-no-negation",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="No policy document uses NotAction, NotResource or NotPrincipal.",
    remedy="Say what is allowed; refuse by a Deny with a condition.",
    types=IDENTITY_POLICIES | RESOURCE_POLICIES,
)
def _check_iam_no_negation(resource: CheckedResource) -> Iterator[str]:
    for statement in list_all_statements(resource):
        for element in statement.not_elements:
            yield f"It uses {element}, which covers whatever AWS adds tomorrow."
