"""Lambda and CloudWatch as the commands need them: a call each, answers as plain records, errors as lines of ours.

Decides nothing. Environments pass through it and are kept out of every text: records do not show them, and no message
of AWS is repeated.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from operations.command_errors import Changed, Invalid, NotFound, Refused, Unclear
from operations.function_target import LIVE

Clients = Callable[[str], Any]
"""A client by service."""

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    }
)
SHAPE = (
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
"""What a version freezes beside its environment: the code, and all that the deployment sets around it."""
VOLATILE = frozenset({"CodeSize", "OptimizationStatus", "VpcId"})
"""Parts of these that Lambda adds by itself."""


@dataclass(frozen=True)
class Routing:
    """Where an alias sends its callers: one version, and shares of the traffic (0 to 1) to others."""

    version: str
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Alias:
    """The alias `live` as it was read."""

    routing: Routing
    revision: str


@dataclass(frozen=True)
class Configuration:
    """A version, or `$LATEST`, as it was read."""

    version: str
    description: str
    modified: str
    code: str
    state: str
    """`Pending`, `Active`, `Inactive` or `Failed`."""
    update: str
    """`Successful`, `InProgress` or `Failed`."""
    reason: str
    """Lambda's code for why it is not as it should be."""
    revision: str
    shape: Mapping[str, str]
    environment: Mapping[str, str] | None = field(repr=False)
    """None where Lambda could not decrypt it for this caller: then it looks empty, and merging would wipe it."""


@dataclass(frozen=True)
class Alarm:
    """An alarm's state."""

    name: str
    state: str
    since: datetime | None

    @property
    def is_ringing(self) -> bool:
        """Return True if the alarm is in the state ALARM."""
        return self.state == "ALARM"

    @property
    def has_no_data(self) -> bool:
        """Return True if the alarm has too little data to decide."""
        return self.state == "INSUFFICIENT_DATA"


class Gateway:
    """One account and region."""

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
        """Where this looks."""
        return str(self._lambda.meta.region_name)

    def alias(self, function: str) -> Alias:
        """The alias `live`."""
        with told("lambda:GetAlias", function):
            return _alias(self._lambda.get_alias(FunctionName=function, Name=LIVE))

    def point(self, function: str, to: Routing, revision: str) -> Alias:
        """Moves the alias, unless it is no longer as it was read."""
        with told("lambda:UpdateAlias", function):
            return _alias(
                self._lambda.update_alias(
                    FunctionName=function,
                    Name=LIVE,
                    FunctionVersion=to.version,
                    RoutingConfig={"AdditionalVersionWeights": dict(to.weights)},
                    RevisionId=revision,
                )
            )

    def configuration(self, function: str, version: str = "$LATEST") -> Configuration:
        """A version's configuration."""
        with told("lambda:GetFunctionConfiguration", function):
            return _configuration(self._lambda.get_function_configuration(FunctionName=function, Qualifier=version))

    def versions(self, function: str) -> list[Configuration]:
        """The published versions, newest first."""
        with told("lambda:ListVersionsByFunction", function):
            pages = self._lambda.get_paginator("list_versions_by_function").paginate(FunctionName=function)
            found = [_configuration(one) for page in pages for one in page["Versions"] if one["Version"] != "$LATEST"]
        return sorted(found, key=lambda one: int(one.version), reverse=True)

    def set_environment(self, function: str, environment: Mapping[str, str], revision: str) -> None:
        """Replaces the environment of `$LATEST`, unless it is no longer as it was read."""
        with told("lambda:UpdateFunctionConfiguration", function):
            self._lambda.update_function_configuration(
                FunctionName=function, Environment={"Variables": dict(environment)}, RevisionId=revision
            )

    def publish(self, function: str, seen: Configuration, description: str) -> str:
        """Publishes `$LATEST` as it was read, and gives the version's number."""
        with told("lambda:PublishVersion", function):
            answer = self._lambda.publish_version(
                FunctionName=function, CodeSha256=seen.code, RevisionId=seen.revision, Description=description
            )
        return str(answer["Version"])

    def alarms(self, prefix: str) -> list[Alarm]:
        """The metric alarms whose names begin so."""
        with told("cloudwatch:DescribeAlarms", f"{prefix}*"):
            pages = self._cloudwatch.get_paginator("describe_alarms").paginate(
                AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
            )
            return [
                Alarm(one["AlarmName"], one["StateValue"], one.get("StateTransitionedTimestamp"))
                for page in pages
                for one in page["MetricAlarms"]
            ]


