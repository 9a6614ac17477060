"""What is paid for in a network, and the firewall before it."""

from guardrails.model.resource_types import ELASTIC_IP, ENDPOINT, NAT_GATEWAY, WEB_ACL
from guardrails.pricing.price_rule import HOURS, Bill, Quantities, Rule, of_hours


def _endpoint(bill: Bill) -> Quantities:
    if bill.props.get("vpcEndpointType", "Gateway") == "Gateway":
        return
    zones = len(bill.props.get("subnetIds") or ()) or 1
    yield "endpoint_hour", HOURS * zones
    yield "endpoint_gb", bill.of("endpointGb")


def _nat(bill: Bill) -> Quantities:
    yield "nat_hour", HOURS
    yield "nat_gb", bill.of("natGb")


def _web_acl(bill: Bill) -> Quantities:
    yield "waf_acl", 1
    yield "waf_rule", len(bill.props.get("rules") or ())
    yield "waf_request", bill.of("inspectedRequests")


RULES = {
    ENDPOINT: Rule(_endpoint, also={"endpointGb": "GB through its interface endpoints"}),
    NAT_GATEWAY: Rule(_nat, needs={"natGb": "GB through it"}),
    ELASTIC_IP: of_hours("public_address_hour"),
    WEB_ACL: Rule(_web_acl, needs={"inspectedRequests": "requests that it looks at"}),
}
