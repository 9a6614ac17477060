"""Price rules by resource type, and the list of free types. The estimate reports AWS resources of other types as
unpriced.
"""

from guardrails.pricing.price_rule import PriceRule
from guardrails.pricing.rules import (
    function_and_api_prices,
    messaging_prices,
    monitoring_prices,
    network_prices,
    storage_and_secret_prices,
    workflow_and_job_prices,
)
from guardrails.pricing.rules.free_resource_types import FREE_TYPES

PRICE_RULES: dict[str, PriceRule] = {
    **function_and_api_prices.PRICE_RULES,
    **storage_and_secret_prices.PRICE_RULES,
    **messaging_prices.PRICE_RULES,
    **workflow_and_job_prices.PRICE_RULES,
    **monitoring_prices.PRICE_RULES,
    **network_prices.PRICE_RULES,
}

__all__ = ["FREE_TYPES", "PRICE_RULES"]
