"""Environment variables of the lecture validator, and the types of their values, which the stack's settings use too."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment


class AudioFormat(StrEnum):
    """Formats of recordings that the validator can read. They are recognised by content, never by file name."""

    MP3 = "mp3"
    MP4 = "mp4"
    """Includes M4A."""
    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    WEBM = "webm"


FORMATS = tuple(AudioFormat)
_FORMAT = f"({'|'.join(FORMATS)})"

LECTURE_MIN_SECONDS = 10
"""Default minimum duration of a lecture. A shorter recording has no content to ask about."""
LECTURE_MAX_SECONDS = 4 * 3600
# Types of the settings for the minimum duration, the maximum duration and the maximum size of a lecture.
MinSeconds = Annotated[int, Field(ge=1, le=3600)]
MaxSeconds = Annotated[int, Field(ge=60, le=12 * 3600)]
MaxBytes = Annotated[int, Field(ge=1024 * 1024, le=50 * 1024**3)]
Formats = Annotated[str, Field(pattern=rf"^{_FORMAT}(,{_FORMAT})*$")]
"""Audio formats that are accepted, separated by commas."""


class ValidatorEnvironment(HandlerEnvironment):
    """Environment variables of the lecture validator. The default maximum duration and size are limits of Amazon
    Transcribe: 4 hours and 2 GB.
    """

    s3_bucket: str
    dynamodb_table: str
    lecture_min_seconds: MinSeconds = LECTURE_MIN_SECONDS
    lecture_max_seconds: MaxSeconds = LECTURE_MAX_SECONDS
    lecture_max_bytes: MaxBytes = 2 * 1000**3
    lecture_formats: Formats = ",".join(FORMATS)

    @model_validator(mode="after")
    def _check_duration_range(self) -> Self:
        if self.lecture_min_seconds > self.lecture_max_seconds:
            raise ValueError("lecture_min_seconds must not exceed lecture_max_seconds")
        return self