@dataclass(frozen=True)
class Caller:
    """Whose credentials these are."""

    partition: str
    account: str

    def arn(self, service: str, region: str, rest: str) -> str:
        """An ARN of the same account."""
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{rest}"


def caller(clients: Clients) -> Caller:
    """By what STS says."""
    with told("sts:GetCallerIdentity", "these credentials"):
        found = clients("sts").get_caller_identity()
    return Caller(found["Arn"].split(":")[1], found["Account"])


@contextmanager
def told(action: str | None, resource: str) -> Iterator[None]:
    """Turns the service's errors into lines of ours. None carries the original: its text may hold an environment.

    Where many calls are made, it is the error that says which one it was.
    """
    try:
        yield
    except ClientError as error:
        raise _line(error, action or error.operation_name, resource) from None
    except BotoCoreError as error:
        raise Unclear(
            f"{action or 'a call'} on {resource}: no answer ({type(error).__name__}); check credentials, region and network, "
            "then run it again"
        ) from None


def _line(error: ClientError, action: str, resource: str) -> Refused:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in DENIED:
        return Refused(f"access denied: these credentials may not {action} on {resource}; use a role that may")
    if code in EXPIRED:
        return Refused(
            f"{action} on {resource}: the credentials are expired or wrong ({code}); log in and run it again"
        )
    match code:
        case "ResourceNotFoundException":
            return NotFound(f"{action} on {resource}: there is no such thing")
        case "PreconditionFailedException":
            return Changed(f"{action} on {resource}: somebody else changed it meanwhile; nothing was overwritten")
        case "ResourceConflictException":
            return Refused(
                f"{resource}: another update is under way, perhaps a deployment; run it again when it is done"
            )
        case "InvalidParameterValueException":
            return Invalid(f"{action} on {resource}: Lambda does not accept it")
    if code.startswith("KMS"):
        return Refused(f"{action} on {resource}: its key is disabled or not for these credentials ({code})")
    if status >= 500:
        return Unclear(f"{action} on {resource}: {code or 'an error'} of the service ({status}); run it again")
    return Refused(f"{action} on {resource}: {code or 'an error'} ({status}); nothing was changed by this call")


def _alias(answer: Mapping[str, Any]) -> Alias:
    weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Alias(
        Routing(answer["FunctionVersion"], {version: round(weight, 4) for version, weight in weights.items()}),
        answer["RevisionId"],
    )


def _configuration(answer: Mapping[str, Any]) -> Configuration:
    environment = answer.get("Environment") or {}
    return Configuration(
        version=answer["Version"],
        description=answer.get("Description") or "",
        modified=answer.get("LastModified") or "",
        code=answer["CodeSha256"],
        state=answer.get("State") or "Active",
        update=answer.get("LastUpdateStatus") or "Successful",
        reason=answer.get("LastUpdateStatusReasonCode") or answer.get("StateReasonCode") or "no reason given",
        revision=answer.get("RevisionId") or "",
        shape={name: json.dumps(_lasting(answer.get(name)), sort_keys=True) for name in SHAPE},
        environment=None if environment.get("Error") else dict(environment.get("Variables") or {}),
    )


def _lasting(value: Any) -> Any:
    """A value without what Lambda adds by itself; empty and absent are the same."""
    if isinstance(value, Mapping):
        kept = {key: _lasting(inner) for key, inner in value.items() if key not in VOLATILE}
        return {key: inner for key, inner in kept.items() if inner is not None} or None
    if isinstance(value, list):
        return [_lasting(inner) for inner in value] or None
    return value or None
