"""Asynchronous invocations use the settings of the alias that was called, and reserved concurrency is the function's.

On AWS, retries, event age and failure destination belong to a qualifier, so an invocation of `live` does not use the
settings of `$LATEST`. The emulator uses only the latter. EventBridge invokes a function once there, without retries.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
"""

import json
from typing import Any

from ministack.services import eventbridge, lambda_svc

from local.emulation import get_private, wrap_function


def install() -> None:
    """Replace two functions of `lambda_svc`, and `eventbridge._dispatch_to_lambda`."""
    wrap_function(lambda_svc, "_reserved_concurrency", _reserved_concurrency)
    wrap_function(lambda_svc, "invoke_async_with_retry", _invoke)
    get_private(eventbridge, "_dispatch_to_lambda")
    eventbridge._dispatch_to_lambda = _invoke_from_bus  # noqa: SLF001


def _reserved_concurrency(reserved: Any, record: dict[str, Any], config: dict[str, Any]) -> Any:
    """Return what is reserved for the function. The emulator asks the record of the version, which has nothing."""
    return reserved(get_private(lambda_svc, "_functions").get(config["FunctionName"]) or record, config)


def _invoke(invoke: Any, record: dict[str, Any], event: Any) -> None:
    """Invoke a function. The ARN in its configuration ends in the qualifier that was called."""
    config = record["config"]
    known = get_private(lambda_svc, "_functions").get(config["FunctionName"]) or {}
    settings_of = known.get("event_invoke_configs") or {}
    qualifiers = config["FunctionArn"].split(":")[7:] or ["", "$LATEST"]
    settings: dict[str, Any] = next((settings_of[one] for one in qualifiers if one in settings_of), {})
    if get_private(lambda_svc, "_reserved_concurrency")(known, config) == 0:
        # Lambda does not retry the invocation of a function that may not run at all.
        settings = {**settings, "MaximumRetryAttempts": 0}
    invoke({**record, "event_invoke_config": settings, "event_invoke_configs": {}}, event)


def _invoke_from_bus(arn: str, payload: str) -> None:
    record, config, _ = get_private(lambda_svc, "_get_func_record_for_ref")(arn)
    if record is not None and config is not None:
        called = get_private(lambda_svc, "_execution_record_for_config")(record, {**config, "FunctionArn": arn})
        get_private(lambda_svc, "invoke_async_with_retry")(called, json.loads(payload))
