"""What all subsystems count their use with: the cost model prices it."""

from collections.abc import Mapping

Usage = dict[str, Mapping[str, float]]
"""Pulumi name of a block → measure → amount a month."""

DAYS_PER_MONTH = 30
GB = 1024**3
LOG_BYTES_PER_CALL = 600
"""Assumed: what one invocation of a function writes."""
TRACED_FIRST = 30 * 86_400
TRACED_SHARE = 0.05
"""X-Ray's own rule: one request a second, and a twentieth of what comes besides."""


def token_usage(model_id: str, given: float, answered: float) -> dict[str, float]:
    """What a model reads and writes, by its family and kind of profile; one of an unknown family counts as the dearer."""
    family = "haiku" if "haiku" in model_id else "sonnet"
    kind = "Global" if model_id.startswith("global.") else ""
    return {f"{family}{kind}InputTokens": given, f"{family}{kind}OutputTokens": answered}


def function_usage(calls: float, milliseconds: float, **more: float) -> dict[str, float]:
    """What a function is used for: so many calls of so long each, and what else it calls."""
    return {
        "invocations": calls,
        "milliseconds": milliseconds,
        "logGb": calls * LOG_BYTES_PER_CALL / GB,
        "traces": min(calls, TRACED_FIRST + TRACED_SHARE * calls),
        **more,
    }
