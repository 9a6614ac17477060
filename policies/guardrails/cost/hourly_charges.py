"""What is paid by the hour for being there (NAT, interface endpoints, customer keys) says why, by its tag `Reason`."""

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
    description="There is no NAT gateway without a reason.",
    remedy=f"Use gateway endpoints and public subnets, or give the tag {REASON_TAG} (15 characters or more).",
    types={NAT_GATEWAY},
)
def _check_nat_with_reason(gateway: CheckedResource) -> Iterator[str]:
    if not gateway.has_reason():
        yield f"It is paid by the hour and by the gigabyte, and no tag {REASON_TAG} says what for."


@POLICIES.resource(
    "interface-endpoint-with-reason",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="There is no interface endpoint without a reason.",
    remedy=f"Use a gateway endpoint (S3, DynamoDB), or give the tag {REASON_TAG} (15 characters or more).",
    types={VPC_ENDPOINT},
)
def _check_interface_endpoint_with_reason(endpoint: CheckedResource) -> Iterator[str]:
    if endpoint.props.get("vpcEndpointType") == "Interface" and not endpoint.has_reason():
        yield f"It is paid by the hour in each zone, and no tag {REASON_TAG} says which function or job calls it."


@POLICIES.resource(
    "customer-key-with-reason",
    severity=PolicySeverity.LOW,
    levels=MANDATORY_EVERYWHERE,
    description="There is no customer-managed key without a reason.",
    remedy=f"Use the key that the service owns, or give the tag {REASON_TAG} (15 characters or more).",
    types={KMS_KEY},
)
def _check_customer_key_with_reason(key: CheckedResource) -> Iterator[str]:
    if not key.has_reason():
        yield f"It is paid by the month and by the use, and no tag {REASON_TAG} says why AWS' own key is not enough."
