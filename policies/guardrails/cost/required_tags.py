"""Guardrail policy about tags: every taggable resource has the tags that tell what it belongs to, who owns it and who
pays for it.
"""

from collections.abc import Iterator
from typing import Final

from guardrails.model import resource_types
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)

REQUIRED_TAGS: Final = ("Project", "Environment", "Subsystem", "Owner", "CostCenter", "Name")

TAGGABLE: Final = frozenset(
    {
        resource_types.ALARM,
        resource_types.ANOMALY_SUBSCRIPTION,
        resource_types.BACKUP_PLAN,
        resource_types.BACKUP_VAULT,
        resource_types.BATCH_ENVIRONMENT,
        resource_types.BATCH_JOB,
        resource_types.BATCH_QUEUE,
        *resource_types.BUCKETS,
        resource_types.BUDGET,
        resource_types.COMPOSITE_ALARM,
        resource_types.DEFAULT_SECURITY_GROUP,
        resource_types.VPC_ENDPOINT,
        resource_types.FUNCTION,
        resource_types.EVENT_SOURCE_MAPPING,
        resource_types.GLUE_JOB,
        resource_types.IDENTITY_POOL,
        resource_types.KMS_KEY,
        resource_types.LOG_GROUP,
        resource_types.MEDIACONVERT_QUEUE,
        resource_types.AGENT_MEMORY,
        resource_types.SSM_PARAMETER,
        resource_types.QUEUE,
        resource_types.IMAGE_REPOSITORY,
        resource_types.REST_API,
        resource_types.EVENT_RULE,
        resource_types.REST_STAGE,
        resource_types.ROLE,
        resource_types.SECRET,
        resource_types.SECURITY_GROUP,
        resource_types.API_V2,
        resource_types.API_V2_STAGE,
        resource_types.TABLE,
        resource_types.TASK_DEFINITION,
        resource_types.TOPIC,
        resource_types.WORKFLOW,
        resource_types.ATHENA_WORKGROUP,
        "aws:athena/dataCatalog:DataCatalog",
        "aws:costexplorer/anomalyMonitor:AnomalyMonitor",
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/vpc:Vpc",
        "aws:glue/catalogDatabase:CatalogDatabase",
        "aws:scheduler/scheduleGroup:ScheduleGroup",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    }
)
"""Types whose resources must have the required tags. A test checks that the list contains each type of which the
program creates a resource with tags."""


@POLICIES.resource(
    "required-tags",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description=f"Every taggable resource has the tags {', '.join(REQUIRED_TAGS)}.",
    remedy=(
        "Set tags to the result of Scope.tags(…), a method in components/blocks/naming/subsystem_scope.py that returns "
        "all tags of a resource."
    ),
    frameworks=("AWS Well-Architected COST03-BP02",),
    types=TAGGABLE,
)
def _check_required_tags(resource: CheckedResource) -> Iterator[str]:
    tags = resource.props.get("tags") or {}
    missing = [tag for tag in REQUIRED_TAGS if not tags.get(tag)]
    if missing:
        yield f"The resource has no tag {', '.join(missing)}."
