"""Base model of the environment variables of Lambda functions.

Each function defines its own model in its `environment.py`. Its `handler.py` reads the model once per container, and
the deployment builds the function's variables from the same model. Neither this module nor an `environment.py` reads
the environment on import.

The components of the Pulumi program also import the models. Of the functions' packages, the program only installs
pydantic and boto3, so neither this module nor an `environment.py` may use another package.
"""

import os
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict


class HandlerEnvironment(BaseModel):
    """Environment variables that every Lambda function has. The model of a function adds its other variables.

    A variable has the name of its field in upper case.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=str.upper,
        validate_by_alias=True,
        validate_by_name=True,
        hide_input_in_errors=True,
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lowest level that is logged."""

    @classmethod
    def read(cls) -> Self:
        """Return the model of this process's environment."""
        return cls.model_validate(dict(os.environ))

    def variables(self) -> dict[str, str]:
        """Return the environment variables from which `read` creates an equal model."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.model_dump(mode="json", by_alias=True, exclude_none=True).items()
        }
