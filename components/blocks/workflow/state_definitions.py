"""Functions that build the states of a Step Functions workflow in Amazon States Language, with JSONata.

Text between `{%` and `%}` is a JSONata expression; all other values are literal. The parameter `to` is always the name
of the next state.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

State = dict[str, Any]
"""A state, as in the JSON of the workflow's definition."""
Retry = dict[str, Any]
"""A retrier: an entry of a state's list `Retry`."""
Catch = dict[str, Any]
"""A catcher: an entry of a state's list `Catch`."""

LAMBDA_INVOKE = "arn:aws:states:::lambda:invoke"
TRANSIENT_LAMBDA_ERRORS = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
)
"""Errors to retry according to Lambda's guide: the call may not have reached the function, or its response was lost."""
SUCCEED: State = {"Type": "Succeed"}


def retry(errors: Sequence[str], attempts: int = 5, first_seconds: int = 2, longest_seconds: int = 300) -> Retry:
    """Build a retrier for some errors, with exponential backoff and full jitter.

    `attempts` counts the retries, without the first call. `first_seconds` and `longest_seconds` are the first and the
    longest pause.
    """
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": first_seconds,
        "MaxAttempts": attempts,
        "BackoffRate": 2.0,
        "MaxDelaySeconds": longest_seconds,
        "JitterStrategy": "FULL",
    }


def total_pause_seconds(retrier: Retry) -> int:
    """Return the longest total pause of a retrier; with full jitter, the average is half of it."""
    return int(sum(_max_pauses(retrier)))


def least_pause_seconds(retrier: Retry) -> float:
    """Return a lower limit of a retrier's total pause. With full jitter, a shorter total has a probability of about 3
    in 10 million.

    Each pause is uniformly distributed between 0 and its maximum, so its average is half the maximum and its variance a
    twelfth of the maximum's square. The limit is five standard deviations below the average of the total.
    """
    pauses = _max_pauses(retrier)
    return sum(pause / 2 for pause in pauses) - 5 * math.sqrt(sum(pause**2 / 12 for pause in pauses))


def _max_pauses(retrier: Retry) -> list[float]:
    """Return the longest pause before each attempt of a retrier."""
    pauses = (retrier["IntervalSeconds"] * retrier["BackoffRate"] ** number for number in range(retrier["MaxAttempts"]))
    return [min(pause, retrier["MaxDelaySeconds"]) for pause in pauses]


def catch(to: str, errors: Sequence[str] = ("States.ALL",), assign: Mapping[str, Any] | None = None) -> Catch:
    """Build a catcher that continues at another state after some errors.

    `assign` stores details of the error in variables.
    """
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
    """Build a state that calls a service.

    `assign` sets variables that later states read: `{"files": "{% $states.result.Payload.files %}"}`.
    """
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
    """Build a state that calls a function's alias. It retries Lambda's transient errors."""
    arguments = {"FunctionName": function_arn, "Payload": dict(payload)}
    all_retries = [retry(TRANSIENT_LAMBDA_ERRORS), *retries]
    return task_state(
        LAMBDA_INVOKE, arguments, timeout_seconds, to=to, retries=all_retries, catches=catches, assign=assign
    )


def choice_state(conditions: Sequence[tuple[str, str]], otherwise: str) -> State:
    """Build a state that continues at the state of the first condition that holds.

    Each condition is a JSONata expression and its next state.
    """
    return {
        "Type": "Choice",
        "Choices": [{"Condition": condition, "Next": to} for condition, to in conditions],
        "Default": otherwise,
    }


def set_variables_state(variables: Mapping[str, Any], to: str) -> State:
    return {"Type": "Pass", "Assign": dict(variables), "Next": to}


def wait_state(seconds: int | str, to: str) -> State:
    """Build a state that waits for some seconds, or for the result of a JSONata expression."""
    return {"Type": "Wait", "Seconds": seconds, "Next": to}


def map_state(
    items: str, start: str, states: Mapping[str, State], max_concurrency: int, *, to: str, catches: Sequence[Catch]
) -> State:
    """Build a state that runs the same states for each item of a JSONata list, at most `max_concurrency` at a time.

    One failed item fails the whole state. The first inner state gets the item as its input; all inner states can read
    it as `$states.context.Map.Item.Value`.
    """
    return {
        "Type": "Map",
        "Items": items,
        "MaxConcurrency": max_concurrency,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": start, "States": dict(states)},
        "Catch": list(catches),
        "Next": to,
    }


def fail_state(error: str, cause: str) -> State:
    """Build a state that ends the execution with an error, which the alarm on failed executions counts."""
    return {"Type": "Fail", "Error": error, "Cause": cause}
