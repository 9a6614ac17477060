"""Test of the meetings runbook: it explains the errors that the functions report."""

from handlers.common.aws import TRANSIENT_FAULTS, ServiceFault
from handlers.common.bedrock import NoAnswerReason
from local import ROOT


def test_the_runbook_explains_every_cause_with_which_a_model_refuses() -> None:
    page = (ROOT / "docs/runbooks/meetings.md").read_text(encoding="utf-8")
    # A call of a model has no precondition that could conflict.
    causes = {*ServiceFault, *NoAnswerReason} - TRANSIENT_FAULTS
    assert {cause.value for cause in causes if f"`{cause.value}`" not in page} == set()
