"""The validator's environment: what a deployment may set, and what it may not."""

import pytest
from pydantic import ValidationError

from handlers.common.audio.audio_file import AudioFormat
from handlers.voice_qa.validate_lecture.environment import FORMATS, ValidatorEnvironment

NEEDED = {"S3_BUCKET": "audio", "DYNAMODB_TABLE": "sessions"}


def test_the_formats_are_those_that_can_be_read() -> None:
    assert set(FORMATS) == set(AudioFormat)


def test_what_is_written_is_what_is_read() -> None:
    environment = ValidatorEnvironment.model_validate(NEEDED | {"LECTURE_FORMATS": "mp3,flac"})
    assert ValidatorEnvironment.model_validate(environment.variables()) == environment


@pytest.mark.parametrize(
    "wrong",
    [
        *({"LECTURE_FORMATS": wrong} for wrong in ("", "mp3,", "mp3,midi", "MP3")),
        {"LECTURE_MIN_SECONDS": "0"},
        {"LECTURE_MIN_SECONDS": "61", "LECTURE_MAX_SECONDS": "60"},
        {"LECTURE_MAX_SECONDS": "43201"},
        {"LECTURE_MAX_BYTES": "1000"},
        {"SWEEP_HOURS": "0"},
        {"SWEEP_SECONDS": "841"},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ValidatorEnvironment.model_validate(NEEDED | wrong)
