"""Environment variables as a typed model: the base of every handler's own.

Defined here and in `handlers/<subsystem>/environment.py`, never read there: a handler's module reads its model once
a container, and the deployment builds the function's environment from the same model. Imports pydantic only.
"""

import os
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

LONGEST_SWEEP_SECONDS = 840
"""A minute less than a function may run."""
SweepSeconds = Annotated[int, Field(ge=1, le=LONGEST_SWEEP_SECONDS)]


class HandlerEnvironment(BaseModel):
    """What every handler reads. A field's variable is its name in upper case."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=str.upper,
        validate_by_alias=True,
        validate_by_name=True,
        hide_input_in_errors=True,
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @classmethod
    def read(cls) -> Self:
        """The environment of this process."""
        return cls.model_validate(dict(os.environ))

    def variables(self) -> dict[str, str]:
        """The variables that `read` reads back as this."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.model_dump(mode="json", by_alias=True, exclude_none=True).items()
        }
