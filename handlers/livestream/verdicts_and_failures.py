"""Verdicts that the agent gives on fact claims, and reasons why it cannot analyze a window."""

from enum import StrEnum


class Verdict(StrEnum):
    """Verdict on a fact claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    MISLEADING = "misleading"
    """A source shows that the claim is true in its words but leaves out or mixes up something that matters."""
    UNVERIFIED = "unverified"
    """No source in the request confirms or contradicts the claim."""


class WindowFailure(StrEnum):
    """Reason why a window could not be analyzed."""

    TRANSCRIPT_GONE = "transcript_gone"
    """The transcript's object no longer exists."""
    TRANSCRIPT_UNREADABLE = "transcript_unreadable"
    UNUSABLE_ANSWER = "unusable_answer"
    """Both answers of the model were unusable, for example malformed or cut off."""
    GUARDRAIL = "guardrail"
    """The Bedrock guardrail blocked the request or the answer."""
    FILTERED = "filtered"
    """The content filter of the model's provider blocked the answer."""
    TOO_LARGE = "too_large"
    """The window exceeds the context length of the model."""
