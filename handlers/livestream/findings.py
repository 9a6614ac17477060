"""Words for what the agent finds, and for why it finds nothing. Pure."""

from enum import StrEnum


class Verdict(StrEnum):
    """What a claim is found to be."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    MISLEADING = "misleading"
    UNVERIFIED = "unverified"


class WindowFailure(StrEnum):
    """Why nothing was found in a window."""

    TRANSCRIPT_GONE = "transcript_gone"
    TRANSCRIPT_UNREADABLE = "transcript_unreadable"
    UNUSABLE_ANSWER = "unusable_answer"
    GUARDRAIL = "guardrail"
    """The guardrail stopped it."""
    FILTERED = "filtered"
    """The model's provider stopped it."""
    TOO_LARGE = "too_large"
    """The window is more than the model can read."""
