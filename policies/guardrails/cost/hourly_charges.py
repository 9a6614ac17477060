"""What is paid by the hour for being there (NAT, interface endpoints, customer keys) says why, by its tag `Reason`."""

from collections.abc import Iterator

from guardrails.model.resource_types import ENDPOINT, KEY, NAT_GATEWAY
from guardrails.pack.policy_kinds import ALWAYS, REASON, Group, Judged, PolicySet, Severity

POLICIES = PolicySet(Group.COST)


@POLICIES.resource(
    "nat-with-reason",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="There is no NAT gateway without a reason.",
    remedy=f"Use gateway endpoints and public subnets, or give the tag {REASON} (15 characters or more).",
    types={NAT_GATEWAY},
)
def _nat(one: Judged) -> Iterator[str]:
    if not one.explains():
        yield f"It is paid by the hour and by the gigabyte, and no tag {REASON} says what for."


@POLICIES.resource(
    "interface-endpoint-with-reason",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="There is no interface endpoint without a reason.",
    remedy=f"Use a gateway endpoint (S3, DynamoDB), or give the tag {REASON} (15 characters or more).",
    types={ENDPOINT},
)
def _endpoint(one: Judged) -> Iterator[str]:
    if one.props.get("vpcEndpointType") == "Interface" and not one.explains():
        yield f"It is paid by the hour in each zone, and no tag {REASON} says which function or job calls it."


@POLICIES.resource(
    "customer-key-with-reason",
    severity=Severity.LOW,
    levels=ALWAYS,
    description="There is no customer-managed key without a reason.",
    remedy=f"Use the key that the service owns, or give the tag {REASON} (15 characters or more).",
    types={KEY},
)
def _customer_key(one: Judged) -> Iterator[str]:
    if not one.explains():
        yield f"It is paid by the month and by the use, and no tag {REASON} says why AWS' own key is not enough."
