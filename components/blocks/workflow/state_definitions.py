"""The states of a workflow, as Step Functions reads them: in JSONata throughout.

Expressions are JSONata between `{%` and `%}`; everything else is taken as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

State = dict[str, Any]
Retry = dict[str, Any]
Catch = dict[str, Any]

LAMBDA_INVOKE = "arn:aws:states:::lambda:invoke"
TRANSIENT = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
)
"""What Lambda's own guide says to retry: the call may not have reached the function, or not come back."""
SUCCEED: State = {"Type": "Succeed"}


def retry(errors: Sequence[str], attempts: int = 5, first_seconds: int = 2, longest_seconds: int = 300) -> Retry:
    """Try again after some errors, with pauses that double and full jitter."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": first_seconds,
        "MaxAttempts": attempts,
        "BackoffRate": 2.0,
        "MaxDelaySeconds": longest_seconds,
        "JitterStrategy": "FULL",
    }


def total_pause_seconds(one: Retry) -> int:
    """Return all pauses of a retry together, at most; jitter makes them half as long, on average."""
    pauses = (one["IntervalSeconds"] * one["BackoffRate"] ** number for number in range(one["MaxAttempts"]))
    return int(sum(min(pause, one["MaxDelaySeconds"]) for pause in pauses))


def catch(to: str, errors: Sequence[str] = ("States.ALL",), assign: Mapping[str, Any] | None = None) -> Catch:
    """Go elsewhere after some errors; `assign` keeps what the error said."""
    return {"ErrorEquals": list(errors), "Next": to, **({"Assign": dict(assign)} if assign else {})}


def task_state(
    resource: str,
    arguments: Mapping[str, Any],
    timeout_seconds: int,
    *,
    to: str,
    retries: Sequence[Retry] = (),
    catches: Sequence[Catch] = (),
    assign: Mapping[str, Any] | None = None,
) -> State:
    """Call a service. `assign` has variables that later states read: `{"files": "{% $states.result.Payload.files %}"}`."""
    return {
        "Type": "Task",
        "Resource": resource,
        "Arguments": dict(arguments),
        "TimeoutSeconds": timeout_seconds,
        **({"Retry": list(retries)} if retries else {}),
        **({"Catch": list(catches)} if catches else {}),
        **({"Assign": dict(assign)} if assign else {}),
        "Next": to,
    }


def lambda_state(
    function_arn: str,
    payload: Mapping[str, Any],
    timeout_seconds: int,
    *,
    to: str,
    retries: Sequence[Retry] = (),
    catches: Sequence[Catch] = (),
    assign: Mapping[str, Any] | None = None,
) -> State:
    """Call a function's alias, again where Lambda itself stumbles."""
    arguments = {"FunctionName": function_arn, "Payload": dict(payload)}
    again = [retry(TRANSIENT), *retries]
    return task_state(LAMBDA_INVOKE, arguments, timeout_seconds, to=to, retries=again, catches=catches, assign=assign)


def choice_state(conditions: Sequence[tuple[str, str]], otherwise: str) -> State:
    """Go where the first condition that holds says; `conditions`: JSONata expression, next state."""
    return {
        "Type": "Choice",
        "Choices": [{"Condition": condition, "Next": to} for condition, to in conditions],
        "Default": otherwise,
    }


def set_variables_state(variables: Mapping[str, Any], to: str) -> State:
    """Set variables and do nothing else."""
    return {"Type": "Pass", "Assign": dict(variables), "Next": to}


def wait_state(seconds: int | str, to: str) -> State:
    """Wait so many seconds, or as many as a JSONata expression comes to."""
    return {"Type": "Wait", "Seconds": seconds, "Next": to}


def map_state(
    items: str, start: str, states: Mapping[str, State], at_once: int, *, to: str, catches: Sequence[Catch]
) -> State:
    """Run the same states for each item of a list (JSONata), some at once. One that fails fails them all.

    A state inside reads the item as its input, or as `$states.context.Map.Item.Value`.
    """
    return {
        "Type": "Map",
        "Items": items,
        "MaxConcurrency": at_once,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": start, "States": dict(states)},
        "Catch": list(catches),
        "Next": to,
    }


def fail_state(error: str, cause: str) -> State:
    """End with an error that the execution shows and that its alarm counts."""
    return {"Type": "Fail", "Error": error, "Cause": cause}
