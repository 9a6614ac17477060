"""One rule a billable type; the types that cost nothing themselves are listed too. Whatever is neither is unpriced."""

from guardrails.pricing.price_rule import Rule
from guardrails.pricing.rules import (
    function_and_api_prices,
    job_prices,
    messaging_prices,
    monitoring_prices,
    network_prices,
    storage_prices,
)
from guardrails.pricing.rules.free_types import FREE

RULES: dict[str, Rule] = {
    **function_and_api_prices.RULES,
    **storage_prices.RULES,
    **messaging_prices.RULES,
    **job_prices.RULES,
    **monitoring_prices.RULES,
    **network_prices.RULES,
}

__all__ = ["FREE", "RULES"]
