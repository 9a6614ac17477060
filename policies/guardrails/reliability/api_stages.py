"""API stages hold back floods, log and measure; firewalls measure and stand where they can."""

from collections.abc import Iterator

from guardrails.model.resource_types import (
    API_V2_STAGE,
    REST_DEPLOYMENT,
    REST_METHOD_SETTINGS,
    REST_STAGE,
    WEB_ACL,
    WEB_ACL_ASSOCIATION,
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


def _settings(stage: CheckedResource, stack: CheckedStack) -> list[Props]:
    """The settings of all methods of a stage; those of single methods do not count."""
    if stage.type == API_V2_STAGE:
        return [stage.props.get("defaultRouteSettings") or {}]
    return [
        settings.props.get("settings") or {}
        for settings in stack.list_resources(REST_METHOD_SETTINGS)
        if settings.props.get("methodPath") == "*/*" and _same_stage(settings, stage)
    ]


def _same_stage(settings: CheckedResource, stage: CheckedResource) -> bool:
    apis, mine = settings.references.get("restApi", ()), stage.references.get("restApi", ())
    same_api = apis == mine if apis or mine else settings.props.get("restApi") == stage.props.get("restApi")
    refers = stage in settings.references.get("stageName", ())
    return same_api and (refers or settings.props.get("stageName") == stage.props.get("stageName"))


@POLICIES.relation(
    "api-throttled",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every API stage limits rate and burst.",
    remedy="Set both on all methods (REST: methodPath */*) or in defaultRouteSettings.",
    frameworks=("AWS Well-Architected REL05-BP02",),
    types=ANY_STAGE,
)
def _check_api_throttled(stage: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for key in ("throttlingRateLimit", "throttlingBurstLimit"):
        if not any(float(settings.get(key) or -1) > 0 for settings in _settings(stage, stack)):
            yield f"It sets no {key}: one client can use up what the account has."


@POLICIES.relation(
    "api-logged",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every API stage writes access and execution logs.",
    remedy="Set accessLogSettings and loggingLevel ERROR, after the account's log role.",
    frameworks=("AWS FSBP APIGateway.1", "AWS FSBP APIGateway.9"),
    types=ANY_STAGE,
)
def _check_api_logged(stage: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not stage.references.get("accessLogSettings") and not stage.get_nested("accessLogSettings", "destinationArn"):
        yield "It writes no access log."
    if not any(settings.get("loggingLevel") in {"ERROR", "INFO"} for settings in _settings(stage, stack)):
        yield "It writes no execution log (loggingLevel is not ERROR or INFO)."


@POLICIES.relation(
    "api-measured",
    severity=PolicySeverity.LOW,
    levels=DISABLED_IN_DEV,  # by method they cost more than all else of a quiet API
    # A WebSocket API's own metrics come by themselves; those by route are paid for each, and say little more.
    description="Every REST stage has metrics by method.",
    remedy="Leave foundation.logs.methodMetrics on.",
    types={REST_STAGE},
)
def _check_api_measured(stage: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not any(settings.get("metricsEnabled") for settings in _settings(stage, stack)):
        yield "Its detailed metrics are off: nobody sees which method is slow or fails."


@POLICIES.resource(
    "rest-api-traced",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every REST stage is traced by X-Ray.",
    remedy="Set xrayTracingEnabled.",
    frameworks=("AWS FSBP APIGateway.3",),
    types={REST_STAGE},
)
def _check_rest_api_traced(stage: CheckedResource) -> Iterator[str]:
    if not stage.props.get("xrayTracingEnabled"):
        yield "It is not traced (xrayTracingEnabled is off)."


@POLICIES.resource(
    "rest-api-deploys-changes",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A changed REST API is deployed anew.",
    remedy="Give the deployment triggers: a hash of the API's document.",
    types={REST_DEPLOYMENT},
)
def _check_rest_api_deploys_changes(deployment: CheckedResource) -> Iterator[str]:
    if not deployment.has_property("triggers"):
        yield "It has no triggers: a changed API would never be deployed again."


@POLICIES.resource(
    "firewall-measures",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="A web firewall limits the rate of each client and measures what it refuses.",
    remedy="Add a rule with rateBasedStatement, and set visibilityConfig.cloudwatchMetricsEnabled.",
    frameworks=("AWS FSBP WAF.10",),
    types={WEB_ACL},
)
def _check_firewall_measures(web_acl: CheckedResource) -> Iterator[str]:
    if not web_acl.get_nested("visibilityConfig", "cloudwatchMetricsEnabled"):
        yield "Its metrics are off: nobody sees whom it refuses."
    rules = web_acl.props.get("rules") or ()
    if not any((rule.get("statement") or {}).get("rateBasedStatement") for rule in rules):
        yield "It has no rate-based rule: a flood passes through it."


@POLICIES.resource(
    "firewall-where-possible",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Web firewalls stand before REST stages: WebSocket APIs cannot have one.",
    remedy="Throttle the routes of the WebSocket stage instead.",
    types={WEB_ACL_ASSOCIATION},
)
def _check_firewall_where_possible(association: CheckedResource) -> Iterator[str]:
    if "/apis/" in str(association.props.get("resourceArn")):
        yield (
            f"It is for {association.props.get('resourceArn')}, but a firewall cannot stand before a "
            "WebSocket or HTTP API."
        )
