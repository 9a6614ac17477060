"""What a REST API answers by itself, as on AWS.

The emulator takes the templates of mock integrations to the letter, so a request's id in one stays a name. And where a
function fails, it hands the client the function's own traceback, without the body and the headers that API Gateway's
document says.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from ministack.services import apigateway_v1

from local.patches import reached

REQUEST_ID = b"$context.requestId"
BAD_GATEWAY = 502


class FunctionFailed(Exception):
    """A function raised, or ran out of time."""


def install() -> None:
    """Replaces four functions of `apigateway_v1`."""
    mock = reached(apigateway_v1, "_invoke_mock_v1")
    invoke = reached(apigateway_v1, "_invoke_lambda_proxy_v1")
    shape = reached(apigateway_v1, "_lambda_proxy_response")
    render = reached(apigateway_v1, "_gateway_error_response")
    gateway_error = reached(apigateway_v1, "_gw_error")

    def answered(integration: Mapping[str, Any]) -> Any:
        status, headers, body = mock(integration)
        return status, headers, body.replace(REQUEST_ID, str(uuid.uuid4()).encode())

    def shaped(result: Any) -> Any:
        answer, error = shape(result)
        if error:
            raise FunctionFailed
        return answer, error

    async def invoked(*given: Any, **named: Any) -> Any:
        try:
            return await invoke(*given, **named)
        except FunctionFailed:
            failed = gateway_error("DEFAULT_5XX", "Internal server error")
            failed.status = BAD_GATEWAY
            return failed

    def rendered(error: Any, request: Mapping[str, Any]) -> Any:
        status, headers, body = render(error, request)
        return getattr(error, "status", status), headers, body

    apigateway_v1._invoke_mock_v1 = answered  # noqa: SLF001
    apigateway_v1._lambda_proxy_response = shaped  # noqa: SLF001
    apigateway_v1._invoke_lambda_proxy_v1 = invoked  # noqa: SLF001
    apigateway_v1._gateway_error_response = rendered  # noqa: SLF001
