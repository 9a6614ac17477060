"""What the lectures' validator reads from its environment, and the ranges that a deployment's settings share with it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment, SweepSeconds

FORMATS = ("mp3", "mp4", "wav", "flac", "ogg", "webm")
_ONE = f"({'|'.join(FORMATS)})"

MinSeconds = Annotated[int, Field(ge=1, le=3600)]
MaxSeconds = Annotated[int, Field(ge=60, le=12 * 3600)]
MaxBytes = Annotated[int, Field(ge=1024 * 1024, le=50 * 1024**3)]
Formats = Annotated[str, Field(pattern=rf"^{_ONE}(,{_ONE})*$")]
"""Separated by commas."""
SweepHours = Annotated[int, Field(ge=1, le=7 * 24)]


class ValidatorEnvironment(HandlerEnvironment):
    """The validator's. Amazon Transcribe takes 4 hours and 2 GB, so that is what a lecture may have unless told."""

    s3_bucket: str
    dynamodb_table: str
    lecture_min_seconds: MinSeconds = 10
    lecture_max_seconds: MaxSeconds = 4 * 3600
    lecture_max_bytes: MaxBytes = 2 * 1000**3
    lecture_formats: Formats = ",".join(FORMATS)
    sweep_hours: SweepHours = 48
    """How far back the sweep looks: longer than any upload takes, since a listing tells when one in parts began."""
    sweep_seconds: SweepSeconds = 120
    """The time that one sweep takes at most, below the function's own."""

    @model_validator(mode="after")
    def _some_length_is_allowed(self) -> Self:
        if self.lecture_min_seconds > self.lecture_max_seconds:
            raise ValueError("the least length of a lecture is above the most")
        return self
