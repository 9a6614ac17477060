"""Tests of the meetings alarms: they read exactly the log events and metrics that the functions write."""

import pytest

from handlers.common.aws import TRANSIENT_FAULTS, ServiceFault
from handlers.common.bedrock import NoAnswer
from handlers.common.logging import ALLOWED_LOG_FIELDS
from handlers.meetings import summary_errors
from local import ROOT
from local.emulation.step_functions.parameter_name_conversion import error_name
from local.platform.driver_model.service_shapes import service_model


def test_the_counted_model_errors_exist_in_the_summary_function() -> None:
    for name in ("ModelBusy", "ModelRefused", "SummaryUnusable"):
        assert issubclass(getattr(summary_errors, name), summary_errors.SummaryFailed)
    source = (ROOT / "handlers/meetings/bedrock_summarize/summarizer.py").read_text(encoding="utf-8")
    assert '"summary_failed"' in source
    assert "error_type" in ALLOWED_LOG_FIELDS


def test_the_runbook_explains_every_cause_with_which_a_model_refuses() -> None:
    page = (ROOT / "docs/runbooks/meetings.md").read_text(encoding="utf-8")
    # An unusable answer is another error, `SummaryUnusable`. A call of a model has no precondition that could conflict.
    other_causes = {NoAnswer.UNUSABLE, ServiceFault.CONFLICT}
    causes = (set(ServiceFault) - TRANSIENT_FAULTS | set(NoAnswer)) - other_causes
    assert {cause.value for cause in causes if f"`{cause.value}`" not in page} == set()


@pytest.mark.parametrize("action", ["StartTranscriptionJob", "GetTranscriptionJob"])
def test_the_runbook_has_the_error_names_that_step_functions_gives_a_denied_call(action: str) -> None:
    page = (ROOT / "docs/runbooks/meetings.md").read_text(encoding="utf-8")
    operation = service_model("transcribe").operation_model(action)
    for code in ("AccessDeniedException", "BadRequestException"):
        assert f"`{error_name(operation, code)}`" in page
