"""Tests of the environment variables of all meetings functions and of the media job."""

import pytest
from pydantic import ValidationError

from handlers.common.bedrock import SONNET
from handlers.common.environment import HandlerEnvironment
from handlers.meetings.bedrock_summarize.environment import SummaryEnvironment
from handlers.meetings.environment import StorageEnvironment
from handlers.meetings.media_job.environment import RECORDING_VARIABLES, MediaEnvironment

USER, MEETING, CONTENT = "A2" * 16, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "0123456789abcdef" * 2
REQUIRED = {
    "ISSUER": "https://issuer.test",
    "AUDIENCE": "polyphony",
    "CLIENT_ROLE": "arn:aws:iam::123456789012:role/client",
    "BUCKET_NAME": "recordings-123456789012",
    "TABLE_NAME": "meetings",
    "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:meetings",
    "STACK": "test",
    "MAX_USERS": "500",
    "SCRATCH_MB": "64",
    "MAX_HOURS": "24",
    "DELETIONS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/deletions",
    "JWKS_URL": "https://issuer.test/keys",
    **dict(zip(RECORDING_VARIABLES, (USER, MEETING, CONTENT), strict=True)),
}
"""Values of all variables without a default. Each model ignores the variables of the other functions."""


def test_sonnet_is_the_default_for_both_tasks() -> None:
    environment = SummaryEnvironment.model_validate(REQUIRED)
    assert (environment.summary_model_id, environment.action_model_id) == (SONNET, SONNET)


@pytest.mark.parametrize(
    ("model", "name", "values"),
    [
        (StorageEnvironment, "MAX_USERS", ["501", "-1"]),
        (SummaryEnvironment, "ACTION_MODEL_ID", [""]),
        (SummaryEnvironment, "SUMMARY_MODEL_ID", ["arn:aws:bedrock:us-east-1::foundation-model/x"]),
        (SummaryEnvironment, "PART_CHARACTERS", ["999"]),
        (SummaryEnvironment, "AT_ONCE", ["0"]),
        (SummaryEnvironment, "ANSWER_SECONDS", ["601"]),
        (MediaEnvironment, "BUCKET_NAME", ["", "A", "a/b", "arn:aws:s3:::x"]),
        (MediaEnvironment, "SCRATCH_MB", ["0", "-1", "much", "1e9"]),
        (MediaEnvironment, "AUDIO_PART_SECONDS", ["59", "14341"]),
        (MediaEnvironment, "MAX_HOURS", ["25"]),
        (MediaEnvironment, "ENCODE_THREADS", ["0"]),
    ],
)
def test_an_invalid_value_is_rejected_without_quoting_it(
    model: type[HandlerEnvironment], name: str, values: list[str]
) -> None:
    assert model.model_validate(REQUIRED).variables(), "the required values alone are valid"
    for value in values:
        with pytest.raises(ValidationError) as caught:
            model.model_validate({**REQUIRED, name: value})
        assert [error["loc"] for error in caught.value.errors()] == [(name,)]
        assert len(value) < 6 or value not in str(caught.value), "a short value may occur in the message by chance"
