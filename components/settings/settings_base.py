"""What every settings model shares: camelCase outside, nothing unknown accepted, nothing changed after loading.

Every default is the value that production runs with. A stack file relaxes what a cheaper or more talkative
environment may relax, so that each difference between stacks can be read there.
"""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
GATEWAY_SECONDS = 29
"""How long API Gateway waits for a function."""


class Environment(StrEnum):
    """How much a stack matters: what is protected, how long it is kept, how strictly it is judged."""

    LOCAL = "local"
    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"

    @property
    def relaxed(self) -> bool:
        """Whether people may try things here that others do not depend on."""
        return self in {Environment.LOCAL, Environment.DEV}


class LogLevel(StrEnum):
    """The least severe line that a function writes."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class SettingsModel(BaseModel):
    """Base of all settings models."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_default=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        url_preserve_empty_path=True,  # an issuer is compared to the letter: no slash is added to it
    )

    @model_validator(mode="before")
    @classmethod
    def _what_is_not_said_stays(cls, given: Any) -> Any:
        """A section that is given in part keeps the rest of its default here: a new timeout leaves the memory."""
        if not isinstance(given, dict):
            return given
        said = dict(given)
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if isinstance(field.default, SettingsModel) and isinstance(said.get(key), dict):
                said[key] = {**field.default.model_dump(by_alias=True, exclude_unset=True), **said[key]}
        return said

    @field_validator("*", mode="before")
    @classmethod
    def _a_boolean_is_no_number(cls, given: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true for 1, which nobody meant."""
        if isinstance(given, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise PydanticCustomError("boolean_not_allowed", "is true or false")
        return given


RequestsPerSecond = Annotated[int, Field(ge=1, le=2_500)]
"""An API lets in bursts of twice as many, and AWS allows an account bursts of 5,000."""


class FunctionSettings(SettingsModel):
    """Size and version of one function."""

    memory_mb: Annotated[int, Field(ge=128, le=10_240)] = 512
    """Memory in MB; Lambda gives processor time in proportion."""
    timeout_seconds: Annotated[int, Field(ge=1, le=900)] = 60
    """How long one invocation may take."""
    live_version: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")] | None = None
    """The version that the alias `live` is pinned to; none follows the newest."""

    def seconds_to_work(self, finish: int, longest: int = 900) -> int:
        """What a call may spend on what it does again and again: the rest of its timeout is left to end in."""
        return min(longest, max(1, self.timeout_seconds - finish))


class ClientFunctionSettings(FunctionSettings):
    """Size, version and concurrency of a function that clients wait for."""

    reserved_concurrency: Annotated[int, Field(ge=1, le=1000)] | None = None
    """The most invocations at once, set aside for this function; none leaves it to the account's pool."""
    provisioned_concurrency: Annotated[int, Field(ge=0, le=100)] = 0
    """Execution environments kept warm, paid by the hour."""
    snap_start: bool = False
    """Start from a snapshot of the initialised function instead; not together with provisioned concurrency."""

    @model_validator(mode="after")
    def _agrees_as_lambda_has_it(self) -> Self:
        if self.snap_start and self.provisioned_concurrency:
            raise ValueError("snapStart and provisionedConcurrency exclude each other: one of them is false or 0")
        if self.reserved_concurrency is not None and self.provisioned_concurrency > self.reserved_concurrency:
            raise ValueError("provisionedConcurrency is at most reservedConcurrency")
        return self


class SubsystemSettings(SettingsModel):
    """What each subsystem has."""

    enabled: bool = True
    """Whether this subsystem is deployed; the others do not need it."""
    log_level: LogLevel = LogLevel.INFO
    """The least severe line that this subsystem's functions write."""
