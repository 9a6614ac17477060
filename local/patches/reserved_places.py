"""How many calls of a function may run at once, and what becomes of those that nobody waits for beyond that.

What is reserved for a function holds for all its versions; the emulator asks the version itself, which has nothing. And
it gives up a call of the kind for want of a place as if the function had failed, where Lambda keeps it until there is
one or it is too old, and retries count failures alone. With no place at all nothing is kept: it is a failure at once.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import contextvars
import time
from typing import Any

from ministack.services import lambda_svc

from local.patches import reached

_kept_until: contextvars.ContextVar[float] = contextvars.ContextVar("kept_until", default=0)
"""By the monotonic clock; nobody keeps a call that is waited for."""
MOST_AGE_SECONDS = 21_600
FIRST_LOOK_SECONDS = 0.1
"""A second on AWS, as long as between retries and their first look; here nobody wants to wait so long."""
LAST_LOOK_SECONDS = 5.0


def install() -> None:
    """Replaces `lambda_svc._reserved_concurrency`, `._execute_function` and `.invoke_async_with_retry`."""
    reserved = reached(lambda_svc, "_reserved_concurrency")
    execute = reached(lambda_svc, "_execute_function")
    invoke = reached(lambda_svc, "invoke_async_with_retry")

    def of_the_function(record: dict[str, Any], config: dict[str, Any]) -> Any:
        return reserved(reached(lambda_svc, "_functions").get(config["FunctionName"]) or record, config)

    def executed(record: dict[str, Any], event: Any) -> Any:
        wait = FIRST_LOOK_SECONDS
        while (result := execute(record, event)).get("throttle") and time.monotonic() + wait < _kept_until.get():
            time.sleep(wait)
            wait = min(2 * wait, LAST_LOOK_SECONDS)
        return result

    def kept(record: dict[str, Any], event: Any) -> None:
        settings = record.get("event_invoke_config") or {}
        if of_the_function(record, record["config"]) == 0:
            settings = {**settings, "MaximumEventAgeInSeconds": 0, "MaximumRetryAttempts": 0}
        token = _kept_until.set(time.monotonic() + settings.get("MaximumEventAgeInSeconds", MOST_AGE_SECONDS))
        try:
            invoke({**record, "event_invoke_config": settings}, event)
        finally:
            _kept_until.reset(token)

    lambda_svc._reserved_concurrency = of_the_function  # noqa: SLF001
    lambda_svc._execute_function = executed  # noqa: SLF001
    lambda_svc.invoke_async_with_retry = kept
