"""REST APIs with their deployments, stages, keys and usage plans."""

from typing import Any

from local.platform.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    PropertyImport,
    ResourceValues,
    computed_from,
    from_response,
)
from local.platform.drivers.rest_document import overwrite
from local.preview.preview_provider import ACCOUNT, REGION
from local.preview.property_values import UNKNOWN

METHOD_SETTINGS = {
    "metricsEnabled": "metrics/enabled",
    "loggingLevel": "logging/loglevel",
    "dataTraceEnabled": "logging/dataTrace",
    "throttlingRateLimit": "throttling/rateLimit",
    "throttlingBurstLimit": "throttling/burstLimit",
}
"""Settings of methods → where a patch of the stage has them."""


@computed_from("triggers")
def version(triggers: dict[str, str]) -> str:
    """What a deployment is told apart by: `triggers` are Pulumi's own means to ask for a new one."""
    return " ".join(f"{name}={value}" for name, value in sorted(triggers.items()))


@computed_from("accessLogSettings")
def access_log(settings: Any) -> list[dict[str, str]]:
    """A stage is made without its access log, and then changed."""
    settings = settings[0] if isinstance(settings, list) else settings
    return [
        {"op": "replace", "path": f"/accessLogSettings/{name}", "value": settings[name]}
        for name in ("destinationArn", "format")
    ]


@computed_from("xrayTracingEnabled")
def traced(enabled: bool) -> list[dict[str, str]]:
    """Whether a stage is traced."""
    return [{"op": "replace", "path": "/tracingEnabled", "value": str(bool(enabled)).lower()}]


@computed_from("methodPath", "settings")
def settings_set(path: str, settings: Any) -> list[dict[str, str]]:
    """The settings of methods as changes of their stage."""
    settings = settings[0] if isinstance(settings, list) else settings
    return [
        {"op": "replace", "path": f"{_settings_at(path)}/{METHOD_SETTINGS[name]}", "value": _text(value)}
        for name, value in settings.items()
        if value is not None
    ]


@computed_from("methodPath")
def settings_taken(path: str) -> list[dict[str, str]]:
    """The end of such settings."""
    return [{"op": "remove", "path": _settings_at(path)}]


def _settings_at(path: str) -> str:
    resource, _, method = path.rpartition("/")
    return f"/{resource.replace('~', '~0').replace('/', '~1')}/{method}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _arn(known: ResourceValues) -> Any:
    return f"arn:aws:apigateway:{REGION}::/restapis/{known['id']}" if known.id else UNKNOWN


def _execution_arn(known: ResourceValues) -> Any:
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{known['id']}" if known.id else UNKNOWN


def _stage_arn(known: ResourceValues) -> str:
    return f"arn:aws:apigateway:{REGION}::/restapis/{known['restApi']}/stages/{known['stageName']}"


def _plan_arn(known: ResourceValues) -> Any:
    return f"arn:aws:apigateway:{REGION}::/usageplans/{known['id']}" if known.id else UNKNOWN


def _key_arn(known: ResourceValues) -> Any:
    return f"arn:aws:apigateway:{REGION}::/apikeys/{known['id']}" if known.id else UNKNOWN


def _url(known: ResourceValues) -> Any:
    """Where clients reach a stage: at the emulator's own address, by path."""
    if not known.endpoint:
        return UNKNOWN
    return f"{known.endpoint}/_aws/execute-api/{known['restApi']}/{known['stageName']}"


STAGE = {"restApiId": "restApi", "stageName": "stageName"}
SETTINGS = DriverCall("UpdateStage", {**STAGE, "patchOperations": settings_set})
TAG = DriverCall("TagResource", {"resourceArn": "arn", "tags": "tags"})

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
        update=(TAG,),
        delete=(DriverCall("DeleteRestApi", {"restApiId": "id"}),),
        id=from_response("CreateRestApi", "id"),
        outputs={"arn": ComputedValue(_arn), "executionArn": ComputedValue(_execution_arn)},
        property_import=PropertyImport("body", overwrite),
    ),
    Driver(
        type="aws:apigateway/deployment:Deployment",
        service="apigateway",
        create=(DriverCall("CreateDeployment", {"restApiId": "restApi", "description": version}),),
        delete=(DriverCall("DeleteDeployment", {"restApiId": "restApi", "deploymentId": "id"}),),
        id=from_response("CreateDeployment", "id"),
    ),
    Driver(
        type="aws:apigateway/stage:Stage",
        service="apigateway",
        create=(
            DriverCall("CreateStage", {**STAGE, "deploymentId": "deployment", "tags": "tags"}),
            DriverCall("UpdateStage", {**STAGE, "patchOperations": access_log}, when="accessLogSettings"),
            DriverCall("UpdateStage", {**STAGE, "patchOperations": traced}, when="xrayTracingEnabled"),
        ),
        update=(
            DriverCall("UpdateStage", {**STAGE, "patchOperations": access_log}),
            DriverCall("UpdateStage", {**STAGE, "patchOperations": traced}),
            TAG,
        ),
        delete=(DriverCall("DeleteStage", STAGE),),
        id=ComputedValue(lambda known: f"ags-{known['restApi']}-{known['stageName']}"),
        outputs={"arn": ComputedValue(_stage_arn), "invokeUrl": ComputedValue(_url)},
    ),
    Driver(
        type="aws:apigateway/methodSettings:MethodSettings",
        service="apigateway",
        create=(SETTINGS,),
        update=(SETTINGS,),
        delete=(DriverCall("UpdateStage", {**STAGE, "patchOperations": settings_taken}),),
        id=ComputedValue(lambda known: f"{known['restApi']}-{known['stageName']}-{known['methodPath']}"),
    ),
    Driver(
        type="aws:apigateway/apiKey:ApiKey",
        service="apigateway",
        create=(
            DriverCall(
                "CreateApiKey", {"name": "name", "description": "description", "enabled": "enabled", "tags": "tags"}
            ),
        ),
        update=(TAG,),
        delete=(DriverCall("DeleteApiKey", {"apiKey": "id"}),),
        id=from_response("CreateApiKey", "id"),
        outputs={"arn": ComputedValue(_key_arn)},
    ),
    Driver(
        type="aws:apigateway/usagePlan:UsagePlan",
        service="apigateway",
        create=(
            DriverCall(
                "CreateUsagePlan",
                {
                    "name": "name",
                    "description": "description",
                    "apiStages": "apiStages",
                    "throttle": "throttleSettings",
                    "quota": "quotaSettings",
                    "tags": "tags",
                },
            ),
        ),
        update=(TAG,),
        delete=(DriverCall("DeleteUsagePlan", {"usagePlanId": "id"}),),
        id=from_response("CreateUsagePlan", "id"),
        outputs={"arn": ComputedValue(_plan_arn)},
    ),
    Driver(
        type="aws:apigateway/usagePlanKey:UsagePlanKey",
        service="apigateway",
        create=(
            DriverCall("CreateUsagePlanKey", {"usagePlanId": "usagePlanId", "keyId": "keyId", "keyType": "keyType"}),
        ),
        delete=(DriverCall("DeleteUsagePlanKey", {"usagePlanId": "usagePlanId", "keyId": "id"}),),
        id="keyId",
    ),
)
