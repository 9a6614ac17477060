"""The stack output `frontend`: what a frontend reads, typed, and nothing secret.

A subsystem that is off is absent. Fields are only ever added; what breaks a reader gets a new major key.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Output(BaseModel):
    """Base of all output models: camelCase outside."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class IngestionOutput(Output):
    """Where files are dropped."""

    bucket: str
    """The landing bucket."""
    prefix: str
    """Keys that are taken in start with this."""


class Frontend(Output):
    """Everything a frontend needs to know of one stack."""

    schema_version: int = 1
    environment: str
    region: str
    ingestion: IngestionOutput | None = None

    @classmethod
    def of(cls, environment: str, region: str, subsystems: Mapping[str, object]) -> Self:
        """The output of a stack whose subsystems (those that are off are none) gave these values."""
        return cls.model_validate({"environment": environment, "region": region, **subsystems})

    def exported(self) -> dict[str, object]:
        """As the stack exports it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
