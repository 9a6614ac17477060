"""A state machine's definition from a few typed states, in JSONata throughout.

Every task says how long it may take and what becomes of its failure: a Retry, a Catch, or both. Expressions are
JSONata between `{%` and `%}`; everything else is taken as it is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LAMBDA_INVOKE = "arn:aws:states:::lambda:invoke"
TRANSIENT = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
)
"""What Lambda's own guide says to retry: the call may not have reached the function, or not come back."""


@dataclass(frozen=True)
class Retry:
    """Try again after some errors, with growing pauses and full jitter."""

    errors: Sequence[str]
    attempts: int = 5
    first_seconds: int = 2
    rate: float = 2.0
    longest_seconds: int = 300

    @property
    def pauses_seconds(self) -> int:
        """All pauses together, at most; jitter makes them half as long, on average."""
        pauses = (self.first_seconds * self.rate**number for number in range(self.attempts))
        return int(sum(min(pause, self.longest_seconds) for pause in pauses))

    def definition(self) -> dict[str, Any]:
        return {
            "ErrorEquals": list(self.errors),
            "IntervalSeconds": self.first_seconds,
            "MaxAttempts": self.attempts,
            "BackoffRate": self.rate,
            "MaxDelaySeconds": self.longest_seconds,
            "JitterStrategy": "FULL",
        }


@dataclass(frozen=True)
class Catch:
    """Go elsewhere after some errors; `assign` keeps what the error said."""

    to: str
    errors: Sequence[str] = ("States.ALL",)
    assign: Mapping[str, Any] = field(default_factory=dict)

    def definition(self) -> dict[str, Any]:
        return {
            "ErrorEquals": list(self.errors),
            "Next": self.to,
            **({"Assign": dict(self.assign)} if self.assign else {}),
        }


@dataclass(frozen=True)
class Task:
    """One service call."""

    resource: str
    arguments: Mapping[str, Any]
    timeout_seconds: int
    to: str | None = None
    """The state after it; none ends the machine."""
    retries: Sequence[Retry] = ()
    catches: Sequence[Catch] = ()
    assign: Mapping[str, Any] = field(default_factory=dict)
    """Variables that later states read, such as `{"files": "{% $states.result.Payload.files %}"}`."""

    def definition(self) -> dict[str, Any]:
        if not self.retries and not self.catches:
            raise ValueError(f"a task on {self.resource} needs a Retry or a Catch")
        return {
            "Type": "Task",
            "Resource": self.resource,
            "Arguments": dict(self.arguments),
            "TimeoutSeconds": self.timeout_seconds,
            **({"Retry": [one.definition() for one in self.retries]} if self.retries else {}),
            **({"Catch": [one.definition() for one in self.catches]} if self.catches else {}),
            **({"Assign": dict(self.assign)} if self.assign else {}),
            **_onward(self.to),
        }


@dataclass(frozen=True)
class Choice:
    """The first condition that holds decides where to go."""

    conditions: Sequence[tuple[str, str]]
    """JSONata expression, next state."""
    otherwise: str

    def definition(self) -> dict[str, Any]:
        return {
            "Type": "Choice",
            "Choices": [{"Condition": condition, "Next": to} for condition, to in self.conditions],
            "Default": self.otherwise,
        }


@dataclass(frozen=True)
class Pass:
    """Nothing but variables, which later states read."""

    assign: Mapping[str, Any]
    to: str

    def definition(self) -> dict[str, Any]:
        return {"Type": "Pass", "Assign": dict(self.assign), "Next": self.to}


@dataclass(frozen=True)
class Wait:
    """Some time."""

    seconds: int | str
    """Or a JSONata expression that comes to a whole number."""
    to: str

    def definition(self) -> dict[str, Any]:
        return {"Type": "Wait", "Seconds": self.seconds, "Next": self.to}


@dataclass(frozen=True)
class Map:
    """The same states for each item of a list, some at once. One that fails fails them all."""

    items: str
    """JSONata expression; a state inside reads the item as its input, or as `$states.context.Map.Item.Value`."""
    start: str
    states: "Mapping[str, State]"
    at_once: int
    to: str
    catches: Sequence[Catch] = ()

    def definition(self) -> dict[str, Any]:
        return {
            "Type": "Map",
            "Items": self.items,
            "MaxConcurrency": self.at_once,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": self.start,
                "States": _connected(self.start, self.states),
            },
            **({"Catch": [one.definition() for one in self.catches]} if self.catches else {}),
            "Next": self.to,
        }


@dataclass(frozen=True)
class Succeed:
    """The end, well."""

    def definition(self) -> dict[str, Any]:
        return {"Type": "Succeed"}


@dataclass(frozen=True)
class Fail:
    """The end, with an error that the execution shows and that its alarm counts."""

    error: str
    cause: str

    def definition(self) -> dict[str, Any]:
        return {"Type": "Fail", "Error": self.error, "Cause": self.cause}


State = Task | Choice | Pass | Wait | Map | Succeed | Fail


def call(
    function_arn: str,
    payload: Mapping[str, Any],
    timeout_seconds: int,
    *,
    to: str | None,
    catches: Sequence[Catch] = (),
    assign: Mapping[str, Any] | None = None,
) -> Task:
    """A task that calls a function's alias and tries again where Lambda itself stumbles."""
    return Task(
        LAMBDA_INVOKE,
        {"FunctionName": function_arn, "Payload": dict(payload)},
        timeout_seconds,
        to=to,
        retries=[Retry(TRANSIENT)],
        catches=catches,
        assign=assign or {},
    )


def definition(comment: str, start: str, states: Mapping[str, State], timeout_seconds: int) -> str:
    """The whole definition, or a ValueError where a state leads nowhere or cannot be reached."""
    return json.dumps(
        {
            "Comment": comment,
            "QueryLanguage": "JSONata",
            "StartAt": start,
            "TimeoutSeconds": timeout_seconds,
            "States": _connected(start, states),
        },
        sort_keys=True,
    )


def _connected(start: str, states: Mapping[str, State]) -> dict[str, Any]:
    """All states, each of which leads somewhere and can be reached."""
    built = {name: state.definition() for name, state in states.items()}
    missing = sorted({to for state in built.values() for to in _targets(state)} - built.keys())
    if missing or start not in built:
        raise ValueError(f"no state {', '.join(missing) or start}; there are {', '.join(built)}")
    reached, waiting = {start}, [start]
    while waiting:
        found = set(_targets(built[waiting.pop()])) - reached
        reached |= found
        waiting += sorted(found)
    if lost := sorted(built.keys() - reached):
        raise ValueError(f"nothing leads to {', '.join(lost)}")
    return built


def _onward(to: str | None) -> dict[str, Any]:
    return {"End": True} if to is None else {"Next": to}


def _targets(state: Mapping[str, Any]) -> list[str]:
    found = [state[key] for key in ("Next", "Default") if key in state]
    return found + [one["Next"] for key in ("Choices", "Catch") for one in state.get(key, ())]
