"""Drivers of API Gateway REST APIs, deployments, stages and method settings: the API calls that create, update and
delete them.
"""

from typing import Any

from local import ACCOUNT, REGION
from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    PropertyImport,
    ResourceValues,
    computed_from,
    from_response,
    from_template,
)
from local.drivers.rest_document_import import replace_api_content
from local.property_values import UNKNOWN

ARN = f"arn:aws:apigateway:{REGION}::"
"""Start of the ARNs of API Gateway."""
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


@computed_from("accessLogSettings")
def access_log(settings: dict[str, str]) -> list[dict[str, str]]:
    """Return the stage's patch that sets the access log. CreateStage has no parameter for it."""
    return [
        {"op": "replace", "path": f"/accessLogSettings/{name}", "value": settings[name]}
        for name in ("destinationArn", "format")
    ]


@computed_from("xrayTracingEnabled")
def tracing(enabled: bool) -> list[dict[str, str]]:
    """Return the stage's patch that sets X-Ray tracing."""
    return [{"op": "replace", "path": "/tracingEnabled", "value": str(bool(enabled)).lower()}]


@computed_from("methodPath", "settings")
def put_method_settings(path: str, settings: dict[str, Any]) -> list[dict[str, str]]:
    """Return the patch of the stage that sets the method settings."""
    return [
        {"op": "replace", "path": f"{_settings_path(path)}/{METHOD_SETTINGS[name]}", "value": _text(value)}
        for name, value in settings.items()
        if value is not None
    ]


@computed_from("methodPath")
def remove_method_settings(path: str) -> list[dict[str, str]]:
    """Return the patch of the stage that removes the method settings."""
    return [{"op": "remove", "path": _settings_path(path)}]


def _settings_path(path: str) -> str:
    """Return the path of a method's settings in a patch. In a patch, the slashes of the resource's path are escaped."""
    resource, _, method = path.rpartition("/")
    return f"/{resource.replace('~', '~0').replace('/', '~1')}/{method}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _url(values: ResourceValues) -> Any:
    """Return the URL of a stage: a path below the emulator's address."""
    if not values.endpoint:
        return UNKNOWN
    return f"{values.endpoint}/_aws/execute-api/{values['restApi']}/{values['stageName']}"


STAGE = {"restApiId": "restApi", "stageName": "stageName"}
"""Parameters that identify a stage, each with its Pulumi property."""
UPDATE_SETTINGS = DriverCall("UpdateStage", {**STAGE, "patchOperations": put_method_settings})

DRIVERS = (
    Driver(
        type="aws:apigateway/restApi:RestApi",
        service="apigateway",
        create=(
            DriverCall(
                "CreateRestApi",
                {
                    "name": "name",
                    "description": "description",
                    "endpointConfiguration": "endpointConfiguration",
                    "disableExecuteApiEndpoint": "disableExecuteApiEndpoint",
                    "tags": "tags",
                },
            ),
        ),
        delete=(DriverCall("DeleteRestApi", {"restApiId": "id"}),),
        id=from_response("CreateRestApi", "id"),
        outputs={
            "arn": from_template(f"{ARN}/restapis/{{id}}"),
            "executionArn": from_template(f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{{id}}"),
        },
        # `body` is the OpenAPI document with the API's paths, methods and integrations.
        property_import=PropertyImport("body", replace_api_content),
    ),
    Driver(
        type="aws:apigateway/deployment:Deployment",
        service="apigateway",
        create=(DriverCall("CreateDeployment", {"restApiId": "restApi", "description": deployment_description}),),
        delete=(DriverCall("DeleteDeployment", {"restApiId": "restApi", "deploymentId": "id"}),),
        id=from_response("CreateDeployment", "id"),
    ),
    Driver(
        type="aws:apigateway/stage:Stage",
        service="apigateway",
        create=(
            DriverCall("CreateStage", {**STAGE, "deploymentId": "deployment", "tags": "tags"}),
            DriverCall("UpdateStage", {**STAGE, "patchOperations": access_log}, when="accessLogSettings"),
            DriverCall("UpdateStage", {**STAGE, "patchOperations": tracing}, when="xrayTracingEnabled"),
        ),
        update=(
            DriverCall("UpdateStage", {**STAGE, "patchOperations": access_log}),
            DriverCall("UpdateStage", {**STAGE, "patchOperations": tracing}),
        ),
        delete=(DriverCall("DeleteStage", STAGE),),
        id=from_template("ags-{restApi}-{stageName}"),
        outputs={
            "arn": from_template(f"{ARN}/restapis/{{restApi}}/stages/{{stageName}}"),
            "invokeUrl": ComputedValue(_url),
        },
    ),
    Driver(
        type="aws:apigateway/methodSettings:MethodSettings",
        service="apigateway",
        create=(UPDATE_SETTINGS,),
        update=(UPDATE_SETTINGS,),
        delete=(DriverCall("UpdateStage", {**STAGE, "patchOperations": remove_method_settings}),),
        id=from_template("{restApi}-{stageName}-{methodPath}"),
    ),
)
