"""Corrects how the REST APIs of the emulator, MiniStack, call functions, and what clients get if a function fails.

| correction | service | ministack | AWS | needed for |
|---|---|---|---|---|
| `rest_api_permission` | API Gateway | calls functions of REST APIs, and authorizers, without a permission | needs a permission in the function's policy | missing permissions are found |
| `rest_api_error` | API Gateway | sends a function's traceback to the client | sends status 502 with the gateway response `DEFAULT_5XX` | clients of the REST APIs get the same errors |
| `mock_request_id` | API Gateway | does not replace `$context.requestId` in the response of a mock integration | replaces it | each error of the REST APIs has a request id |
"""

import uuid
from collections.abc import Mapping
from typing import Any

from ministack.services import apigateway_v1, lambda_svc

from local.emulation import get_private, wrap_function
from local.emulation.iam.service_call_permissions import API_GATEWAY, function_admits

BAD_GATEWAY = 502
"""Status that AWS sends to the client if a function fails."""


class FunctionFailed(Exception):
    """Error that an API's function raised an exception or timed out. `_invoke_proxy` catches it."""


def install() -> None:
    """Replace functions of the emulator by those below, which get the original. `extended_emulator.py` calls this."""
    wrap_function(apigateway_v1, "_invoke_mock_v1", _invoke_mock)
    wrap_function(apigateway_v1, "_call_lambda_raw", _call_function)
    wrap_function(apigateway_v1, "_invoke_lambda_proxy_v1", _invoke_proxy)
    wrap_function(apigateway_v1, "_gateway_error_response", _render_error)
    wrap_function(apigateway_v1, "_invoke_authorizer_lambda", _invoke_authorizer)


def _invoke_mock(original: Any, integration: Mapping[str, Any]) -> Any:
    status, headers, body = original(integration)
    return status, headers, body.replace(b"$context.requestId", str(uuid.uuid4()).encode())


async def _call_function(
    original: Any, function: str, event: Mapping[str, Any], *, account_id: str, region: str
) -> Any:
    """Return a pair, as the emulator expects: the function's result and None, or None and the text of an error."""
    context = event["requestContext"]
    method = f"{context['apiId']}/{context['stage']}/{context['httpMethod']}{context['resourcePath']}"
    if not _may_call(function, account_id, region, method):
        return None, "API Gateway may not call the function"
    result, error = await original(function, event, account_id=account_id, region=region)
    # The emulator's own answer for a throttled function is correct.
    if result and result.get("error") and not result.get("throttle"):
        raise FunctionFailed
    return result, error


async def _invoke_proxy(original: Any, *arguments: Any, **keywords: Any) -> Any:
    """Answer a request with the function's response, or with a gateway response if `_call_function` has raised."""
    try:
        return await original(*arguments, **keywords)
    except FunctionFailed:
        # The emulator would send the gateway response DEFAULT_5XX with status 500. AWS sends 502, so `_render_error`
        # replaces the status.
        error = get_private(apigateway_v1, "_gw_error")("DEFAULT_5XX", "Internal server error")
        error.status = BAD_GATEWAY
        return error


def _render_error(original: Any, error: Any, request: Mapping[str, Any]) -> Any:
    """Render a gateway response with the status that `_invoke_proxy` has set, if any."""
    status, headers, body = original(error, request)
    return getattr(error, "status", status), headers, body


async def _invoke_authorizer(
    original: Any, authorizer: Mapping[str, Any], event: Mapping[str, Any], account_id: str, region: str
) -> Any:
    function = get_private(apigateway_v1, "_extract_lambda_ref_from_integration_uri")(authorizer["authorizerUri"])
    api_id = event["methodArn"].split(":")[5].partition("/")[0]  # the ARN ends in `<API id>/<stage>/<method>/<path>`
    if not _may_call(function, account_id, region, f"{api_id}/authorizers/{authorizer['id']}"):
        return None  # the emulator then refuses the request
    return await original(authorizer, event, account_id, region)


def _may_call(function: str, account_id: str, region: str, resource: str) -> bool:
    """Return True if the function's resource policy allows API Gateway to call it for `resource`.

    Also return True if the function does not exist, because the emulator itself handles that case.
    """
    find_function = get_private(lambda_svc, "_get_func_record_for_ref_in_scope")
    _, config, name = find_function(function, account_id=account_id, region=region)
    keys = {"aws:SourceArn": f"arn:aws:execute-api:{region}:{account_id}:{resource}"}
    return config is None or function_admits(name, function, API_GATEWAY, keys)
