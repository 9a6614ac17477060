"""Verdicts that the agent gives on fact claims, and reasons why it cannot analyze a window."""

from enum import StrEnum


class Verdict(StrEnum):
    """Verdict on a fact claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    MISLEADING = "misleading"
    UNVERIFIED = "unverified"


class WindowFailure(StrEnum):
    """Reason why a window could not be analyzed."""

    TRANSCRIPT_GONE = "transcript_gone"
    TRANSCRIPT_UNREADABLE = "transcript_unreadable"
    UNUSABLE_ANSWER = "unusable_answer"
    GUARDRAIL = "guardrail"
    """The Bedrock guardrail blocked the request or the answer."""
    FILTERED = "filtered"
    """The content filter of the model's provider blocked the answer."""
    TOO_LARGE = "too_large"
    """The window exceeds the context length of the model."""
