"""The tags by which cost, ownership and access are told apart, on everything that can be tagged."""

from collections.abc import Iterator
from typing import Final

from guardrails import types
from guardrails.record import REMEDIED, Group, Judged, PolicySet, Props, Severity

POLICIES = PolicySet(Group.COST)

REQUIRED: Final = ("Project", "Environment", "Subsystem", "Owner", "CostCenter", "Name")

TAGGABLE: Final = frozenset(
    {
        types.ALARM,
        types.ANOMALY_SUBSCRIPTION,
        types.BACKUP_PLAN,
        types.BACKUP_VAULT,
        types.BATCH_ENVIRONMENT,
        types.BATCH_JOB,
        types.BATCH_QUEUE,
        *types.BUCKETS,
        types.BUDGET,
        types.COMPOSITE_ALARM,
        types.DEFAULT_SECURITY_GROUP,
        types.ELASTIC_IP,
        types.ENDPOINT,
        types.FUNCTION,
        types.FUNCTION_SOURCE,
        types.GLUE_JOB,
        types.IDENTITY_POOL,
        types.KEY,
        types.LOG_GROUP,
        types.MEDIA_QUEUE,
        types.MEMORY,
        types.NAT_GATEWAY,
        types.PARAMETER,
        types.QUEUE,
        types.REPOSITORY,
        types.REST_API,
        types.REST_STAGE,
        types.ROLE,
        types.SECRET,
        types.SECURITY_GROUP,
        types.SOCKET_API,
        types.SOCKET_STAGE,
        types.TABLE,
        types.TASK_DEFINITION,
        types.TOPIC,
        types.WEB_ACL,
        types.WORKFLOW,
        types.WORKGROUP,
        "aws:athena/dataCatalog:DataCatalog",
        "aws:cloudwatch/eventRule:EventRule",
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


def _tagged(one: Judged) -> Props:
    """What the stack and the resource's own name say; whatever is given already stays."""
    tags = one.props.get("tags") or {}
    if isinstance(tags, str):  # not known yet
        return {}
    known = {**one.surroundings.tags, "Subsystem": one.subsystem, "Name": one.name}
    added = {tag: known[tag] for tag in REQUIRED if tag in known and not tags.get(tag)}
    return {"tags": added} if added else {}


@POLICIES.resource(
    "required-tags",
    severity=Severity.MEDIUM,
    levels=REMEDIED,
    description="Everything carries the tags by which cost and ownership are told apart.",
    remedy="Give it scope.tags(…).",
    frameworks=("AWS Well-Architected COST03-BP02",),
    types=TAGGABLE,
    remediate=_tagged,
)
def _missing(one: Judged) -> Iterator[str]:
    tags = one.props.get("tags") or {}
    missing = [tag for tag in REQUIRED if not tags.get(tag)]
    if missing:
        yield f"It has no tag {', '.join(missing)}."
