"""Where Step Functions' missing integrations are registered: `add` before the emulator serves.

The subsystem that brings a workflow with a new integration brings its runner.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from local.patches import reached

Integration = Callable[[str, Any], Any]
"""Given a task's resource and its input; answers the task's result, or raises `failed(…)`."""

ADDED: dict[str, Integration] = {}
"""Resource prefix (`arn:aws:states:::glue:startJobRun`) → what runs it."""


def add(prefix: str, integration: Integration) -> None:
    """Registers an integration; one that the emulator has is not replaced by accident."""
    if prefix in reached(stepfunctions, "_SERVICE_DISPATCH") or prefix in ADDED:
        raise ValueError(f"{prefix} is there already")
    ADDED[prefix] = integration


def install() -> None:
    """Extends `stepfunctions._SERVICE_DISPATCH`."""
    reached(stepfunctions, "_SERVICE_DISPATCH").update(ADDED)


def failed(error: str, cause: str) -> Exception:
    """What an integration raises: the name that a workflow catches, and why."""
    found: Exception = reached(stepfunctions, "_ExecutionError")(error, cause)
    return found
