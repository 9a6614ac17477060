"""Guardrail policies about the statements of IAM policy documents. A statement must name actions that exist,
and resources that fit the actions, by ARNs that are as specific as AWS allows. It must not use NotAction, NotResource
or NotPrincipal.
"""

from collections.abc import Iterator

from guardrails.model import iam_action_table
from guardrails.model.arn_parser import has_name
from guardrails.model.iam_documents import patterns_overlap
from guardrails.model.resource_types import IDENTITY_POLICIES, RESOURCE_POLICIES
from guardrails.model.role_statements import (
    list_allow_statements,
    list_statements,
    list_statements_and_trust,
)
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

ACTIONS_ON_GENERATED_IDS = frozenset(
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
"""Actions on resources whose id AWS generates when they are created, so that an ARN cannot contain it before: a job, a
network interface, a recovery point.
"""


@POLICIES.resource(
    "iam-no-wildcard-action",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="IAM policies of roles, users and groups allow exact actions, without wildcards.",
    remedy="List each action that the code calls.",
    frameworks=("AWS FSBP IAM.1", "AWS FSBP IAM.21", "CIS AWS 3.0 1.16"),
    types=IDENTITY_POLICIES,
)
def _check_iam_no_wildcard_action(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        for action in statement.actions:
            if {"*", "?"} & set(action):
                yield f"The IAM policy allows the action pattern {action}."


@POLICIES.resource(
    "iam-no-star-resource",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="An action that can be limited to resources is not allowed on `*`.",
    remedy=(
        "Use the resource's ARN. The method grant() of a block (a component of components/blocks/) returns a permission "
        "with this ARN."
    ),
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=IDENTITY_POLICIES,
)
def _check_iam_no_star_resource(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        for action in statement.actions if "*" in statement.resources else ():
            if iam_action_table.has_resource_level(action):
                arn_pattern = iam_action_table.get_arn_patterns(action)[0]
                yield f"The IAM policy allows {action} on *, but the action can be limited to {arn_pattern}."


@POLICIES.resource(
    "iam-resource-is-named",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "Every ARN that an IAM policy of a role, user or group allows contains at least a part of the resource's name, "
        "except where AWS generates the name."
    ),
    remedy="Use the resource's name or a prefix of it in the ARN.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=IDENTITY_POLICIES,
)
def _check_iam_resource_is_named(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        actions = ", ".join(statement.actions)
        for arn in statement.resources if not set(statement.actions) <= ACTIONS_ON_GENERATED_IDS else ():
            if arn != "*" and not has_name(arn):
                yield f"The IAM policy allows {actions} on {arn}, which matches every resource of that type."


@POLICIES.resource(
    "iam-action-exists",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every action without wildcards in an IAM policy of a role, user or group exists in AWS.",
    remedy="Look up the action in the service authorization reference. For example, HeadObject needs s3:GetObject.",
    types=IDENTITY_POLICIES,
)
def _check_iam_action_exists(resource: CheckedResource) -> Iterator[str]:
    for statement in list_statements(resource):
        for action in statement.actions:
            if not {"*", "?"} & set(action) and not iam_action_table.is_known_action(action):
                yield f"AWS has no action {action}, so its entry in the statement has no effect."


@POLICIES.resource(
    "iam-resource-fits-action",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every action of a statement supports the types of the statement's resources.",
    remedy=(
        "Use the resource type that the action needs, for example an object's ARN instead of its "
        "bucket's, or the ARN of a Lambda alias, which ends in the alias's name."
    ),
    types=IDENTITY_POLICIES,
)
def _check_iam_resource_fits_action(resource: CheckedResource) -> Iterator[str]:
    for statement in list_statements(resource):
        for action in statement.actions:
            arn_patterns = iam_action_table.get_arn_patterns(action) if not {"*", "?"} & set(action) else ()
            for arn in statement.resources if arn_patterns else ():
                if arn != "*" and not any(patterns_overlap(arn, pattern) for pattern in arn_patterns):
                    yield f"{action} does not apply to {arn}. It applies to resources of the form {' or '.join(arn_patterns)}."


@POLICIES.resource(
    "iam-no-negation",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="No IAM policy document uses NotAction, NotResource or NotPrincipal, except to deny.",
    remedy="List the allowed elements. To refuse requests, use a Deny statement with a condition.",
    types=IDENTITY_POLICIES | RESOURCE_POLICIES,
)
def _check_iam_no_negation(resource: CheckedResource) -> Iterator[str]:
    for statement in list_statements_and_trust(resource):
        for element in statement.not_elements if statement.effect != "Deny" else ():
            yield f"The document uses {element}, which also covers everything that AWS adds later."


@POLICIES.resource(
    "iam-metrics-in-namespace",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="cloudwatch:PutMetricData, which cannot be limited to resources, is limited to a namespace.",
    remedy="Add a condition on cloudwatch:namespace.",
    types=IDENTITY_POLICIES,
)
def _check_iam_metrics_in_namespace(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        if statement.covers_action("cloudwatch:PutMetricData") and not statement.is_narrowed_by("cloudwatch:namespace"):
            yield "The IAM policy allows cloudwatch:PutMetricData in every namespace, including those of AWS."
