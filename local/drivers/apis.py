"""Drivers of API Gateway's REST and WebSocket APIs, and of the account's role with which API Gateway writes logs.

A driver lists a resource type's AWS calls for the local platform. A call passes each property as the parameter of the
same name, or of its name in `api_names`, or as a member of its `parent_parameter`. `only_properties` limits these
properties. The call's dictionary maps other parameters to a property or a computed value. If no `update` call uses a
changed property other than `tags`, the resource is replaced. `model.py` describes all fields.

The settings of a stage, of its methods and of the account can only be changed by a patch, which is a list of operations
on paths. CreateStage has no parameters for some of them, so a patch follows it at once.
"""

from typing import Any
from urllib.parse import urlsplit

from local import ACCOUNT, REGION
from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    PropertyImport,
    ResourceValues,
    computed_from,
    constant,
    from_response,
    from_template,
)
from local.drivers.rest_document_import import replace_api_content
from local.property_values import UNKNOWN

ARN = f"arn:aws:apigateway:{REGION}::"
"""Start of the ARNs of API Gateway."""
EXECUTION_ARN = from_template(f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{{id}}")
ROLE = "/cloudwatchRoleArn"
"""Path, in a patch of the account's settings, of the role with which API Gateway writes logs."""


@computed_from("cloudwatchRoleArn")
def log_role_patch(arn: str) -> list[dict[str, str]]:
    """Return the patch of the account's settings that sets the role with which API Gateway writes logs."""
    return _to_patch({ROLE: arn})


def _websocket_url(values: ResourceValues) -> Any:
    """Return a URL below the emulator's address, because some machines cannot resolve the host in the response."""
    answer = values.responses.get("CreateApi", {})
    if "ApiEndpoint" not in answer:
        return UNKNOWN
    host = urlsplit(answer["ApiEndpoint"]).netloc.partition(".execute-api.")[2]
    return f"ws://{host}/_aws/execute-api/{answer['ApiId']}"


METHOD_SETTINGS = {
    "metricsEnabled": "metrics/enabled",
    "loggingLevel": "logging/loglevel",
    "dataTraceEnabled": "logging/dataTrace",
    "throttlingRateLimit": "throttling/rateLimit",
    "throttlingBurstLimit": "throttling/burstLimit",
}
"""Path of each method setting in a patch of the stage."""


@computed_from("triggers")
def deployment_description(triggers: dict[str, str]) -> str:
    """Return a description that contains the deployment's `triggers`.

    API Gateway has no parameter for `triggers`, so the description contains them. A resource is replaced if a property
    changes that no update call uses. So changed triggers replace the deployment, as on AWS.
    """
    return " ".join(f"{name}={value}" for name, value in sorted(triggers.items()))


@computed_from("accessLogSettings", "xrayTracingEnabled")
def logs_and_tracing_patch(settings: dict[str, str], traces: bool) -> list[dict[str, str]]:
    """Return the patch of the stage that sets the access log and X-Ray tracing."""
    values = {f"/accessLogSettings/{name}": settings[name] for name in ("destinationArn", "format")}
    return _to_patch({**values, "/tracingEnabled": traces})


@computed_from("methodPath", "settings")
def method_settings_patch(path: str, settings: dict[str, Any]) -> list[dict[str, str]]:
    """Return the patch of the stage that sets the method settings. The path of all methods is `*/*`."""
    return _to_patch({f"/{path}/{METHOD_SETTINGS[name]}": value for name, value in settings.items()})


@computed_from("methodPath")
def method_settings_removal(path: str) -> list[dict[str, str]]:
    """Return the patch of the stage that removes the method settings."""
    return [{"op": "remove", "path": f"/{path}"}]


def _to_patch(values: dict[str, Any]) -> list[dict[str, str]]:
    return [{"op": "replace", "path": path, "value": _text(value)} for path, value in values.items()]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _stage_url(values: ResourceValues) -> str:
    """Return the URL of a stage: a path below the emulator's address."""
    return f"{values.endpoint}/_aws/execute-api/{values['restApi']}/{values['stageName']}"


REST_NAMES = {"restApi": "restApiId"}
PATCH_LOG_ROLE = DriverCall("UpdateAccount", {"patchOperations": log_role_patch})
PATCH_METHOD_SETTINGS = DriverCall("UpdateStage", {"patchOperations": method_settings_patch})

DRIVERS = (
    Driver(
        type="aws:apigateway/account:Account",
        service="apigateway",
        create=(PATCH_LOG_ROLE,),
        update=(PATCH_LOG_ROLE,),
        delete=(DriverCall("UpdateAccount", {"patchOperations": constant([{"op": "remove", "path": ROLE}])}),),
        id=constant("api-gateway-account"),
    ),
    Driver(
        type="aws:apigateway/restApi:RestApi",
        service="apigateway",
        api_names={"id": "restApiId"},
        create=(DriverCall("CreateRestApi"),),
        delete=(DriverCall("DeleteRestApi"),),
        id=from_response("CreateRestApi", "id"),
        outputs={"arn": from_template(f"{ARN}/restapis/{{id}}"), "executionArn": EXECUTION_ARN},
        # `body` is the OpenAPI document with the API's paths, methods and integrations.
        property_import=PropertyImport("body", replace_api_content),
    ),
    Driver(
        type="aws:apigateway/deployment:Deployment",
        service="apigateway",
        api_names={**REST_NAMES, "id": "deploymentId"},
        create=(DriverCall("CreateDeployment", {"description": deployment_description}),),
        delete=(DriverCall("DeleteDeployment"),),
        id=from_response("CreateDeployment", "id"),
    ),
    Driver(
        type="aws:apigateway/stage:Stage",
        service="apigateway",
        api_names={**REST_NAMES, "deployment": "deploymentId"},
        create=(DriverCall("CreateStage"), DriverCall("UpdateStage", {"patchOperations": logs_and_tracing_patch})),
        update=(DriverCall("UpdateStage", {"patchOperations": logs_and_tracing_patch}),),
        delete=(DriverCall("DeleteStage"),),
        id=from_template("ags-{restApi}-{stageName}"),
        outputs={
            "arn": from_template(f"{ARN}/restapis/{{restApi}}/stages/{{stageName}}"),
            "invokeUrl": ComputedValue(_stage_url),
        },
    ),
    Driver(
        type="aws:apigateway/methodSettings:MethodSettings",
        service="apigateway",
        api_names=REST_NAMES,
        create=(PATCH_METHOD_SETTINGS,),
        update=(PATCH_METHOD_SETTINGS,),
        delete=(DriverCall("UpdateStage", {"patchOperations": method_settings_removal}),),
        id=from_template("{restApi}-{stageName}-{methodPath}"),
    ),
    Driver(
        type="aws:apigatewayv2/api:Api",
        service="apigatewayv2",
        api_names={"id": "ApiId"},
        create=(DriverCall("CreateApi"),),
        update=(DriverCall("UpdateApi"),),
        delete=(DriverCall("DeleteApi"),),
        id=from_response("CreateApi", "ApiId"),
        outputs={
            "apiEndpoint": ComputedValue(_websocket_url),
            "arn": from_template(f"{ARN}/apis/{{id}}"),
            "executionArn": EXECUTION_ARN,
        },
    ),
    Driver(
        type="aws:apigatewayv2/integration:Integration",
        service="apigatewayv2",
        api_names={"id": "IntegrationId"},
        create=(DriverCall("CreateIntegration"),),
        update=(DriverCall("UpdateIntegration"),),
        delete=(DriverCall("DeleteIntegration"),),
        id=from_response("CreateIntegration", "IntegrationId"),
    ),
    Driver(
        type="aws:apigatewayv2/route:Route",
        service="apigatewayv2",
        api_names={"id": "RouteId"},
        create=(DriverCall("CreateRoute"),),
        update=(DriverCall("UpdateRoute"),),
        delete=(DriverCall("DeleteRoute"),),
        id=from_response("CreateRoute", "RouteId"),
    ),
    Driver(
        type="aws:apigatewayv2/routeResponse:RouteResponse",
        service="apigatewayv2",
        api_names={"id": "RouteResponseId"},
        create=(DriverCall("CreateRouteResponse"),),
        delete=(DriverCall("DeleteRouteResponse"),),
        id=from_response("CreateRouteResponse", "RouteResponseId"),
    ),
    Driver(
        type="aws:apigatewayv2/deployment:Deployment",
        service="apigatewayv2",
        api_names={"id": "DeploymentId"},
        create=(DriverCall("CreateDeployment", {"Description": deployment_description}),),
        delete=(DriverCall("DeleteDeployment"),),
        id=from_response("CreateDeployment", "DeploymentId"),
    ),
    Driver(
        type="aws:apigatewayv2/stage:Stage",
        service="apigatewayv2",
        api_names={"name": "StageName"},
        create=(DriverCall("CreateStage"),),
        update=(DriverCall("UpdateStage"),),
        delete=(DriverCall("DeleteStage"),),
        id="name",
        outputs={"arn": from_template(f"{ARN}/apis/{{apiId}}/stages/{{name}}")},
    ),
)
