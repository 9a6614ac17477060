"""Shows how the emulator's REST and WebSocket APIs call functions and answer their clients."""

import asyncio
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import apigateway, apigateway_v1

from tests.local.emulation.behaviour.common import (
    ANSWER,
    API_FUNCTION,
    API_PERMISSION,
    FAILURE,
    FUNCTION,
    KEY,
    REGION,
    allow,
    function_result,
    may,
    set_function,
    set_role,
    shows,
)


@shows(emulator=[2, 4], aws=[0, 2])
def rest_api_permission() -> Any:
    context = {"apiId": "api", "stage": "dev", "httpMethod": "GET", "resourcePath": "/x"}
    results = []
    with function_result(ANSWER) as events:
        for policy in ({}, API_PERMISSION):
            set_function(policy)
            asyncio.run(
                apigateway_v1._call_lambda_raw(
                    FUNCTION, {"requestContext": context}, account_id=get_account_id(), region=REGION
                )
            )
            arn = f"arn:aws:execute-api:{REGION}:{get_account_id()}:api/dev/GET/x"
            authorizer = {"id": "a", "authorizerUri": API_FUNCTION}
            asyncio.run(
                apigateway_v1._invoke_authorizer_lambda(authorizer, {"methodArn": arn}, get_account_id(), REGION)
            )
            results.append(len(events))
    return results


@shows(emulator=[502, True], aws=[502, False])
def rest_api_error() -> Any:
    set_function(API_PERMISSION)
    resource = {"id": "r", "path": "/x"}
    with function_result(FAILURE):
        answer = asyncio.run(
            apigateway_v1._invoke_lambda_proxy_v1(
                {"uri": API_FUNCTION}, "api", "dev", {}, resource, "/x", "GET", {}, b"", {}, {},
                owner_account_id=get_account_id(), owner_region=REGION,
            )
        )  # fmt: skip
    if not isinstance(answer, tuple):
        details = {"request_id": "id", "resource_path": "/x", "stage_name": "dev", "method": "GET"}
        request = {"api_id": "api", "stage": {}, "headers": {}, "query_params": {}, "path_params": {}, **details}
        answer = apigateway_v1._gateway_error_response(answer, request)
    return [answer[0], b"secret" in answer[2]]


@shows(emulator=True, aws=False)
def mock_request_id() -> Any:
    templates = {"application/json": '{"requestId":"$context.requestId"}'}
    integration = {"integrationResponses": {"200": {"statusCode": "200", "responseTemplates": templates}}}
    return b"$context" in apigateway_v1._invoke_mock_v1(integration)[2]


def websocket(
    *results: dict[str, Any],
    route_response: bool = False,
    policy: dict[str, Any] = API_PERMISSION,
    authorization: str = "NONE",
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Open a connection and send a message. Return the messages to the client, and the events of the function."""
    set_function(policy)
    apigateway._apis["api"] = {"protocolType": "WEBSOCKET", "routeSelectionExpression": "$request.body.action"}
    selection = {"routeResponseSelectionExpression": "$default"} if route_response else {}
    apigateway._routes["api"] = {
        "c": {"routeId": "c", "routeKey": "$connect", "target": "integrations/i", "authorizationType": authorization},
        "d": {"routeId": "d", "routeKey": "$default", "target": "integrations/i", **selection},
    }
    apigateway._integrations["api"] = {"i": {"integrationType": "AWS_PROXY", "integrationUri": API_FUNCTION}}
    apigateway._route_responses["api"] = {"d": {"r": {"routeResponseKey": "$default"}}} if route_response else {}
    incoming = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "{}"},
        {"type": "websocket.disconnect"},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if len(incoming) == 1:  # the emulator would look for more messages to the client for half a second
            apigateway._ws_connections[next(iter(apigateway._ws_connections))]["outbox"].put_nowait(None)
        return incoming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "path": "/dev", "headers": [], "query_string": f"X-Amz-Credential={KEY}/x".encode(), "subprotocols": ("a",),
        "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    with function_result(*results) as events:
        asyncio.run(apigateway.handle_websocket(scope, receive, send, "api", path_override="/dev"))
    return sent, events


@shows(emulator=[None, None, None], aws=["a", 502, 401])
def websocket_handshake() -> Any:
    def first(status: int, subprotocol: str) -> Any:
        answer = {"body": {"statusCode": status, "headers": {"SEC-WebSocket-Protocol": subprotocol}}}
        message = websocket(answer)[0][0]
        return message.get("subprotocol") or message.get("status")

    return [first(200, "a"), first(200, "b"), first(401, "a")]


@shows(emulator="", aws="assumed-role/caller/session")
def websocket_identity() -> Any:
    set_role(allow("execute-api:Invoke"))
    may("execute-api:Invoke")
    _, events = websocket(ANSWER, authorization="AWS_IAM")
    identity = events[0]["requestContext"]["identity"]
    return identity.get("userArn", "").rpartition(":")[2]


@shows(
    emulator=[["websocket.accept", "worker"], ["websocket.accept", "worker"]],
    aws=[["websocket.http.response.start", None], ["websocket.accept", "Lambda"]],
)
def websocket_call() -> Any:
    """First message to the client, and what calls the function: its worker, or Lambda with logs and concurrency."""
    results = []
    for policy in ({}, API_PERMISSION):
        sent, events = websocket(ANSWER, policy=policy)
        results.append([sent[0]["type"], events[0].get("by", "Lambda") if events else None])
    return results


@shows(
    emulator=[["answer"], ["answer"], ['{"errorMes'], ["answer"]], aws=[["answer"], [], ['{"message"'], ['{"message"']]
)
def websocket_answer() -> Any:
    """Beginning of the texts that the client of an open connection gets."""

    def texts(answer: dict[str, Any], *, route_response: bool = True) -> list[str]:
        sent, _ = websocket({"body": {"statusCode": 200}}, answer, route_response=route_response)
        return [message["text"][:10] for message in sent if message["type"] == "websocket.send"]

    malformed = {"body": {"statusCode": "200", "body": "answer"}}
    return [texts(ANSWER), texts(ANSWER, route_response=False), texts(FAILURE), texts(malformed)]
