"""Corrects these faults of the emulator's asynchronous invocations.

- Maximum retries, maximum event age and failure destination are settings of the called qualifier, for example of the
  alias `live`. The emulator always uses the settings of `$LATEST`. For invocations by EventBridge, it uses no settings.
- All attempts of an invocation have the same request id, by which a function can recognise a retry. The emulator gives
  each attempt its own id.
- The emulator does not find the reserved concurrency of a function if the caller names a version or an alias.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
"""

import contextvars
import json
import uuid
from typing import Any

from ministack.services import eventbridge, lambda_svc

from local.emulation import get_private, wrap_function

_request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("async_request_id", default=None)
"""Request id of all attempts of the current asynchronous invocation, or None during a synchronous one."""


def install() -> None:
    wrap_function(lambda_svc, "_reserved_concurrency", _get_reserved_concurrency)
    wrap_function(lambda_svc, "invoke_async_with_retry", _invoke_async)
    wrap_function(lambda_svc, "_execute_function_dispatch", _execute_attempt)
    get_private(eventbridge, "_dispatch_to_lambda")  # fails if the name is missing
    eventbridge._dispatch_to_lambda = _invoke_from_bus  # noqa: SLF001


def _get_reserved_concurrency(original: Any, record: dict[str, Any], config: dict[str, Any]) -> Any:
    """Return a function's reserved concurrency from its own record. The record of a version does not contain it."""
    return original(get_private(lambda_svc, "_functions").get(config["FunctionName"]) or record, config)


def _invoke_async(original: Any, record: dict[str, Any], event: Any) -> None:
    """Invoke a function asynchronously with the settings of the qualifier that was called.

    `record` is the record of the called version. The ARN in its configuration ends in the called qualifier. The
    settings of all qualifiers are in the record of the function.
    """
    config = record["config"]
    function = get_private(lambda_svc, "_functions").get(config["FunctionName"]) or {}
    all_settings = function.get("event_invoke_configs") or {}
    # The qualifier is the eighth part of the ARN. The emulator stores the settings for invocations without a qualifier
    # under an empty name.
    qualifiers = config["FunctionArn"].split(":")[7:] or ["", "$LATEST"]
    settings: dict[str, Any] = next((all_settings[name] for name in qualifiers if name in all_settings), {})
    if get_private(lambda_svc, "_reserved_concurrency")(function, config) == 0:
        # Lambda does not retry the invocation of a function whose reserved concurrency is 0.
        settings = {**settings, "MaximumRetryAttempts": 0}
    # The emulator makes all attempts in a thread that gets a copy of this context. So the request id that is set here
    # applies to each attempt.
    request_id = _request_id.set(str(uuid.uuid4()))
    try:
        # If `settings` is empty, the emulator would use the settings of `$LATEST` in `event_invoke_configs`.
        original({**record, "event_invoke_config": settings, "event_invoke_configs": {}}, event)
    finally:
        _request_id.reset(request_id)


def _execute_attempt(original: Any, function: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
    """Execute one attempt of an asynchronous invocation, or a synchronous invocation."""
    return original(function, config, event, _request_id.get() or request_id, started)


def _invoke_from_bus(arn: str, payload: str) -> None:
    """Invoke a function for EventBridge in the same way as for any other caller."""
    record, config, _ = get_private(lambda_svc, "_get_func_record_for_ref")(arn)
    if record is not None and config is not None:
        called_version = get_private(lambda_svc, "_execution_record_for_config")(record, {**config, "FunctionArn": arn})
        get_private(lambda_svc, "invoke_async_with_retry")(called_version, json.loads(payload))
