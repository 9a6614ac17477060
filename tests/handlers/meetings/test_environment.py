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
    ("model", "name", "minimum", "maximum"),
    [
        (StorageEnvironment, "MAX_USERS", 0, 500),
        (SummaryEnvironment, "MAX_OUTPUT_TOKENS", 256, 32_000),
        (SummaryEnvironment, "PART_CHARACTERS", 1_000, 400_000),
        (SummaryEnvironment, "AT_ONCE", 1, 10),
        (SummaryEnvironment, "ANSWER_SECONDS", 10, 600),
        (MediaEnvironment, "SCRATCH_MB", 64, 200_000),
        (MediaEnvironment, "AUDIO_PART_SECONDS", 60, 14_340),
        (MediaEnvironment, "MAX_HOURS", 1, 24),
        (MediaEnvironment, "ENCODE_THREADS", 1, 16),
    ],
)
def test_numbers_have_limits(model: type[HandlerEnvironment], name: str, minimum: int, maximum: int) -> None:
    for value in (minimum, maximum):
        assert model.model_validate({**REQUIRED, name: str(value)}).variables()[name] == str(value)
    for value in (minimum - 1, maximum + 1):
        with pytest.raises(ValidationError, match=name):
            model.model_validate({**REQUIRED, name: str(value)})


@pytest.mark.parametrize("name", ["", "A", "a/b", "arn:aws:s3:::x"])
def test_the_media_job_rejects_an_invalid_bucket_name(name: str) -> None:
    with pytest.raises(ValidationError):
        MediaEnvironment.model_validate({**REQUIRED, "BUCKET_NAME": name})
