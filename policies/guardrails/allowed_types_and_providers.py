"""Guardrail policies about the types of resources, and about providers.

The pack must know the type of every resource: either a policy about access, data or reliability names the type, or
`TYPES_WITHOUT_POLICY` lists it with the reason why no such policy does. Otherwise, a resource could avoid all checks.
For example, a CloudFormation stack can create any AWS resource, and the pack would not see it.

A provider must not create resources in another account.
"""

import re
from collections.abc import Iterator

from guardrails import data_protection, least_privilege, reliability
from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import (
    EVERY_TYPE,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
    ResourceInStackPolicy,
    ResourcePolicy,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

STACK = "pulumi:pulumi:Stack"
AWS_PROVIDER = "pulumi:providers:aws"
DEFAULT_PROVIDER = re.compile(r"default(_\d+)*")
"""Name of the provider that the engine creates from the stack's configuration."""
HARMLESS_PROVIDER_SETTINGS = frozenset({"allowedAccountIds", "defaultTags", "region", "version"})
"""Settings of an explicit provider that neither change the account nor the addresses of services."""
REDIRECTING_SETTINGS = frozenset({"accessKey", "endpoints", "insecure", "secretKey", "token"})
"""Settings that not even the default provider may have. Credentials belong into the environment, and `endpoints` would
send requests to other addresses.
"""

_OWN_NETWORK = "It is part of the network of this stack. network-not-open checks what may enter it."
_WITH_BUCKET = "The policies about buckets check it together with its bucket."
TYPES_WITHOUT_POLICY = {
    STACK: "It is the stack itself, whose inputs are the stack's configuration.",
    t.API_GATEWAY_ACCOUNT: "It names the role with which API Gateway writes logs. The policies about roles check it.",
    "aws:apigatewayv2/deployment:Deployment": "It copies the routes and integrations, which are checked themselves.",
    "aws:apigatewayv2/routeResponse:RouteResponse": "It only makes a route answer.",
    t.ATHENA_WORKGROUP: "bucket-known checks its output, and query-scans-limited its limits.",
    t.BACKUP_PLAN: "account-known checks the vaults that it copies to.",
    "aws:backup/regionSettings:RegionSettings": "It enables the backup of types of resources.",
    t.BACKUP_SELECTION: "table-backed-up checks it together with the tables.",
    t.BACKUP_VAULT: "resource-policy-not-public checks its policy.",
    t.BATCH_ENVIRONMENT: "batch-spot-first and network-not-open check its capacity and network.",
    t.BATCH_QUEUE: "It only connects jobs and compute environments, which are checked themselves.",
    t.AGENT_MEMORY: "memory-expires checks it, and resource-policy-not-public its policy.",
    "aws:bedrock/agentcoreMemoryStrategy:AgentcoreMemoryStrategy": "account-known checks its model and role.",
    t.BUDGET: "budget-exists checks it. It has no access to data.",
    t.DASHBOARD: "account-known checks the accounts of its metrics.",
    t.EVENT_ARCHIVE: "It stores events of a bus of this stack.",
    t.EVENT_RULE: "The policies about event targets check what it starts.",
    t.LOG_GROUP: "logs-expire checks it, and account-known its key.",
    t.METRIC_FILTER: "It counts log lines.",
    t.IDENTITY_POOL_ROLES: "The policies about guests check the roles that it attaches.",
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": "It has access to cost only.",
    t.ANOMALY_SUBSCRIPTION: "account-known checks the topic that it notifies.",
    "aws:ec2/internetGateway:InternetGateway": _OWN_NETWORK,
    "aws:ec2/route:Route": _OWN_NETWORK,
    "aws:ec2/routeTable:RouteTable": _OWN_NETWORK,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _OWN_NETWORK,
    "aws:ec2/subnet:Subnet": _OWN_NETWORK,
    "aws:ec2/vpc:Vpc": _OWN_NETWORK,
    t.IMAGE_REPOSITORY_LIFECYCLE: "It only deletes images.",
    "aws:glue/catalogDatabase:CatalogDatabase": "account-known and bucket-known check its catalog and location.",
    "aws:glue/catalogTable:CatalogTable": "account-known and bucket-known check its catalog and location.",
    t.FUNCTION_ALIAS: "It names a version of a function, which is checked itself.",
    "aws:lambda/layerVersion:LayerVersion": "It contains code of this program, which no caller can read or run alone.",
    t.PROVISIONED_CONCURRENCY: "function-provisioned-ceiling checks it.",
    t.MEDIACONVERT_QUEUE: "It only limits the jobs, which workflows start.",
    t.BUCKET_ENCRYPTION: _WITH_BUCKET,
    t.BUCKET_LIFECYCLE: _WITH_BUCKET,
    t.BUCKET_OWNERSHIP: _WITH_BUCKET,
    t.BUCKET_PUBLIC_ACCESS: _WITH_BUCKET,
    t.BUCKET_VERSIONING: _WITH_BUCKET,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "It lets nothing in.",
}
"""Types that no `ResourcePolicy` or `ResourceInStackPolicy` about access, data or reliability names, each with the reason.
Policies about all types, about the whole stack or about cost check most of them.
"""


def list_checked_types() -> frozenset[str]:
    """Return the types that a `ResourcePolicy` or `ResourceInStackPolicy` about access, data or reliability names.

    Policies about the whole stack name no types. Policies about cost do not count, because they do not look at access.
    """
    return frozenset(
        resource_type
        for policy in (*least_privilege.POLICIES, *data_protection.POLICIES, *reliability.POLICIES)
        if isinstance(policy, ResourcePolicy | ResourceInStackPolicy)
        for resource_type in policy.types
    )


_KNOWN_TYPES = list_checked_types() | TYPES_WITHOUT_POLICY.keys() | {AWS_PROVIDER}


@POLICIES.resource(
    "resource-type-checked",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Every type of resource is checked by a policy, or is listed with the reason why it needs none.",
    remedy=(
        "Add the type to a policy that checks its access and data, or to TYPES_WITHOUT_POLICY in "
        "policies/guardrails/allowed_types_and_providers.py with a reason. Replace a resource that runs arbitrary code or "
        "templates by typed resources."
    ),
    types={EVERY_TYPE},
    excusable=False,
)
def _check_resource_type_checked(resource: CheckedResource) -> Iterator[str]:
    if resource.type not in _KNOWN_TYPES and not resource.type.startswith(t.COMPONENTS):
        yield f"No policy checks resources of the type {resource.type}."


@POLICIES.resource(
    "provider-not-redirected",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No provider has its own credentials, role or service addresses, which could lead to another account.",
    remedy="Use the default provider, or an explicit one that sets only its region and tags.",
    types={AWS_PROVIDER},
    excusable=False,
)
def _check_provider_not_redirected(provider: CheckedResource) -> Iterator[str]:
    for key in sorted(provider.props):
        if key in REDIRECTING_SETTINGS or not (
            key in HARMLESS_PROVIDER_SETTINGS or DEFAULT_PROVIDER.fullmatch(provider.name)
        ):
            yield f"The provider {provider.name} sets {key}, so its resources can belong to another account."
