"""A failed function's error type is its exception's class, as Lambda's own runtime has it.

The emulator calls every failure `Runtime.HandlerError`, so a workflow that catches a class by name never would.
"""

from typing import Any

from ministack.services import lambda_svc

from local.patches import reached
from local.patches.traces import error_class

NAMELESS = "Runtime.HandlerError"


def install() -> None:
    """Replaces `lambda_svc._execute_function_warm`."""
    execute = reached(lambda_svc, "_execute_function_warm")

    def with_class(*arguments: Any, **named: Any) -> dict[str, Any]:
        result: dict[str, Any] = execute(*arguments, **named)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") == NAMELESS:
            body["errorType"] = error_class(result.get("log", ""), body.get("errorMessage", "")) or NAMELESS
        return result

    lambda_svc._execute_function_warm = with_class  # noqa: SLF001
