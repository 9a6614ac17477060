"""Drivers of API Gateway WebSocket APIs, their integrations, routes, route responses, deployments and stages: the API
calls that create, update and delete them.

The module also has the driver of the account's setting for the role with which API Gateway writes logs.
"""

from typing import Any
from urllib.parse import urlsplit

from local import ACCOUNT, REGION
from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    computed_from,
    constant,
    from_response,
    from_template,
)
from local.drivers.rest_api_drivers import ARN, deployment_description
from local.property_values import UNKNOWN

ROLE = "/cloudwatchRoleArn"
"""Path, in a patch of the account's settings, of the role with which API Gateway writes logs."""


@computed_from("cloudwatchRoleArn")
def log_role(arn: str) -> list[dict[str, str]]:
    """Return the patch of the account's settings that sets the role with which API Gateway writes logs."""
    return [{"op": "replace", "path": ROLE, "value": arn}]


def _endpoint(values: ResourceValues) -> Any:
    """Return the URL for clients: a path below the emulator's address. Not every machine can resolve the host name that
    the emulator returns.
    """
    answer = values.responses.get("CreateApi", {})
    if "ApiEndpoint" not in answer:
        return UNKNOWN
    host = urlsplit(answer["ApiEndpoint"]).netloc.partition(".execute-api.")[2]
    return f"ws://{host}/_aws/execute-api/{answer['ApiId']}"


# Parameters of the calls that create and update each kind of resource, each with its Pulumi property.
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

DRIVERS = (
    Driver(
        type="aws:apigateway/account:Account",
        service="apigateway",
        create=(DriverCall("UpdateAccount", {"patchOperations": log_role}),),
        update=(DriverCall("UpdateAccount", {"patchOperations": log_role}),),
        delete=(DriverCall("UpdateAccount", {"patchOperations": constant([{"op": "remove", "path": ROLE}])}),),
        id=constant("api-gateway-account"),
    ),
    Driver(
        type="aws:apigatewayv2/api:Api",
        service="apigatewayv2",
        create=(DriverCall("CreateApi", {**API, "ProtocolType": "protocolType", "Tags": "tags"}),),
        update=(DriverCall("UpdateApi", {**API, "ApiId": "id"}),),
        delete=(DriverCall("DeleteApi", {"ApiId": "id"}),),
        id=from_response("CreateApi", "ApiId"),
        outputs={
            "apiEndpoint": ComputedValue(_endpoint),
            "arn": from_template(f"{ARN}/apis/{{id}}"),
            "executionArn": from_template(f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{{id}}"),
        },
    ),
    Driver(
        type="aws:apigatewayv2/integration:Integration",
        service="apigatewayv2",
        create=(DriverCall("CreateIntegration", INTEGRATION),),
        update=(DriverCall("UpdateIntegration", {**INTEGRATION, "IntegrationId": "id"}),),
        delete=(DriverCall("DeleteIntegration", {"ApiId": "apiId", "IntegrationId": "id"}),),
        id=from_response("CreateIntegration", "IntegrationId"),
    ),
    Driver(
        type="aws:apigatewayv2/route:Route",
        service="apigatewayv2",
        create=(DriverCall("CreateRoute", ROUTE),),
        update=(DriverCall("UpdateRoute", {**ROUTE, "RouteId": "id"}),),
        delete=(DriverCall("DeleteRoute", {"ApiId": "apiId", "RouteId": "id"}),),
        id=from_response("CreateRoute", "RouteId"),
    ),
    Driver(
        type="aws:apigatewayv2/routeResponse:RouteResponse",
        service="apigatewayv2",
        create=(
            DriverCall(
                "CreateRouteResponse", {"ApiId": "apiId", "RouteId": "routeId", "RouteResponseKey": "routeResponseKey"}
            ),
        ),
        delete=(DriverCall("DeleteRouteResponse", {"ApiId": "apiId", "RouteId": "routeId", "RouteResponseId": "id"}),),
        id=from_response("CreateRouteResponse", "RouteResponseId"),
    ),
    Driver(
        type="aws:apigatewayv2/deployment:Deployment",
        service="apigatewayv2",
        create=(DriverCall("CreateDeployment", {"ApiId": "apiId", "Description": deployment_description}),),
        delete=(DriverCall("DeleteDeployment", {"ApiId": "apiId", "DeploymentId": "id"}),),
        id=from_response("CreateDeployment", "DeploymentId"),
    ),
    Driver(
        type="aws:apigatewayv2/stage:Stage",
        service="apigatewayv2",
        create=(DriverCall("CreateStage", {**STAGE, "Tags": "tags"}),),
        update=(DriverCall("UpdateStage", STAGE),),
        delete=(DriverCall("DeleteStage", {"ApiId": "apiId", "StageName": "name"}),),
        id="name",
        outputs={"arn": from_template(f"{ARN}/apis/{{apiId}}/stages/{{name}}")},
    ),
)
