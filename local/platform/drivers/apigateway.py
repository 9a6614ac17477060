"""WebSocket APIs with their routes and stages, and the role that API Gateway writes logs with."""

from typing import Any
from urllib.parse import urlsplit

from local.platform.drivers.model import Call, Driver, Known, Made, answered, const, made
from local.preview.preview_provider import ACCOUNT, REGION
from local.preview.property_values import UNKNOWN

ROLE = "/cloudwatchRoleArn"


@made("cloudwatchRoleArn")
def log_role(arn: str) -> list[dict[str, str]]:
    """The account's one setting that is changed."""
    return [{"op": "replace", "path": ROLE, "value": arn}]


@made("triggers")
def version(triggers: dict[str, str]) -> str:
    """What a deployment is told apart by: `triggers` are Pulumi's own means to ask for a new one."""
    return " ".join(f"{name}={value}" for name, value in sorted(triggers.items()))


def _endpoint(known: Known) -> Any:
    """Where clients reach the API: the emulator's own answer is a host name, which not every machine finds."""
    answer = known.answers.get("CreateApi", {})
    if "ApiEndpoint" not in answer:
        return UNKNOWN
    host = urlsplit(answer["ApiEndpoint"]).netloc.partition(".execute-api.")[2]
    return f"ws://{host}/_aws/execute-api/{answer['ApiId']}"


def _arn(known: Known) -> Any:
    return f"arn:aws:apigateway:{REGION}::/apis/{known['id']}" if known.id else UNKNOWN


def _execution_arn(known: Known) -> Any:
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{known['id']}" if known.id else UNKNOWN


def _stage_arn(known: Known) -> str:
    return f"arn:aws:apigateway:{REGION}::/apis/{known['apiId']}/stages/{known['name']}"


API = {"Name": "name", "Description": "description", "RouteSelectionExpression": "routeSelectionExpression"}
INTEGRATION = {
    "ApiId": "apiId",
    "IntegrationType": "integrationType",
    "IntegrationMethod": "integrationMethod",
    "IntegrationUri": "integrationUri",
}
ROUTE = {
    "ApiId": "apiId",
    "RouteKey": "routeKey",
    "AuthorizationType": "authorizationType",
    "RouteResponseSelectionExpression": "routeResponseSelectionExpression",
    "Target": "target",
}
STAGE = {
    "ApiId": "apiId",
    "StageName": "name",
    "DeploymentId": "deploymentId",
    "AccessLogSettings": "accessLogSettings",
    "DefaultRouteSettings": "defaultRouteSettings",
}
TAG = Call("TagResource", {"ResourceArn": "arn", "Tags": "tags"})

DRIVERS = (
    Driver(
        type="aws:apigateway/account:Account",
        service="apigateway",
        create=(Call("UpdateAccount", {"patchOperations": log_role}),),
        update=(Call("UpdateAccount", {"patchOperations": log_role}),),
        delete=(Call("UpdateAccount", {"patchOperations": const([{"op": "remove", "path": ROLE}])}),),
        id=const("api-gateway-account"),
    ),
    Driver(
        type="aws:apigatewayv2/api:Api",
        service="apigatewayv2",
        create=(Call("CreateApi", {**API, "ProtocolType": "protocolType", "Tags": "tags"}),),
        update=(Call("UpdateApi", {**API, "ApiId": "id"}), TAG),
        delete=(Call("DeleteApi", {"ApiId": "id"}),),
        id=answered("CreateApi", "ApiId"),
        outputs={"apiEndpoint": Made(_endpoint), "arn": Made(_arn), "executionArn": Made(_execution_arn)},
    ),
    Driver(
        type="aws:apigatewayv2/integration:Integration",
        service="apigatewayv2",
        create=(Call("CreateIntegration", INTEGRATION),),
        update=(Call("UpdateIntegration", {**INTEGRATION, "IntegrationId": "id"}),),
        delete=(Call("DeleteIntegration", {"ApiId": "apiId", "IntegrationId": "id"}),),
        id=answered("CreateIntegration", "IntegrationId"),
    ),
    Driver(
        type="aws:apigatewayv2/route:Route",
        service="apigatewayv2",
        create=(Call("CreateRoute", ROUTE),),
        update=(Call("UpdateRoute", {**ROUTE, "RouteId": "id"}),),
        delete=(Call("DeleteRoute", {"ApiId": "apiId", "RouteId": "id"}),),
        id=answered("CreateRoute", "RouteId"),
    ),
    Driver(
        type="aws:apigatewayv2/routeResponse:RouteResponse",
        service="apigatewayv2",
        create=(
            Call(
                "CreateRouteResponse", {"ApiId": "apiId", "RouteId": "routeId", "RouteResponseKey": "routeResponseKey"}
            ),
        ),
        delete=(Call("DeleteRouteResponse", {"ApiId": "apiId", "RouteId": "routeId", "RouteResponseId": "id"}),),
        id=answered("CreateRouteResponse", "RouteResponseId"),
    ),
    Driver(
        type="aws:apigatewayv2/deployment:Deployment",
        service="apigatewayv2",
        create=(Call("CreateDeployment", {"ApiId": "apiId", "Description": version}),),
        delete=(Call("DeleteDeployment", {"ApiId": "apiId", "DeploymentId": "id"}),),
        id=answered("CreateDeployment", "DeploymentId"),
    ),
    Driver(
        type="aws:apigatewayv2/stage:Stage",
        service="apigatewayv2",
        create=(Call("CreateStage", {**STAGE, "Tags": "tags"}),),
        update=(Call("UpdateStage", STAGE), TAG),
        delete=(Call("DeleteStage", {"ApiId": "apiId", "StageName": "name"}),),
        id="name",
        outputs={"arn": Made(_stage_arn)},
    ),
)
