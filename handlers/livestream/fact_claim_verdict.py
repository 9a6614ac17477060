"""Verdict of the fact-check agent on a fact claim, as the model, the table and the API name it."""

from enum import StrEnum


class Verdict(StrEnum):
    SUPPORTED = "supported"
    REFUTED = "refuted"
    MISLEADING = "misleading"
    """A source shows that the claim is true in its words but leaves out or mixes up something that matters."""
    UNVERIFIED = "unverified"
    """No source in the request to the model confirms or contradicts the claim."""
