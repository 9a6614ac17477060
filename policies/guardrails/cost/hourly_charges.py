"""Policies about resources that are billed for existing: NAT gateways, interface endpoints and customer-managed keys.
Each needs a tag `Reason`.
"""

from collections.abc import Iterator

from guardrails.model.resource_types import KMS_KEY, NAT_GATEWAY, VPC_ENDPOINT
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    REASON_TAG,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)


@POLICIES.resource(
    "nat-with-reason",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every NAT gateway has a tag with its reason.",
    remedy=f"Use gateway endpoints and public subnets, or give the tag {REASON_TAG} (15 characters or more).",
    types={NAT_GATEWAY},
)
def _check_nat_with_reason(gateway: CheckedResource) -> Iterator[str]:
    if not gateway.has_reason():
        yield f"The gateway is billed by the hour, and has no tag {REASON_TAG} that says why it is needed."


@POLICIES.resource(
    "interface-endpoint-with-reason",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every interface endpoint has a tag with its reason.",
    remedy=f"Use a gateway endpoint (S3, DynamoDB), or give the tag {REASON_TAG} (15 characters or more).",
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
    remedy=f"Use the AWS-owned key of the service, or give the tag {REASON_TAG} (15 characters or more).",
    types={KMS_KEY},
)
def _check_customer_key_with_reason(key: CheckedResource) -> Iterator[str]:
    if not key.has_reason():
        yield f"The key is billed monthly, and has no tag {REASON_TAG} that says why the AWS-owned key is not enough."
