"""Guardrail policies about API stages: throttling, logs, metrics, traces and redeployment."""

from collections.abc import Iterator
from functools import partial

from guardrails.model.related_resources import is_configured
from guardrails.model.resource_types import (
    API_V2_STAGE,
    REST_DEPLOYMENT,
    REST_METHOD_SETTINGS,
    REST_STAGE,
)
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    DISABLED_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
    Props,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

ANY_STAGE = frozenset({REST_STAGE, API_V2_STAGE})


def _list_stage_settings(stage: CheckedResource, stack: CheckedStack) -> list[Props]:
    """Return the settings that apply to all methods or routes of a stage. Settings of single methods are ignored."""
    if stage.type == API_V2_STAGE:
        return [stage.props.get("defaultRouteSettings") or {}]
    return [
        settings.props.get("settings") or {}
        for settings in stack.list_resources(REST_METHOD_SETTINGS)
        if settings.props.get("methodPath") == "*/*" and _belongs_to_stage(settings, stage)
    ]


def _belongs_to_stage(settings: CheckedResource, stage: CheckedResource) -> bool:
    """Return True if method settings belong to the stage: their API and their stage name refer to the same resources
    as the stage's, or have the same values.
    """
    settings_apis, stage_apis = settings.references.get("restApi", ()), stage.references.get("restApi", ())
    if settings_apis or stage_apis:
        same_api = settings_apis == stage_apis
    else:
        same_api = settings.props.get("restApi") == stage.props.get("restApi")
    refers_to_stage = stage in settings.references.get("stageName", ())
    return same_api and (refers_to_stage or settings.props.get("stageName") == stage.props.get("stageName"))


@POLICIES.resource_in_stack(
    "api-throttled",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every API stage limits request rate and burst.",
    remedy=(
        "Set both limits for all methods: in method settings with methodPath */* for REST, in "
        "defaultRouteSettings for WebSocket and HTTP APIs."
    ),
    frameworks=("AWS Well-Architected REL05-BP02",),
    types=ANY_STAGE,
)
def _check_api_throttled(stage: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    stage_settings = _list_stage_settings(stage, stack)
    for key in ("throttlingRateLimit", "throttlingBurstLimit"):
        if not is_configured(stage_settings, partial(_has_limit, key)):
            yield f"{key} is not a positive number, so one client can use the account's whole request quota."


def _has_limit(key: str, settings: Props) -> bool:
    return float(settings.get(key) or -1) > 0


@POLICIES.resource_in_stack(
    "api-logged",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every API stage writes access logs and execution logs.",
    remedy="Set accessLogSettings, and loggingLevel to ERROR. The account's API Gateway log role must exist first.",
    frameworks=("AWS FSBP APIGateway.1", "AWS FSBP APIGateway.9"),
    types=ANY_STAGE,
)
def _check_api_logged(stage: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not stage.references.get("accessLogSettings") and not stage.get_nested("accessLogSettings", "destinationArn"):
        yield "accessLogSettings is not set, so the stage writes no access log."
    stage_settings = _list_stage_settings(stage, stack)
    if not is_configured(stage_settings, lambda settings: settings.get("loggingLevel") in {"ERROR", "INFO"}):
        yield "loggingLevel is not ERROR or INFO, so the stage writes no execution log."


@POLICIES.resource_in_stack(
    "api-measured",
    severity=PolicySeverity.LOW,
    levels=DISABLED_IN_DEV,  # metrics by method cost more than the rest of an API with little traffic
    # WebSocket APIs are not checked: their free metrics are enough. Metrics by route are billed and add little.
    description="Every REST stage has metrics by method.",
    remedy="Leave foundation.logs.methodMetrics at its default, true.",
    types={REST_STAGE},
)
def _check_api_measured(stage: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not is_configured(_list_stage_settings(stage, stack), lambda settings: settings.get("metricsEnabled")):
        yield "metricsEnabled is not true, so there are no metrics by method."


@POLICIES.resource(
    "rest-api-traced",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every REST stage has X-Ray tracing.",
    remedy="Set xrayTracingEnabled to true.",
    frameworks=("AWS FSBP APIGateway.3",),
    types={REST_STAGE},
)
def _check_rest_api_traced(stage: CheckedResource) -> Iterator[str]:
    if not stage.props.get("xrayTracingEnabled"):
        yield "xrayTracingEnabled is not true, so requests are not traced."


@POLICIES.resource(
    "rest-api-deploys-changes",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every deployment of a REST API has triggers, so that a change of the API deploys it again.",
    remedy="Set triggers of the deployment to a hash of the API's document.",
    types={REST_DEPLOYMENT},
)
def _check_rest_api_deploys_changes(deployment: CheckedResource) -> Iterator[str]:
    if not deployment.has_property("triggers"):
        yield "triggers is not set, so changes of the API are not deployed."
