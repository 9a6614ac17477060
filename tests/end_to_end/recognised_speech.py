"""Assertion about recognised speech. Punctuation and single words can differ with the load of the machine."""

from collections.abc import Sequence

from local.flows import Checks
from local.flows.speech_clips import clip_texts


def assert_recognised(texts: Sequence[str], *clips: str) -> None:
    """Check that the texts are recognised versions of the clips' sentences, one each and in this order."""
    checks = Checks()
    checks.recognised("speech", texts, clip_texts(*clips))
    assert checks.problems == []
