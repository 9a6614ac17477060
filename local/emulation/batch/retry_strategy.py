"""Decision of AWS Batch whether a failed job gets another attempt, from the job's retry strategy."""

from collections.abc import Mapping
from typing import Any


def should_retry(strategy: Mapping[str, Any], attempts: int, reason: str, exit_code: int) -> bool:
    """Return True if a job gets another attempt after this number of attempts, of which the last one failed.

    The first matching entry of `evaluateOnExit` decides. Without a matching entry, the job is retried:
    https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html.
    """
    if attempts >= int(strategy.get("attempts", 1)):
        return False
    # `onReason` is the reason of a container, which the local jobs do not have.
    outcome = {"onStatusReason": reason, "onReason": "", "onExitCode": str(exit_code)}
    for entry in strategy.get("evaluateOnExit") or []:
        if all(matches_pattern(entry[name], text) for name, text in outcome.items() if entry.get(name)):
            return str(entry["action"]).upper() == "RETRY"
    return True


def matches_pattern(pattern: str, text: str) -> bool:
    """Return True if a text matches a pattern, which may end in an asterisk."""
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
