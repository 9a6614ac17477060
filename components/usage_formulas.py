"""Formulas, units and types with which all subsystems compute their monthly usage, for the cost model."""

from collections.abc import Mapping

Usage = dict[str, Mapping[str, float]]
"""Pulumi name of a component → measure → amount. A measure is a quantity that a price rule of the cost model reads, for
example `invocations`. Most amounts are totals of a month. A stored amount is the average of the month, and a duration
is the average of one call or run."""

DAYS_PER_MONTH = 30
GB = 1024**3
"""Bytes of a GB, as AWS bills it."""
LOG_BYTES_PER_CALL = 600
"""Assumed size of the log lines of one invocation."""
ALWAYS_TRACED_CALLS = DAYS_PER_MONTH * 86_400
"""Calls of a function in a month that X-Ray's default sampling always traces: one per second."""
TRACED_SHARE = 0.05
"""Share of the remaining calls that X-Ray's default sampling traces."""


def token_usage(model_id: str, input_tokens: float, output_tokens: float) -> dict[str, float]:
    """Return the tokens under measures named after the model's family, such as `haikuInputTokens`.

    The price list has only Haiku and Sonnet, and Sonnet costs more. So a model of another family counts as Sonnet. A
    `global.` inference profile costs 9 % less than the others, and counts like them.
    """
    family = "haiku" if "haiku" in model_id else "sonnet"
    return {f"{family}InputTokens": input_tokens, f"{family}OutputTokens": output_tokens}


def function_usage(calls: float, milliseconds: float, **more: float) -> dict[str, float]:
    """Return the usage of a function: `calls` invocations of `milliseconds` each, plus further measures."""
    return {
        "invocations": calls,
        "milliseconds": milliseconds,
        "logGb": calls * LOG_BYTES_PER_CALL / GB,
        # The share applies to all calls, which is simpler and slightly too high.
        "traces": min(calls, ALWAYS_TRACED_CALLS + TRACED_SHARE * calls),
        **more,
    }
