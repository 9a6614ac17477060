"""Tests of the meetings runbook: it names the errors that the functions and Step Functions report."""

import pytest

from handlers.common.aws import TRANSIENT_FAULTS, ServiceFault
from handlers.common.bedrock import NoAnswerReason
from local import ROOT
from local.drivers.service_shapes import service_model
from local.emulation.step_functions.parameter_name_conversion import error_name


def test_the_runbook_explains_every_cause_with_which_a_model_refuses() -> None:
    page = (ROOT / "docs/runbooks/meetings.md").read_text(encoding="utf-8")
    # A call of a model has no precondition that could conflict.
    causes = {*ServiceFault, *NoAnswerReason} - TRANSIENT_FAULTS - {ServiceFault.CONFLICT}
    assert {cause.value for cause in causes if f"`{cause.value}`" not in page} == set()


@pytest.mark.parametrize("action", ["StartTranscriptionJob", "GetTranscriptionJob"])
def test_the_runbook_has_the_error_names_that_step_functions_gives_a_denied_call(action: str) -> None:
    page = (ROOT / "docs/runbooks/meetings.md").read_text(encoding="utf-8")
    operation = service_model("transcribe").operation_model(action)
    for code in ("AccessDeniedException", "BadRequestException"):
        assert f"`{error_name(operation, code)}`" in page
