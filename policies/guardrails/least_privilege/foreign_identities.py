"""Guardrail policies about foreign identities. No property of a resource may name an account, an organisation, a bucket
or a service that the stack does not know. Only roles may let in federated identities.

The stack's own accounts are those that `aws:allowedAccountIds` lists, and the account that the Platform component,
which contains the whole stack, publishes. The published account is the one into which the program deploys. In a preview
without an AWS account, it is the account id of `local/preview/preview_provider.py`.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.aws_identity_detection import (
    AwsIdentity,
    IdentityKind,
    find_buckets,
    find_identities,
    find_services,
)
from guardrails.model.nested_values import NestedValue, list_program_values
from guardrails.model.resource_types import BUCKETS, COMPONENTS, PLATFORM, ROLE
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    Finding,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

AWS_RESOURCES = (
    # Layers that AWS publishes: https://docs.aws.amazon.com/powertools/python/latest/getting-started/install/ and
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Lambda-Insights-extension-versions.html
    re.compile(r"arn:aws:lambda:[a-z0-9-]+:017000801446:layer:AWSLambdaPowertools[\w-]*:\d+"),
    re.compile(r"arn:aws:lambda:[a-z0-9-]+:580247275435:layer:LambdaInsightsExtension[\w-]*:\d+"),
)
"""Resources of AWS's own accounts that properties may name. The accounts themselves stay foreign, so no IAM policy may
name them as principals.
"""
AWS_BUCKETS = re.compile(r"prod-[a-z0-9-]+-starport-layer-bucket")
"""Name of the bucket in which ECR stores the layers of images. AWS owns it, and has such a bucket in each Region. The
policy of a VPC endpoint names it: https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
"""
KNOWN_SERVICES = frozenset(
    {
        "apigateway",
        "backup",
        "bedrock-agentcore",
        "budgets",
        "cloudtrail",
        "cloudwatch",
        "costalerts",
        "delivery.logs",
        "ecs-tasks",
        "events",
        "glue",
        "lambda",
        "logging.s3",
        "logs",
        "mediaconvert",
        "s3",
        "scheduler",
        "sns",
        "states",
        "transcribe",
    }
)
"""Services that may be principals: those that the program uses, and those that deliver logs and notifications."""
REGION = re.compile(r"\.[a-z]{2}(-[a-z]+)+-\d$")
"""Region at the end of the name of a regional service principal, for example in `logs.us-east-1`."""


def _list_values(stack: CheckedStack) -> Iterator[tuple[CheckedResource, NestedValue]]:
    for resource in stack.resources:
        if not resource.type.startswith(COMPONENTS):
            for nested in list_program_values(resource, stack):
                yield resource, nested


@POLICIES.stack(
    "account-known",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "No resource names a foreign account, organisation or identity: not in ARNs, policy documents, images, layers, "
        "addresses or targets."
    ),
    remedy=(
        "Use an output of a resource of this stack. If the account is this stack's own, list it in "
        "aws:allowedAccountIds."
    ),
    frameworks=("AWS Well-Architected SEC03-BP07",),
    excusable=False,
)
def _check_account_known(stack: CheckedStack) -> Iterator[Finding]:
    own_accounts = stack.context.accounts | {
        str(platform.props.get("account")) for platform in stack.list_resources(PLATFORM)
    }
    for resource, nested in _list_values(stack):
        # A text may contain one id in several forms. Only the first gets a finding.
        identities = {identity.id: identity for identity in reversed(list(find_identities(nested)))}
        for identity in identities.values():
            if identity.id not in own_accounts and not _is_aws_resource(str(nested.value)):
                yield Finding(_describe_identity(identity, nested), resource.urn)


def _is_aws_resource(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in AWS_RESOURCES)


def _describe_identity(identity: AwsIdentity, nested: NestedValue) -> str:
    where = ".".join(nested.keys)
    if identity.kind is IdentityKind.ARN_OF_EVERY_ACCOUNT:
        return f"{where} contains {identity.text}, whose account is a wildcard, so it includes foreign accounts."
    return f"{where} contains {identity.text}. The {identity.kind} {identity.id} is not known to this stack."


@POLICIES.stack(
    "bucket-known",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Every bucket that a resource names belongs to this stack, because a bucket's name does not show its account.",
    remedy="Use an output of a bucket of this stack.",
    frameworks=("AWS Well-Architected SEC03-BP07",),
    excusable=False,
)
def _check_bucket_known(stack: CheckedStack) -> Iterator[Finding]:
    own_buckets = set(_list_own_buckets(stack))
    for resource, nested in _list_values(stack):
        for name in find_buckets(nested):
            if name not in own_buckets and not AWS_BUCKETS.fullmatch(name):
                yield Finding(
                    f"{'.'.join(nested.keys)} names the bucket {name}, which this stack does not have.", resource.urn
                )


def _list_own_buckets(stack: CheckedStack) -> Iterator[str]:
    for bucket in stack.list_resources(*BUCKETS):
        with suppress(UnknownValueError):
            yield str(bucket.props.get("bucket"))


@POLICIES.stack(
    "service-known",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "Only services that the program uses are principals of IAM policies and permissions, and only roles trust "
        "federated identities."
    ),
    remedy="Remove the service, or add it to KNOWN_SERVICES in policies/guardrails/least_privilege/foreign_identities.py.",
    excusable=False,
)
def _check_service_known(stack: CheckedStack) -> Iterator[Finding]:
    for resource, nested in _list_values(stack):
        # Only the trust policy of a role can compare the claims of federated identities (`federated_trust` checks it).
        if nested.keys[-2:] == ("Principal", "Federated") and resource.type != ROLE and not nested.is_denied:
            yield Finding(f"{'.'.join(nested.keys)} lets in federated identities of {nested.value}.", resource.urn)
        for service in find_services(nested):
            name = service.lower().removesuffix(".amazonaws.com")
            if name not in KNOWN_SERVICES and REGION.sub("", name) not in KNOWN_SERVICES:
                yield Finding(
                    f"{'.'.join(nested.keys)} is the service {service}, which the program does not use.", resource.urn
                )
