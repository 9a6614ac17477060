"""Environment of the lecture validator: allowed and refused values."""

import pytest
from pydantic import ValidationError

from handlers.common.audio.probe_result import AudioFormat
from handlers.voice_qa.validate_lecture.environment import FORMATS, ValidatorEnvironment

NEEDED = {"S3_BUCKET": "audio", "DYNAMODB_TABLE": "sessions"}


def test_the_allowed_formats_are_the_supported_ones() -> None:
    assert set(FORMATS) == set(AudioFormat)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"LECTURE_FORMATS": wrong} for wrong in ("", "mp3,", "mp3,midi", "MP3")),
        {"LECTURE_MIN_SECONDS": "61", "LECTURE_MAX_SECONDS": "60"},
    ],
)
def test_contradictory_limits_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ValidatorEnvironment.model_validate(NEEDED | wrong)
