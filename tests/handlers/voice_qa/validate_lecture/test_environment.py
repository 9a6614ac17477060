"""Environment variables of the lecture validator: the limits of lectures."""

import pytest
from pydantic import ValidationError

from handlers.voice_qa.lecture_upload_rules import AudioFormat
from handlers.voice_qa.validate_lecture.environment import FORMATS, ValidatorEnvironment

REQUIRED = {"S3_BUCKET": "audio", "DYNAMODB_TABLE": "sessions"}


def test_all_supported_formats_are_allowed_by_default() -> None:
    assert set(FORMATS) == set(AudioFormat)


@pytest.mark.parametrize(
    "variables",
    [
        *({"LECTURE_FORMATS": formats} for formats in ("", "mp3,", "mp3,midi", "MP3")),
        {"LECTURE_MIN_SECONDS": "61", "LECTURE_MAX_SECONDS": "60"},
    ],
)
def test_invalid_or_contradictory_limits_are_refused(variables: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ValidatorEnvironment.model_validate(REQUIRED | variables)
