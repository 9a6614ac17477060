"""Guardrail policies about resources that are billed by the hour or month, used or not.

Interface endpoints and customer-managed keys must have the tag `Reason`, which explains the cost.
Services that always run, and cache clusters of REST stages, are not allowed.
"""

from collections.abc import Iterator

from guardrails.model.resource_types import KMS_KEY, REST_STAGE, VPC_ENDPOINT
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    REASON_TAG,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)

ALWAYS_ON_MODULES = (
    "docdb",
    "elasticache",
    "elasticsearch",
    "eks",
    "emr",
    "fsx",
    "kendra",
    "lightsail",
    "memorydb",
    "mq",
    "msk",
    "mwaa",
    "neptune",
    "opensearch",
    "rds",
    "redshift",
    "sagemaker",
)
"""Provider modules of services that are billed by the hour, used or not."""
ALWAYS_ON_TYPES = frozenset(
    {
        "aws:alb/loadBalancer:LoadBalancer",
        "aws:ec2/fleet:Fleet",
        "aws:ec2/instance:Instance",
        "aws:ec2/launchTemplate:LaunchTemplate",
        "aws:ec2/spotFleetRequest:SpotFleetRequest",
        "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
        "aws:bedrock/provisionedModelThroughput:ProvisionedModelThroughput",
        "aws:ecs/service:Service",
        "aws:elb/loadBalancer:LoadBalancer",
        "aws:lb/loadBalancer:LoadBalancer",
        *(f"aws:{module}/" for module in ALWAYS_ON_MODULES),
    }
)
"""Types of resources that are billed by the hour, used or not, or that start such resources. An entry that ends in `/`
means all types of that module."""


@POLICIES.resource(
    "interface-endpoint-with-reason",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every interface endpoint has a tag with its reason.",
    remedy=f"Use a gateway endpoint (S3, DynamoDB), or give the endpoint the tag {REASON_TAG} (15 characters or more).",
    types={VPC_ENDPOINT},
)
def _check_interface_endpoint_with_reason(endpoint: CheckedResource) -> Iterator[str]:
    if endpoint.props.get("vpcEndpointType") == "Interface" and not endpoint.has_reason():
        yield f"The endpoint is billed by the hour, and has no tag {REASON_TAG} that says which code uses it."


@POLICIES.resource(
    "customer-key-with-reason",
    severity=PolicySeverity.LOW,
    levels=MANDATORY_EVERYWHERE,
    description="Every customer-managed key has a tag with its reason.",
    remedy=(
        "Use the default encryption of the service, whose keys AWS owns and does not bill, or give the key the tag "
        f"{REASON_TAG} (15 characters or more)."
    ),
    types={KMS_KEY},
)
def _check_customer_key_with_reason(key: CheckedResource) -> Iterator[str]:
    if not key.has_reason():
        yield f"The key is billed monthly, and has no tag {REASON_TAG} that explains why default encryption is not enough."


@POLICIES.resource(
    "no-always-on-service",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="The stack has no EC2 instances, databases, clusters or other services that are billed while idle.",
    remedy="Use services that are billed by use (Lambda, DynamoDB, SQS, Batch on Fargate), or add an exception.",
    types=ALWAYS_ON_TYPES,
)
def _check_no_always_on_service(resource: CheckedResource) -> Iterator[str]:
    yield f"{resource.type} is billed by the hour, used or not."


@POLICIES.resource(
    "rest-api-no-cache-cluster",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="REST stages have no cache cluster, which is billed by the hour.",
    remedy="Set cacheClusterEnabled to false. Clients can cache responses.",
    types={REST_STAGE},
)
def _check_rest_api_no_cache_cluster(stage: CheckedResource) -> Iterator[str]:
    if stage.props.get("cacheClusterEnabled"):
        yield f"cacheClusterEnabled is true: {stage.props.get('cacheClusterSize', '?')} GB are billed by the hour."
