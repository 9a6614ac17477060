"""Test of the meetings runbook: it explains the errors that the functions report."""

from handlers.common.bedrock import NoAnswerReason
from local import ROOT


def test_the_runbook_explains_every_cause_with_which_a_model_refuses() -> None:
    page = (ROOT / "docs/runbooks/meetings.md").read_text(encoding="utf-8")
    assert {cause.value for cause in NoAnswerReason if f"`{cause.value}`" not in page} == set()
