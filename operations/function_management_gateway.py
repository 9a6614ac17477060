"""Gateway to Lambda and CloudWatch: the functions, their alias `live`, and the alarms of one account and Region.

Each method of the gateway calls one operation of AWS. The environment variables of a function may be secret, so no
message contains them, and `repr` of a configuration omits them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from operations.aws_account import Clients
from operations.aws_errors import translate_errors
from operations.function_target import LIVE

FROZEN_SETTINGS = (
    "CodeSha256",
    "Layers",
    "Handler",
    "Runtime",
    "Architectures",
    "Role",
    "MemorySize",
    "Timeout",
    "EphemeralStorage",
    "KMSKeyArn",
    "VpcConfig",
    "TracingConfig",
    "LoggingConfig",
    "SnapStart",
)
"""Fields of code and configuration that cannot change in a published version. Its environment cannot change either."""
ADDED_BY_LAMBDA = frozenset({"CodeSize", "OptimizationStatus", "VpcId"})
"""Keys that Lambda adds inside the fields of `FROZEN_SETTINGS`. They are left out, so that two versions can be
compared."""


@dataclass(frozen=True)
class AliasRouting:
    """Traffic routing of an alias: the main version, and the shares (0 to 1) of other versions."""

    version: str
    """Version that gets the traffic that `weights` leaves."""
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveAlias:
    """State of the alias `live` when it was read."""

    routing: AliasRouting
    revision: str
    """Lambda's id of this state of the alias. An update with an old revision is refused."""


@dataclass(frozen=True)
class FunctionConfiguration:
    """Configuration of a version or of `$LATEST` when it was read."""

    version: str
    """Number of the version, or `$LATEST`."""
    description: str
    modified: str
    """Time of the last modification, in ISO 8601."""
    code_hash: str
    """SHA-256 of the code, in base64."""
    state: str
    """`Pending`, `Active`, `Inactive` or `Failed`."""
    update_status: str
    """`Successful`, `InProgress` or `Failed`."""
    reason: str
    """Lambda's code for the reason of a failed state or update."""
    revision: str
    """Lambda's id of this state of the version. An update with an old revision is refused."""
    frozen_settings: Mapping[str, str]
    """Values of `FROZEN_SETTINGS` as JSON."""
    environment: Mapping[str, str] | None = field(repr=False)
    """None if Lambda could not decrypt the environment for this caller. Lambda then returns it empty, and writing it
    back would delete all variables."""


@dataclass(frozen=True)
class AlarmState:
    name: str
    state: str
    since: datetime | None
    """Time of the last change of the state."""

    @property
    def is_in_alarm(self) -> bool:
        return self.state == "ALARM"

    @property
    def has_no_data(self) -> bool:
        """True if the alarm has too little data to have a state."""
        return self.state == "INSUFFICIENT_DATA"


class FunctionGateway:
    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @cached_property
    def _lambda(self) -> Any:
        return self._clients("lambda")

    @cached_property
    def _cloudwatch(self) -> Any:
        return self._clients("cloudwatch")

    @property
    def region(self) -> str:
        return str(self._lambda.meta.region_name)

    def get_alias(self, function: str) -> LiveAlias:
        """Return the alias `live` of a function."""
        with translate_errors("lambda:GetAlias", function):
            return _to_alias(self._lambda.get_alias(FunctionName=function, Name=LIVE))

    def update_alias(self, function: str, to: AliasRouting, revision: str) -> LiveAlias:
        """Change the routing of `live`. Raises ConcurrentChange if its revision has changed."""
        with translate_errors("lambda:UpdateAlias", function):
            return _to_alias(
                self._lambda.update_alias(
                    FunctionName=function,
                    Name=LIVE,
                    FunctionVersion=to.version,
                    RoutingConfig={"AdditionalVersionWeights": dict(to.weights)},
                    RevisionId=revision,
                )
            )

    def get_configuration(self, function: str, version: str = "$LATEST") -> FunctionConfiguration:
        """Return the configuration of a version."""
        with translate_errors("lambda:GetFunctionConfiguration", function):
            return _to_configuration(self._lambda.get_function_configuration(FunctionName=function, Qualifier=version))

    def list_versions(self, function: str) -> list[FunctionConfiguration]:
        """Return the published versions, newest first."""
        with translate_errors("lambda:ListVersionsByFunction", function):
            pages = self._lambda.get_paginator("list_versions_by_function").paginate(FunctionName=function)
            versions = [
                _to_configuration(answer)
                for page in pages
                for answer in page["Versions"]
                if answer["Version"] != "$LATEST"
            ]
        return sorted(versions, key=lambda configuration: int(configuration.version), reverse=True)

    def set_environment(self, function: str, environment: Mapping[str, str], revision: str) -> None:
        """Replace the environment of `$LATEST`. Raises ConcurrentChange if its revision has changed."""
        with translate_errors("lambda:UpdateFunctionConfiguration", function):
            self._lambda.update_function_configuration(
                FunctionName=function, Environment={"Variables": dict(environment)}, RevisionId=revision
            )

    def publish(self, function: str, latest: FunctionConfiguration, description: str) -> str:
        """Publish `$LATEST` as it was read, and return the number of the new version.

        Raises ConcurrentChange or InvalidInput if `$LATEST` has changed.
        """
        with translate_errors("lambda:PublishVersion", function):
            answer = self._lambda.publish_version(
                FunctionName=function, CodeSha256=latest.code_hash, RevisionId=latest.revision, Description=description
            )
        return str(answer["Version"])

    def list_alarms(self, prefix: str) -> list[AlarmState]:
        """Return the metric alarms whose names begin with a prefix."""
        with translate_errors("cloudwatch:DescribeAlarms", f"{prefix}*"):
            pages = self._cloudwatch.get_paginator("describe_alarms").paginate(
                AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
            )
            return [
                AlarmState(alarm["AlarmName"], alarm["StateValue"], alarm.get("StateTransitionedTimestamp"))
                for page in pages
                for alarm in page["MetricAlarms"]
            ]


def _to_alias(answer: Mapping[str, Any]) -> LiveAlias:
    weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return LiveAlias(
        AliasRouting(answer["FunctionVersion"], {version: round(weight, 4) for version, weight in weights.items()}),
        answer["RevisionId"],
    )


def _to_configuration(answer: Mapping[str, Any]) -> FunctionConfiguration:
    environment = answer.get("Environment") or {}
    return FunctionConfiguration(
        version=answer["Version"],
        description=answer.get("Description") or "",
        modified=answer.get("LastModified") or "",
        code_hash=answer["CodeSha256"],
        state=answer.get("State") or "Active",
        update_status=answer.get("LastUpdateStatus") or "Successful",
        reason=answer.get("LastUpdateStatusReasonCode") or answer.get("StateReasonCode") or "no reason given",
        revision=answer.get("RevisionId") or "",
        frozen_settings={
            name: json.dumps(_without_added_keys(answer.get(name)), sort_keys=True) for name in FROZEN_SETTINGS
        },
        environment=None if environment.get("Error") else dict(environment.get("Variables") or {}),
    )


def _without_added_keys(value: Any) -> Any:
    """Return a value without the keys that Lambda adds. Empty and absent values become None."""
    if isinstance(value, Mapping):
        cleaned = {key: _without_added_keys(inner) for key, inner in value.items() if key not in ADDED_BY_LAMBDA}
        return {key: inner for key, inner in cleaned.items() if inner is not None} or None
    if isinstance(value, list):
        return [_without_added_keys(inner) for inner in value] or None
    return value or None
