"""Tests of the summary function's environment variables."""

from typing import Any

import pytest
from pydantic import ValidationError

from handlers.common.bedrock.converse import Guardrail, InferenceOptions
from handlers.meetings.bedrock_summarize.environment import HAIKU, SONNET, SummaryEnvironment
from handlers.meetings.bedrock_summarize.handler import summary_settings

NEEDED = {"BUCKET_NAME": "recordings", "STACK": "test"}


def test_sonnet_is_the_default_for_both_tasks() -> None:
    plain = SummaryEnvironment.model_validate(NEEDED)
    assert (plain.summary_model_id, plain.action_model_id) == (SONNET, SONNET)
    assert summary_settings(plain).style.transcript_cached
    named = SummaryEnvironment.model_validate({**NEEDED, "ACTION_MODEL_ID": HAIKU})
    assert (summary_settings(named).summary_model, summary_settings(named).action_model) == (SONNET, HAIKU)
    assert not summary_settings(named).style.transcript_cached


def test_the_environment_sets_the_models_and_limits() -> None:
    guarded = {
        **NEEDED,
        "GUARDRAIL_ID": "g",
        "GUARDRAIL_VERSION": "1",
        "MAX_OUTPUT_TOKENS": "500",
    }
    assert summary_settings(SummaryEnvironment.model_validate(guarded)).inference_options == InferenceOptions(
        500, Guardrail("g", "1")
    )
    assert summary_settings(SummaryEnvironment.model_validate(NEEDED)).inference_options == InferenceOptions(4_000)


def test_the_variables_of_an_environment_can_be_read_back() -> None:
    whole = SummaryEnvironment.model_validate({**NEEDED, "GUARDRAIL_ID": "g", "GUARDRAIL_VERSION": "DRAFT"})
    assert SummaryEnvironment.model_validate(whole.variables()) == whole


@pytest.mark.parametrize(
    "changed",
    [
        {"GUARDRAIL_ID": "g"},
        {"GUARDRAIL_VERSION": "1"},
        {"GUARDRAIL_ID": "g", "GUARDRAIL_VERSION": "latest"},
        {"ACTION_MODEL_ID": ""},
        {"SUMMARY_MODEL_ID": "arn:aws:bedrock:us-east-1::foundation-model/x"},
        {"PART_CHARACTERS": "999"},
        {"PART_CHARACTERS": "2000", "OVERLAP_CHARACTERS": "1001"},
        {"AT_ONCE": "0"},
        {"ANSWER_SECONDS": "601"},
        {"BUCKET_NAME": None},
    ],
)
def test_contradictory_settings_are_rejected(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SummaryEnvironment.model_validate({**NEEDED, **changed})
