"""What a REST API answers by itself, as on AWS.

The emulator takes the templates of mock integrations to the letter, so a request's id in one stays a name. And where a
function fails, it hands the client the function's own traceback, without the body and the headers that API Gateway's
document says. Nor does it ask whether a function lets API Gateway in.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from ministack.services import apigateway_v1, lambda_svc

from local.patches import reached
from local.patches.function_permission import let_in

REQUEST_ID = b"$context.requestId"
BAD_GATEWAY = 502


class FunctionFailed(Exception):
    """A function raised, or ran out of time."""


def install() -> None:
    """Replaces six functions of `apigateway_v1`."""
    _install_answers()
    _install_permissions()


def _install_answers() -> None:
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


def _install_permissions() -> None:
    call = reached(apigateway_v1, "_call_lambda_raw")
    judge = reached(apigateway_v1, "_invoke_authorizer_lambda")

    async def called(function: str, event: Mapping[str, Any], *, account_id: str, region: str) -> Any:
        asked = event["requestContext"]
        resource = f"{asked['apiId']}/{asked['stage']}/{asked['httpMethod']}{asked['resourcePath']}"
        if not _lets_in(function, account_id, region, resource):
            return None, "not let in"
        return await call(function, event, account_id=account_id, region=region)

    async def judged(authorizer: Mapping[str, Any], event: Mapping[str, Any], account_id: str, region: str) -> Any:
        function = reached(apigateway_v1, "_extract_lambda_ref_from_integration_uri")(authorizer["authorizerUri"])
        api_id = event["methodArn"].split(":")[5].partition("/")[0]
        if not _lets_in(function, account_id, region, f"{api_id}/authorizers/{authorizer['id']}"):
            return None
        return await judge(authorizer, event, account_id, region)

    apigateway_v1._call_lambda_raw = called  # noqa: SLF001
    apigateway_v1._invoke_authorizer_lambda = judged  # noqa: SLF001


def _lets_in(function: str, account_id: str, region: str, resource: str) -> bool:
    """Whether a function lets the gateway in; one that is not there is the emulator's to tell."""
    find = reached(lambda_svc, "_get_func_record_for_ref_in_scope")
    _, config, name = find(function, account_id=account_id, region=region)
    return config is None or let_in(name, function, f"arn:aws:execute-api:{region}:{account_id}:{resource}")
