"""Calls of a function that nobody waits for, with the settings of the very alias that was called.

On AWS retries, age and the place for failures belong to a qualifier: a call of `live` knows nothing of what is set for
the function itself. The emulator looks there alone. And EventBridge calls it once, whatever becomes of it.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
"""

import contextvars
import json
from typing import Any

from ministack.services import eventbridge, lambda_svc

from local.patches import reached

_qualifier: contextvars.ContextVar[str | None] = contextvars.ContextVar("called_qualifier", default=None)
OWN = ("", "$LATEST")
"""What the settings of a function itself are kept under."""


def install() -> None:
    """Replaces `lambda_svc.invoke_async_with_retry`, `._invoke`, `._get_func_record_for_ref`, and how rules call."""
    invoke = reached(lambda_svc, "invoke_async_with_retry")
    answer = reached(lambda_svc, "_invoke")
    find = reached(lambda_svc, "_get_func_record_for_ref")
    parts = reached(lambda_svc, "_lambda_function_name_and_qualifier_from_arn")
    record_of = reached(lambda_svc, "_execution_record_for_config")

    async def answered(name: str, event: Any, headers: Any, path_qualifier: Any = None, query: Any = None) -> Any:
        asked = path_qualifier or _first((query or {}).get("Qualifier"))
        token = _qualifier.set(asked or None)
        try:
            return await answer(name, event, headers, path_qualifier, query)
        finally:
            _qualifier.reset(token)

    def found(reference: str) -> Any:
        _qualifier.set(parts(reference)[1] if str(reference).startswith("arn:") else None)
        return find(reference)

    def invoked(record: dict[str, Any], event: Any) -> None:
        name = record["config"]["FunctionName"]
        known = reached(lambda_svc, "_functions").get(name) or {}
        settings = settings_of(known.get("event_invoke_configs") or {}, _qualifier.get())
        invoke({**record, "event_invoke_config": settings, "event_invoke_configs": {}}, event)

    def called_by_rule(arn: str, payload: str) -> None:
        record, config, _ = reached(lambda_svc, "_get_func_record_for_ref")(arn)
        if record is not None and config is not None:
            reached(lambda_svc, "invoke_async_with_retry")(record_of(record, config), json.loads(payload))

    lambda_svc._invoke = answered  # noqa: SLF001
    lambda_svc._get_func_record_for_ref = found  # noqa: SLF001
    lambda_svc.invoke_async_with_retry = invoked
    reached(eventbridge, "_dispatch_to_lambda")
    eventbridge._dispatch_to_lambda = called_by_rule  # noqa: SLF001


def settings_of(known: dict[str, Any], qualifier: str | None) -> dict[str, Any]:
    """The settings that a call goes by; nothing where its qualifier has none, whatever others have."""
    names = OWN if qualifier in (None, *OWN) else (qualifier,)
    return next((known[name] for name in names if name in known), {})


def _first(value: str | list[str] | None) -> str | None:
    """A query's parameter, which may be a list of one."""
    return value[0] if isinstance(value, list) and value else str(value) if value else None
