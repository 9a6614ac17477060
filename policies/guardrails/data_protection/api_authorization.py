"""Guardrail policy about API authorization: API Gateway must authorize every call of a method, route or connection. The
exception is an API with a tag that describes another check of its callers.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import API_V2, API_V2_ROUTE, REST_API, REST_METHOD
from guardrails.pack.policy_kinds import (
    DISABLED_IN_DEV,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

ANY = "x-amazon-apigateway-any-method"
"""Key of the operation that serves all other methods of a path, in API Gateway's extension of OpenAPI."""
VERBS = frozenset({"get", "put", "post", "delete", "patch", "head", ANY})
"""Keys of the operations that need authorization. Browsers call `options` without credentials."""
AUTHORIZER = "x-amazon-apigateway-authorizer"
AUTHENTICATION_TYPE = "x-amazon-apigateway-authtype"
CHECKED_BY = "CallersCheckedBy"
"""Tag of an API that has no authorizer. Its value describes the check of callers that replaces the authorizer. A
WebSocket API whose clients have tokens needs the tag, because a browser cannot send a token in a header when it opens a
WebSocket. The REST API of the meetings' token exchange, which returns AWS credentials for a user's token, needs the tag
because callers send this token in the body.
"""


@POLICIES.resource_in_stack(
    "api-asks-who-calls",
    severity=PolicySeverity.CRITICAL,
    levels=DISABLED_IN_DEV,
    description="In staging and prod, every method, route and connection requires authorization.",
    remedy=(
        f"Set an authorizer, or give the API the tag {CHECKED_BY}, whose value says in 15 characters or more "
        "what checks callers. The setting `auth: none` is for dev and local only."
    ),
    frameworks=("AWS FSBP APIGateway.8",),
    types={REST_API, REST_METHOD, API_V2, API_V2_ROUTE},
    excusable=False,
)
def _check_api_asks_who_calls(resource: CheckedResource, _stack: CheckedStack) -> Iterator[str]:
    # A route's API is found by reference, so this is a `ResourceInStackPolicy`. A `ResourcePolicy` gets no references.
    if resource.type == REST_METHOD:
        method = resource.props.get("httpMethod")
        if method != "OPTIONS" and _is_unauthorized(resource):
            yield f"{method} requires no authorization: authorization is NONE. An API key identifies no caller."
    elif resource.type == API_V2_ROUTE:
        yield from _find_unauthorized_route(resource)
    elif not resource.has_reason(CHECKED_BY):
        if _has_target(resource):
            yield "The property target adds a default route without authorization, so any caller reaches the target."
        yield from _find_unauthorized_operations(resource)


def _find_unauthorized_route(route: CheckedResource) -> Iterator[str]:
    """Yield the fault of a route without authorization. A WebSocket API authorizes callers at $connect. An HTTP API
    authorizes them at every route except OPTIONS, which browsers call without credentials.
    """
    key, apis = str(route.props.get("routeKey")), route.references.get("apiId", ())
    if route.props.get("authorizationType", "NONE") != "NONE" or any(api.has_reason(CHECKED_BY) for api in apis):
        return
    # The route keys of an HTTP API have the form `GET /path`. Those of a WebSocket API contain no space.
    is_http = " " in key or any(api.props.get("protocolType") == "HTTP" for api in apis)
    if key == "$connect":
        yield (
            "Any client may call $connect: authorizationType is NONE, and the API has no tag "
            f"{CHECKED_BY} that says what checks callers."
        )
    elif is_http and not key.startswith("OPTIONS "):
        yield f"The route {key} requires no authorization (authorizationType is NONE)."


def _has_target(api: CheckedResource) -> bool:
    """Return True if an API was created with a target, which adds a default route. An unknown value counts as a
    target.
    """
    try:
        return bool(api.props.get("target"))
    except UnknownValueError:
        return True


def _is_unauthorized(method: CheckedResource) -> bool:
    """Return True if a method asks for no identity.

    An API key is no authorization, because callers share it
    (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html).
    """
    return bool(method.props.get("authorization", "NONE") == "NONE")


def _find_unauthorized_operations(resource: CheckedResource) -> Iterator[str]:
    """Yield a message for each operation of an OpenAPI document whose own security requirement asks for no identity. A
    requirement for the whole document does not count, because API Gateway ignores it. An any-method with a mock
    integration needs no requirement, because it reaches no backend.
    """
    body = resource.props.get("body")
    try:
        document = json.loads(body) if body else {}
    except json.JSONDecodeError:
        yield "body is not JSON, so its operations cannot be checked. Write the OpenAPI document as JSON."
        return
    schemes = {**document.get("securityDefinitions", {}), **document.get("components", {}).get("securitySchemes", {})}
    for path, operations in document.get("paths", {}).items():
        for verb, operation in operations.items():
            if verb in VERBS and not (verb == ANY and _is_mock(operation)):
                fault = _find_security_fault(operation, schemes)
                if fault:
                    yield f"{'ANY' if verb == ANY else verb.upper()} {path} requires no authorization: {fault}."


def _find_security_fault(operation: Mapping[str, Any], schemes: Mapping[str, Any]) -> str | None:
    """Return what is wrong with an operation's security requirement; None if it asks every caller for an identity. A
    caller chooses one of the listed alternatives, so each must ask for an identity. The alternative `{}` asks for none.
    """
    alternatives = list(operation.get("security") or ())
    if not alternatives or not all(alternatives):
        return "the operation has no security requirement"
    for alternative in alternatives:
        undefined = [name for name in alternative if name not in schemes]
        if undefined:
            return f"the document does not define the security scheme {', '.join(undefined)}"
        if not any(_identifies_caller(schemes[name]) for name in alternative):
            return (
                f"the security scheme {', '.join(alternative)} has no authorizer, and an API key identifies no caller"
            )
    return None


def _identifies_caller(scheme: Mapping[str, Any]) -> bool:
    """Return True if API Gateway checks an identity for a security scheme: by an authorizer, or by IAM. Other schemes
    only describe the API to readers.
    """
    return bool(scheme.get(AUTHORIZER)) or scheme.get(AUTHENTICATION_TYPE) == "awsSigv4"


def _is_mock(operation: Mapping[str, Any]) -> bool:
    """Return True if an operation has a mock integration, which answers every request without calling a backend."""
    return bool(operation.get("x-amazon-apigateway-integration", {}).get("type") == "mock")
