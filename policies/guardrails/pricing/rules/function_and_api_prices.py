"""Price rules of Lambda functions and API Gateway APIs."""

import json
from collections.abc import Mapping
from typing import Any

from guardrails.model.resource_types import (
    API_V2,
    API_V2_ROUTE,
    API_V2_STAGE,
    FUNCTION,
    PROVISIONED_CONCURRENCY,
    REST_API,
    REST_METHOD,
    REST_METHOD_SETTINGS,
    REST_STAGE,
)
from guardrails.pricing.price_rule import (
    SECONDS_PER_MONTH,
    PricedResource,
    PriceRule,
    PricingInput,
    Quantities,
    make_free_rule,
    make_usage_rule,
)
from guardrails.pricing.rules.called_service_prices import CALLED_SERVICE_MEASURES, called_service_quantities

DEFAULT_MB = 128
"""Memory of a function that sets none."""
FREE_DISK_MB = 512
"""Size of `/tmp` that is free. More is billed while the function runs."""
METRICS_PER_ROUTE = 5
"""Metrics of one route: messages (or connections), client errors, execution errors, integration errors and latency. A
metric is billed once it has data.
"""
METRICS_PER_METHOD = 5
"""Metrics of one method: requests, client errors, server errors, latency and integration latency. A metric is billed
once it has data.
"""
PRICED_METHODS = frozenset({"delete", "get", "head", "options", "patch", "post", "put"})
"""Keys of the methods in an OpenAPI document whose metrics are priced. API Gateway's key for all other methods of a path
is not one of them: in this program, it only refuses requests, so its metrics have no data.
"""


def _get_function_props(pricing: PricingInput) -> Mapping[str, Any]:
    """Return the properties of the priced function or, for another resource, of the function in the same block."""
    function = pricing.resource if pricing.resource.type == FUNCTION else pricing.find_sibling(FUNCTION)
    return function.props if function else {}


def _get_memory_gb(pricing: PricingInput) -> float:
    return float(_get_function_props(pricing).get("memorySize") or DEFAULT_MB) / 1024


def _get_processor(pricing: PricingInput) -> str:
    architectures = list(_get_function_props(pricing).get("architectures") or ["x86_64"])
    return "arm64" if architectures == ["arm64"] else "x86"


def _price_function(pricing: PricingInput) -> Quantities:
    invocations, gigabytes = pricing.amount("invocations"), _get_memory_gb(pricing)
    seconds = invocations * pricing.amount("milliseconds") / 1000
    # Invocations in provisioned environments have a lower price.
    running = "provisioned_running_" if pricing.find_sibling(PROVISIONED_CONCURRENCY) else ""
    yield "lambda_request", invocations
    yield f"lambda_{running}gb_second_{_get_processor(pricing)}", seconds * gigabytes
    disk_mb = float((pricing.props.get("ephemeralStorage") or {}).get("size") or FREE_DISK_MB)
    yield "lambda_disk_gb_second", seconds * (disk_mb - FREE_DISK_MB) / 1024
    if (pricing.props.get("snapStart") or {}).get("applyOn") == "PublishedVersions":
        yield (
            "lambda_snapstart_cache_gb_second",
            gigabytes * SECONDS_PER_MONTH * (pricing.amount("cachedVersions") or 1),
        )
        yield "lambda_snapstart_restore_gb", gigabytes * pricing.amount("coldStarts")
    yield from called_service_quantities(pricing)


def _price_provisioned_concurrency(pricing: PricingInput) -> Quantities:
    environments = float(pricing.props["provisionedConcurrentExecutions"])
    yield (
        f"lambda_provisioned_gb_second_{_get_processor(pricing)}",
        environments * _get_memory_gb(pricing) * SECONDS_PER_MONTH,
    )


def _describe_cache(stage: PricedResource) -> str:
    """Return a description of the stage's cache, which is billed but has no price in the price book, or an empty text."""
    size = stage.props.get("cacheClusterSize", "?")
    return f"a cache cluster of {size} GB" if stage.props.get("cacheClusterEnabled") else ""


def _price_method_settings(pricing: PricingInput) -> Quantities:
    if (pricing.props.get("settings") or {}).get("metricsEnabled"):
        api = pricing.find_sibling(REST_API)
        paths = json.loads((api.props.get("body") if api else None) or "{}").get("paths", {})
        methods = sum(1 for path in paths.values() for method in path if method in PRICED_METHODS)
        methods += sum(1 for sibling in pricing.siblings if sibling.type == REST_METHOD)
        yield "metric", methods * METRICS_PER_METHOD


def _price_api_v2(pricing: PricingInput) -> Quantities:
    if pricing.props.get("protocolType") == "WEBSOCKET":
        yield "websocket_message", pricing.amount("messages")
        yield "websocket_connection_minute", pricing.amount("connectionMinutes")
    else:
        yield "http_request", pricing.amount("requests")


def _price_api_v2_stage(pricing: PricingInput) -> Quantities:
    if (pricing.props.get("defaultRouteSettings") or {}).get("detailedMetricsEnabled"):
        routes = sum(1 for sibling in pricing.siblings if sibling.type == API_V2_ROUTE)
        yield "metric", routes * METRICS_PER_ROUTE


PRICE_RULES = {
    FUNCTION: PriceRule(
        _price_function,
        required_measures={"invocations": "calls", "milliseconds": "average milliseconds of one call"},
        optional_measures={
            **CALLED_SERVICE_MEASURES,
            "coldStarts": "environments restored from a snapshot (SnapStart)",
            "cachedVersions": "published versions whose snapshot is kept (SnapStart); 1 if this amount is missing",
        },
    ),
    PROVISIONED_CONCURRENCY: PriceRule(_price_provisioned_concurrency),
    REST_API: make_usage_rule({"requests": ("rest_request", "requests")}),
    REST_METHOD_SETTINGS: PriceRule(_price_method_settings),
    REST_STAGE: make_free_rule(_describe_cache),
    # WebSocket APIs and HTTP APIs have the same type, and a type has only one list of required measures. The program
    # has no HTTP APIs, so the list is that of WebSocket APIs.
    API_V2: PriceRule(
        _price_api_v2,
        required_measures={
            "messages": "messages in both directions, in units of 32 KB",
            "connectionMinutes": "minutes of open connections, all connections together",
        },
        optional_measures={"requests": "requests (HTTP APIs)"},
    ),
    API_V2_STAGE: PriceRule(_price_api_v2_stage),
}
