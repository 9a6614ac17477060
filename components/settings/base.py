"""Base classes of all settings models, and the settings that several subsystems share.

The other modules of this folder have the models of the sections of a stack file. In the type of a text, `TextForm` is a
pattern, with the rule that an error states for a text that does not match.

Keys in stack files are in camelCase, unknown keys are errors, and loaded settings are immutable. Every default is the
value for production. The stack file of another environment relaxes settings, for example to save money or to log more.
So the stack files show every difference between stacks.
"""

import json
import re
from enum import StrEnum
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from handlers.common.json_models import TextForm

Region = Annotated[str, TextForm(r"^[a-z]{2}(-[a-z]+)+-[0-9]$", "must be the name of an AWS region, such as us-east-1")]
"""Name of an AWS region, for example `us-east-1`."""
KEY_ARN_RULE = "must be the ARN of a KMS key: arn:aws:kms:<region>:<account>:key/<id>"
KeyArn = Annotated[str, TextForm(r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$", KEY_ARN_RULE)]
"""ARN of a KMS key."""
HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
"""Pattern of a host name: letters, digits, dots and hyphens, with a letter or digit at both ends."""
Origin = Annotated[
    str,
    TextForm(
        rf"^(\*|https?://{HOST}(:[0-9]{{1,5}})?)$",
        "must be * or an origin such as https://app.example.com, without a path",
    ),
]
"""Origin of a web page that may send requests from a browser, or `*` for any origin."""
GATEWAY_SECONDS = 29
"""Time that API Gateway waits for a function."""
MIN_WEBSOCKET_SECONDS = 10
"""Minimum timeout of a function behind a WebSocket API. When a client connects, the function's calls of AWS services
time out before Lambda would stop the function, so the client gets an answer that says what failed."""
MAX_SHOWN_CHARACTERS = 80
"""Maximum length of a value in an error message."""


class Environment(StrEnum):
    """Kind of a stack. It determines which settings are allowed and which policies are mandatory."""

    LOCAL = "local"
    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class LogLevel(StrEnum):
    """Lowest severity of the lines that a function logs."""

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
        url_preserve_empty_path=True,  # a token's issuer is compared with the setting as text, so no slash may be added
    )

    @model_validator(mode="before")
    @classmethod
    def _merge_section_defaults(cls, given: Any) -> Any:
        """Add the settings that the stack file omits in a section, with the values of the section's own default.

        For example, if the stack file sets only a function's timeout, the function keeps its own default memory size.
        """
        if not isinstance(given, dict):
            return given
        merged = dict(given)
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if isinstance(field.default, SettingsModel) and isinstance(merged.get(key), dict):
                merged[key] = {**field.default.model_dump(by_alias=True, exclude_unset=True), **merged[key]}
        return merged

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_boolean(cls, given: Any, info: ValidationInfo) -> Any:
        """Refuse true and false for other types, because Pydantic would read true as 1."""
        if isinstance(given, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise PydanticCustomError("boolean_not_allowed", "it must not be true or false")
        return given


def find_section(field: FieldInfo) -> type[SettingsModel] | None:
    """Return the model of a field that is a section, an optional section or a list of sections; None for other fields."""
    types = (field.annotation, *get_args(field.annotation))
    return next((found for found in types if isinstance(found, type) and issubclass(found, SettingsModel)), None)


def show_value(value: object) -> str:
    """Return a value for an error message, without a password in a URL."""
    return re.sub("//[^/]*@", "//…@", json.dumps(value, ensure_ascii=False, default=str))[:MAX_SHOWN_CHARACTERS]


RequestsPerSecond = Annotated[int, Field(ge=1, le=2_500)]
"""Request rate of an API. An API accepts bursts of twice this number, and AWS allows an account bursts of 5,000."""


class FunctionSettings(SettingsModel):
    """Size and version of one function."""

    memory_mb: Annotated[int, Field(ge=128, le=10_240)] = 512
    """Memory in MB. Lambda assigns processor time in proportion."""
    timeout_seconds: Annotated[int, Field(ge=1, le=900)] = 60
    """Maximum duration of one invocation."""
    live_version: (
        Annotated[str, TextForm(r"^[1-9][0-9]*$", "must be the number of a version as a text, such as '7'")] | None
    ) = None
    """Version that the alias `live` is pinned to. Without it, the alias follows the newest version."""


class ClientFunctionSettings(FunctionSettings):
    """Size, version and concurrency of a function that clients wait for."""

    reserved_concurrency: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Maximum number of concurrent invocations, reserved for this function. Without it, the account's shared pool
    applies. Lambda refuses a reservation that leaves fewer than 100 to the account, so an account with a quota of 10
    cannot reserve any."""
    provisioned_concurrency: Annotated[int, Field(ge=0, le=100)] = 0
    """Number of execution environments that are kept warm. Each costs money per hour."""
    snap_start: bool = False
    """Start from a snapshot of the initialised function. It cannot be combined with provisioned concurrency."""

    @model_validator(mode="after")
    def _check_concurrency(self) -> Self:
        if self.snap_start and self.provisioned_concurrency:
            raise ValueError(
                "snapStart and provisionedConcurrency cannot be combined: set snapStart to false or provisionedConcurrency to 0"
            )
        if self.reserved_concurrency is not None and self.provisioned_concurrency > self.reserved_concurrency:
            raise ValueError(
                f"provisionedConcurrency must be at most reservedConcurrency ({self.reserved_concurrency})"
            )
        return self


class SubsystemSettings(SettingsModel):
    """Base of the settings of a subsystem."""

    enabled: bool = True
    """Deploy this subsystem. The other subsystems do not need it."""
    log_level: LogLevel = LogLevel.INFO
    """Lowest severity of the lines that this subsystem's functions log."""
