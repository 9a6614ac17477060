"""Evaluation of the JSONata expressions of a workflow's states, as Step Functions does it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonata

from handlers.common import ids
from handlers.meetings.s3_keys import MeetingId, Recording

RECORDING = Recording(MeetingId("A" * ids.USER_ID_LENGTH, "01KG8Q3V5Z9X7W6T4R2P0N8M6K"), "0a" * 16)
INPUT = {
    "user": RECORDING.meeting.user,
    "meetingId": RECORDING.meeting.meeting_id,
    "content": RECORDING.content,
    "attempt": 2,
}
"""Input of the execution."""
AUDIO_PART = {"offsetMs": 0, "durationMs": 1}
MEDIA = {"isCurrent": True, "audio": [AUDIO_PART], "language": "en-US", "durationMs": 5}
"""Result of the media job, as the step `ReadMedia` returns it."""


def evaluate(expression: str, context: Mapping[str, Any] | None = None, **variables: Any) -> Any:
    """Return the value of an expression. `context` extends `$states`, and `variables` are the workflow's variables."""
    assert expression.startswith("{% ")
    parsed_expression = _parse(expression.removeprefix("{%").removesuffix("%}"))
    frame = parsed_expression.create_frame()
    frame.bind("states", {"context": {"Execution": {"Input": INPUT}}, **(context or {})})
    for name, value in variables.items():
        frame.bind(name, value)
    return parsed_expression.evaluate(None, frame)


@cache
def _parse(expression: str) -> jsonata.Jsonata:
    """Return the parsed expression. It is cached, because parsing takes most of the time."""
    return jsonata.Jsonata(expression)


def fill_arguments(arguments: Any, context: Mapping[str, Any] | None = None, **variables: Any) -> Any:
    """Return the arguments with their expressions evaluated."""
    if isinstance(arguments, dict):
        return {name: fill_arguments(value, context, **variables) for name, value in arguments.items()}
    if isinstance(arguments, list):
        return [fill_arguments(argument, context, **variables) for argument in arguments]
    if isinstance(arguments, str) and arguments.startswith("{%"):
        return evaluate(arguments, context, **variables)
    return arguments


def find_catch(state: Mapping[str, Any], error: str) -> Mapping[str, Any]:
    """Return the Catch block for an error."""
    catches: list[Mapping[str, Any]] = state["Catch"]
    return next(catch for catch in catches if {error, "States.ALL"} & set(catch["ErrorEquals"]))


def evaluate_choice(state: Mapping[str, Any], context: Mapping[str, Any] | None = None, **variables: Any) -> str:
    """Return the next state after a Choice state."""
    for choice in state["Choices"]:
        if evaluate(choice["Condition"], context, **variables):
            return str(choice["Next"])
    return str(state["Default"])
