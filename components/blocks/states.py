"""Functions that build the states of a Step Functions workflow in Amazon States Language, with JSONata.

Text between `{%` and `%}` is a JSONata expression; all other values are literal. The parameter `to` is always the name
of the next state.
"""

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
PAUSE_DIVISOR = 20
"""The pause between two polls of a job is the time waited so far, divided by this number (`poll_states`)."""


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
    pauses = (retrier["IntervalSeconds"] * retrier["BackoffRate"] ** number for number in range(retrier["MaxAttempts"]))
    return int(sum(min(pause, retrier["MaxDelaySeconds"]) for pause in pauses))


def catch(to: str, errors: Sequence[str] = ("States.ALL",), assign: Mapping[str, Any] | None = None) -> Catch:
    """Build a catcher that continues at another state after some errors. `assign` sets variables, as in `task_state`."""
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


def choice_state(conditions: Sequence[tuple[str, str]], otherwise: str) -> State:
    """Build a state that continues at the state of the first condition that holds, or at `otherwise`.

    Each condition is a JSONata expression and its next state.
    """
    return {
        "Type": "Choice",
        "Choices": [{"Condition": condition, "Next": to} for condition, to in conditions],
        "Default": otherwise,
    }


def fail_state(error: str, cause: str) -> State:
    """Build a state that ends the execution as failed, with an error name and a cause."""
    return {"Type": "Fail", "Error": error, "Cause": cause}


def poll_states(
    name: str, describe: State, outcomes: Sequence[tuple[str, str]], *, waited_variable: str, min_pause: int
) -> dict[str, State]:
    """Build the states that poll a started job: `WaitFor<name>` (the first), `Describe<name>` and `<name>Done`.

    `describe` is the task state that requests the job's status and assigns it to a variable; its next state must be
    `<name>Done`. `outcomes` are the conditions that end the polling, each with its next state. `waited_variable` is the
    variable with the seconds waited, to which the state that starts the job must assign 0. It is a parameter because
    the states of a Map state cannot assign to a variable of the outer states.

    A job that has run for a long time will probably run on. So the pause is a twentieth of the time waited, but not
    shorter than `min_pause`. The workflow notices the job's end at most one pause late, and a job of several hours needs
    about a hundred requests.
    """
    wait, task = f"WaitFor{name}", f"Describe{name}"
    pause = f"$max([{min_pause}, $floor(${waited_variable} / {PAUSE_DIVISOR})])"
    return {
        wait: {
            "Type": "Wait",
            "Seconds": f"{{% {pause} %}}",
            "Assign": {waited_variable: f"{{% ${waited_variable} + {pause} %}}"},
            "Next": task,
        },
        task: describe,
        f"{name}Done": choice_state(outcomes, otherwise=wait),
    }
