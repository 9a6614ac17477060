"""A workflow's expressions, evaluated as Step Functions evaluates them, and what its states come to by them."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonata

from handlers.common.identity import user_ids
from handlers.meetings.s3_keys import MeetingId, Recording

RECORDING = Recording(MeetingId("A" * user_ids.LENGTH, "01KG8Q3V5Z9X7W6T4R2P0N8M6K"), "0a" * 16)
INPUT = {
    "user": RECORDING.meeting.user,
    "meetingId": RECORDING.meeting.meeting_id,
    "content": RECORDING.content,
    "attempt": 2,
}


def evaluate(expression: str, context: Mapping[str, Any] | None = None, **variables: Any) -> Any:
    """What an expression comes to, with the variables that Step Functions has."""
    assert expression.startswith("{% ")
    asked = _parsed(expression.removeprefix("{%").removesuffix("%}"))
    known = asked.create_frame()
    known.bind("states", {"context": {"Execution": {"Input": INPUT}}, **(context or {})})
    for name, value in variables.items():
        known.bind(name, value)
    return asked.evaluate(None, known)


@cache
def _parsed(expression: str) -> jsonata.Jsonata:
    """Most of its time."""
    return jsonata.Jsonata(expression)


def fill_arguments(arguments: Any, context: Mapping[str, Any] | None = None, **variables: Any) -> Any:
    """Arguments with what their expressions come to."""
    if isinstance(arguments, dict):
        return {name: fill_arguments(one, context, **variables) for name, one in arguments.items()}
    if isinstance(arguments, list):
        return [fill_arguments(argument, context, **variables) for argument in arguments]
    if isinstance(arguments, str) and arguments.startswith("{%"):
        return evaluate(arguments, context, **variables)
    return arguments


def find_catch(state: Mapping[str, Any], error: str) -> Mapping[str, Any]:
    """Which Catch takes an error."""
    for one in state["Catch"]:
        if {error, "States.ALL"} & set(one["ErrorEquals"]):
            found: Mapping[str, Any] = one
            return found
    raise AssertionError(f"nothing catches {error}")


def evaluate_choice(state: Mapping[str, Any], context: Mapping[str, Any] | None = None, **variables: Any) -> str:
    """Where a Choice leads."""
    for one in state["Choices"]:
        if evaluate(one["Condition"], context, **variables):
            return str(one["Next"])
    return str(state["Default"])
