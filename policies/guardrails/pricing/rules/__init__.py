"""One rule a billable type; the types that cost nothing themselves are listed too. Whatever is neither is unpriced."""

from guardrails.pricing.rule import Rule
from guardrails.pricing.rules import compute, jobs, messages, network, storage, watching
from guardrails.pricing.rules.free import FREE

RULES: dict[str, Rule] = {
    **compute.RULES,
    **storage.RULES,
    **messages.RULES,
    **jobs.RULES,
    **watching.RULES,
    **network.RULES,
}

__all__ = ["FREE", "RULES"]
