"""Price rule of VPC endpoints."""

from guardrails.model.resource_types import VPC_ENDPOINT
from guardrails.pricing.price_rule import HOURS, PriceRule, PricingInput, Quantities


def _price_endpoint(pricing: PricingInput) -> Quantities:
    if pricing.props.get("vpcEndpointType", "Gateway") == "Gateway":
        return
    zones = len(pricing.props.get("subnetIds") or ()) or 1
    yield "endpoint_hour", HOURS * zones
    yield "endpoint_gb", pricing.amount("endpointGb")


PRICE_RULES = {
    VPC_ENDPOINT: PriceRule(
        _price_endpoint, optional_measures={"endpointGb": "GB transferred through interface endpoints"}
    ),
}
