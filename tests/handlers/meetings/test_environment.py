"""Tests of the environment variables of all meetings functions and of the media job."""

from typing import Any

import pytest
from pydantic import ValidationError

from handlers.common.bedrock import SONNET
from handlers.common.environment import HandlerEnvironment
from handlers.meetings.auth_exchange import handler as auth_exchange
from handlers.meetings.bedrock_summarize.environment import SummaryEnvironment
from handlers.meetings.environment import AuthEnvironment, StorageEnvironment
from handlers.meetings.media_job.environment import RECORDING_VARIABLES, MediaEnvironment
from handlers.meetings.meeting_cleanup import handler as meeting_cleanup
from handlers.meetings.start import handler as start
from handlers.meetings.steps import handler as steps
from handlers.meetings.storage import handler as storage
from tests.credentials import credentials

USER, MEETING, CONTENT = "A2" * 16, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "0123456789abcdef" * 2
REQUIRED = {
    "ISSUER": "https://issuer.test",
    "AUDIENCE": "polyphony",
    "CLIENT_ROLE": "arn:aws:iam::123456789012:role/client",
    "BUCKET_NAME": "recordings-123456789012",
    "TABLE_NAME": "meetings",
    "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:meetings",
    "STACK": "test",
    "DELETIONS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/deletions",
    "JWKS_URL": "https://issuer.test/keys",
    **dict(zip(RECORDING_VARIABLES, (USER, MEETING, CONTENT), strict=True)),
}
"""Values of all variables without a default. Each model ignores the variables of the other functions."""


@pytest.mark.parametrize(
    "create",
    [auth_exchange._dispatcher, meeting_cleanup._cleanup, start._starter, steps._steps, storage._storage_counter],
    ids=lambda create: create.__name__,
)
def test_each_function_is_created_from_its_environment(create: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    create.cache_clear()
    created = create()
    assert created is not None
    assert created is create(), "the clients are created once"
    create.cache_clear()


def test_the_storage_function_rejects_other_events() -> None:
    with pytest.raises(ValidationError):
        storage.handler({"kind": "other"}, None)


def test_sonnet_is_the_default_for_both_tasks() -> None:
    environment = SummaryEnvironment.model_validate(REQUIRED)
    assert (environment.summary_model_id, environment.action_model_id) == (SONNET, SONNET)


@pytest.mark.parametrize(
    ("model", "changed"),
    [
        (AuthEnvironment, {"CREDENTIAL_SECONDS": "899"}),
        (AuthEnvironment, {"CREDENTIAL_SECONDS": "3601"}),  # STS limits role chaining to an hour
        (AuthEnvironment, {"RENEW_BEFORE_SECONDS": "59"}),
        (AuthEnvironment, {"RENEW_BEFORE_SECONDS": "1801"}),
        (AuthEnvironment, {"CREDENTIAL_SECONDS": "900", "RENEW_BEFORE_SECONDS": "451"}),
        (StorageEnvironment, {"MAX_USERS": "501"}),
        (StorageEnvironment, {"MAX_USERS": "-1"}),
        (StorageEnvironment, {"COUNT_SECONDS": "871"}),
        (SummaryEnvironment, {"ACTION_MODEL_ID": ""}),
        (SummaryEnvironment, {"SUMMARY_MODEL_ID": "arn:aws:bedrock:us-east-1::foundation-model/x"}),
        (SummaryEnvironment, {"PART_CHARACTERS": "999"}),
        (SummaryEnvironment, {"AT_ONCE": "0"}),
        (SummaryEnvironment, {"ANSWER_SECONDS": "601"}),
    ],
)
def test_values_outside_their_range_and_contradictory_values_are_rejected(
    model: type[HandlerEnvironment], changed: dict[str, str]
) -> None:
    assert model.model_validate(REQUIRED).variables(), "the required values alone are valid"
    with pytest.raises(ValidationError):
        model.model_validate({**REQUIRED, **changed})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("MEETING_USER", ["", "a" * 32, f"{USER}/..", f"{USER}\n", "A" * 31]),
        ("MEETING_ID", ["", "../../x", MEETING.lower(), f"{MEETING}\n"]),
        ("CONTENT", ["", CONTENT.upper(), f"{CONTENT}0", "../" * 10 + "xx"]),
        ("BUCKET_NAME", ["", "A", "a/b", "arn:aws:s3:::x"]),
        ("SCRATCH_MB", ["0", "-1", "much", "1e9"]),
        ("AUDIO_PART_SECONDS", ["59", "14341"]),
        ("MAX_HOURS", ["25"]),
        ("ENCODE_THREADS", ["0"]),
    ],
)
def test_invalid_variables_of_the_job_are_rejected_without_quoting_them(name: str, values: list[str]) -> None:
    for value in values:
        changed: dict[str, Any] = {**REQUIRED, name: value}
        with pytest.raises(ValidationError) as caught:
            MediaEnvironment.model_validate(changed)
        assert [error["loc"] for error in caught.value.errors()] == [(name,)]
        assert len(value) < 6 or value not in str(caught.value), "a short value may occur in the message by chance"
