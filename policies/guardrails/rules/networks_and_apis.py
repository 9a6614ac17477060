"""Policies about networks and APIs: who may connect, how often, and which requests are logged.

Each check gets a resource, and some also the whole stack. It yields a message for each violation. `references` are the
resources from whose outputs a property is computed, so they are known even if its value is not.
"""

import json
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any, Final

from guardrails import resource_types as t
from guardrails.records import (
    ADVISORY_IN_DEV,
    DISABLED_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    Group,
    Policy,
    PolicySet,
    Severity,
)
from guardrails.rules.related import CALLERS_CHECKED_TAG, MIN_REASON_LENGTH, has_reason

DATA_PROTECTION = PolicySet(Group.DATA_PROTECTION, levels=MANDATORY_EVERYWHERE)
RELIABILITY = PolicySet(Group.RELIABILITY, levels=MANDATORY_EVERYWHERE)

HTTPS_PORT: Final = 443


@DATA_PROTECTION.resource_policy(
    "network-not-open",
    types={t.EGRESS_RULE, t.INGRESS_RULE},
    severity=Severity.CRITICAL,
    description="Public addresses are reached only by HTTPS, and cannot open a connection.",
    remedy="Allow a security group or a private IP range. Functions and jobs need no inbound rule.",
    exceptions_allowed=False,
)
def _check_network_not_open(rule: CheckedResource) -> Iterator[str]:
    for cidr in (rule.get("cidrIpv4"), rule.get("cidrIpv6")):
        if not cidr or ip_network(cidr).is_private:
            continue
        if rule.type == t.INGRESS_RULE:
            yield f"The rule allows inbound traffic from {cidr}."
        elif [rule.get(key) for key in ("ipProtocol", "fromPort", "toPort")] != ["tcp", HTTPS_PORT, HTTPS_PORT]:
            yield f"The rule allows other outbound traffic to {cidr} than HTTPS."


@DATA_PROTECTION.resource_policy(
    "endpoint-has-policy",
    types={t.VPC_ENDPOINT},
    severity=Severity.HIGH,
    description="Every VPC endpoint has a policy. Without one, it allows every action of every identity.",
    remedy="Pass build_endpoint_policy(…) of components/blocks/network.py as policy.",
)
def _check_endpoint_has_policy(endpoint: CheckedResource) -> Iterator[str]:
    if not endpoint.get("policy"):
        yield "policy is not set, so foreign credentials can copy data out through the endpoint."


@DATA_PROTECTION.related_policy(
    "api-asks-who-calls",
    types={t.REST_API, t.API_V2},
    severity=Severity.CRITICAL,
    levels=DISABLED_IN_DEV,
    description="In staging and prod, every operation and every WebSocket connection requires authorization.",
    remedy=(
        f"Set an authorizer, or give the API the tag {CALLERS_CHECKED_TAG}, whose value says in {MIN_REASON_LENGTH} "
        "characters or more what checks callers. The setting `auth: none` is for dev and local only."
    ),
    exceptions_allowed=False,  # no entry of `polyphony:exceptions`, because the tag takes its place
)
def _check_api_asks_who_calls(api: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if has_reason(api, CALLERS_CHECKED_TAG):
        return
    if api.type == t.REST_API:
        document = json.loads(api.get("body"))
        schemes = document.get("components", {}).get("securitySchemes", {})
        for path, operations in document["paths"].items():
            for verb, operation in operations.items():
                # A mock integration answers without a backend, for example browsers' OPTIONS requests.
                is_mock = operation.get("x-amazon-apigateway-integration", {}).get("type") == "mock"
                if not is_mock and not _is_authorized(operation, schemes):
                    yield f"{verb.upper()} {path} requires no authorization."
        return
    routes = [route for route in stack.list_resources(t.API_V2_ROUTE) if api in route.references.get("apiId", ())]
    connect = [route.get("authorizationType") for route in routes if route.get("routeKey") == "$connect"]
    if not connect or set(connect) & {None, "NONE"}:
        yield "Any client may connect: the API has no route $connect whose authorizationType requires authorization."


def _is_authorized(operation: Mapping[str, Any], schemes: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return True if API Gateway asks every caller of an operation for an identity.

    The operation's own `security` lists alternatives, of which the caller chooses one. An alternative names the schemes
    that are all checked. A scheme without an authorizer, for example an API key, identifies no caller.
    """
    alternatives = operation.get("security") or [{}]
    return all(
        any(
            schemes.get(name, {}).get("x-amazon-apigateway-authorizer")
            or schemes.get(name, {}).get("x-amazon-apigateway-authtype") == "awsSigv4"
            for name in alternative
        )
        for alternative in alternatives
    )


def _read_settings(source: CheckedResource) -> Mapping[str, Any]:
    """Return the throttling and log settings. A WebSocket stage has them itself. Those of a REST stage are a separate
    resource, its method settings.
    """
    return source.get("defaultRouteSettings" if source.type == t.API_V2_STAGE else "settings") or {}


@RELIABILITY.related_policy(
    "api-throttled",
    types={t.REST_STAGE, t.API_V2_STAGE},
    severity=Severity.HIGH,
    description="Every API stage limits request rate and burst.",
    remedy="Set both limits: in method settings with methodPath */* for REST, in defaultRouteSettings for WebSocket.",
)
def _check_api_throttled(stage: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    sources = [stage]
    if stage.type == t.REST_STAGE:
        sources = [
            settings
            for settings in stack.list_resources(t.REST_METHOD_SETTINGS)
            if stage in settings.references.get("stageName", ()) and settings.get("methodPath") == "*/*"
        ]
    for key in ("throttlingRateLimit", "throttlingBurstLimit"):
        if not sources or any((_read_settings(source).get(key) or 0) <= 0 for source in sources):
            yield f"{key} is not a positive number, so one client can use the account's whole request quota."


@RELIABILITY.resource_policy(
    "api-logged",
    types={t.REST_STAGE, t.API_V2_STAGE, t.REST_METHOD_SETTINGS},
    severity=Severity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every API stage writes access logs and execution logs.",
    remedy="Set accessLogSettings, and loggingLevel to ERROR. The account's API Gateway log role must exist first.",
)
def _check_api_logged(resource: CheckedResource) -> Iterator[str]:
    if resource.type != t.REST_METHOD_SETTINGS and not resource.get("accessLogSettings.destinationArn"):
        yield "accessLogSettings is not set, so the stage writes no access log."
    # A REST stage without method settings for all methods is a finding of `api-throttled`.
    if resource.type != t.REST_STAGE and _read_settings(resource).get("loggingLevel") not in {"ERROR", "INFO"}:
        yield "loggingLevel is not ERROR or INFO, so the stage writes no execution log."


POLICIES: Final[tuple[Policy, ...]] = (*DATA_PROTECTION, *RELIABILITY)
