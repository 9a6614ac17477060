"""Evaluates the retry strategy of a Batch job: it decides if a failed job gets another attempt."""

from collections.abc import Mapping
from typing import Any


def should_retry(strategy: Mapping[str, Any], attempts: int, reason: str, exit_code: int) -> bool:
    """Return True if a job gets another attempt after this number of attempts.

    `reason` and `exit_code` are those of the last attempt, which failed. The first matching entry of `evaluateOnExit`
    decides. If none matches, the job is retried:
    https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html.
    """
    if attempts >= int(strategy.get("attempts", 1)):
        return False
    # `onReason` is compared with the reason that a container reports. Local jobs have no containers.
    outcome = {"onStatusReason": reason, "onReason": "", "onExitCode": str(exit_code)}
    for entry in strategy.get("evaluateOnExit") or []:
        if all(_matches_pattern(entry[name], text) for name, text in outcome.items() if entry.get(name)):
            return str(entry["action"]).upper() == "RETRY"
    return True


def _matches_pattern(pattern: str, text: str) -> bool:
    """Return True if a text equals a pattern, or begins with the pattern's text before a final asterisk."""
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
