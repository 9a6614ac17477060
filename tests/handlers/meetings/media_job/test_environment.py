"""Tests of the media job's environment variables."""

import pytest
from pydantic import ValidationError

from handlers.meetings.media_job.environment import RECORDING_VARIABLES, MediaDeployment, MediaEnvironment

USER, MEETING, CONTENT = "A2" * 16, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "0123456789abcdef" * 2
DEPLOYMENT = MediaDeployment(bucket_name="recordings-123456789012")


def read(**others: str) -> MediaEnvironment:
    job = dict(zip(RECORDING_VARIABLES, (USER, MEETING, CONTENT), strict=True))
    return MediaEnvironment.model_validate({**DEPLOYMENT.variables(), **job, **others})


def test_a_job_processes_one_recording_of_one_bucket() -> None:
    found = read()
    assert found.bucket_name == DEPLOYMENT.bucket_name
    assert found.recording.video_key == f"video/{USER}/{MEETING}/{CONTENT}.mp4"


def test_the_job_definition_sets_all_variables_but_those_of_the_recording() -> None:
    needed = {name.upper() for name in MediaEnvironment.model_fields} - {"LOG_LEVEL"}
    assert needed == {*DEPLOYMENT.variables(), *RECORDING_VARIABLES} - {"LOG_LEVEL"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("MEETING_USER", bad_value) for bad_value in ("", "a" * 32, f"{USER}/..", f"{USER}\n", "A" * 31)],
        *[("MEETING_ID", bad_value) for bad_value in ("", "../../x", MEETING.lower(), f"{MEETING}\n")],
        *[("CONTENT", bad_value) for bad_value in ("", CONTENT.upper(), f"{CONTENT}0", "../" * 10 + "xx")],
        *[("BUCKET_NAME", bad_value) for bad_value in ("", "A", "a/b", "arn:aws:s3:::x")],
        *[("SCRATCH_MB", bad_value) for bad_value in ("0", "-1", "much", "1e9")],
        *[("AUDIO_PART_SECONDS", bad_value) for bad_value in ("59", "14341")],
        ("MAX_HOURS", "25"),
        ("PIECE_SECONDS", "0"),
        ("ENCODE_THREADS", "0"),
    ],
)
def test_invalid_variables_are_rejected_without_quoting_them(name: str, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(**{name: value})
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]
    assert len(value) < 6 or value not in str(caught.value)
