"""Price rules of VPC endpoints, NAT gateways and public addresses."""

from guardrails.model.resource_types import ELASTIC_IP, NAT_GATEWAY, VPC_ENDPOINT
from guardrails.pricing.price_rule import HOURS, PriceRule, PricingInput, Quantities, make_hourly_rule


def _price_endpoint(pricing: PricingInput) -> Quantities:
    if pricing.props.get("vpcEndpointType", "Gateway") == "Gateway":
        return
    zones = len(pricing.props.get("subnetIds") or ()) or 1
    yield "endpoint_hour", HOURS * zones
    yield "endpoint_gb", pricing.amount("endpointGb")


def _price_nat_gateway(pricing: PricingInput) -> Quantities:
    yield "nat_hour", HOURS
    yield "nat_gb", pricing.amount("natGb")


PRICE_RULES = {
    VPC_ENDPOINT: PriceRule(
        _price_endpoint, optional_measures={"endpointGb": "GB transferred through interface endpoints"}
    ),
    NAT_GATEWAY: PriceRule(_price_nat_gateway, required_measures={"natGb": "GB transferred through the gateway"}),
    ELASTIC_IP: make_hourly_rule("public_address_hour"),
}
