"""Functions and APIs."""

import json

from guardrails.model.resource_types import (
    FUNCTION,
    FUNCTION_PROVISIONED,
    REST_API,
    REST_METHOD,
    REST_METHOD_SETTINGS,
    REST_STAGE,
    SOCKET_API,
    SOCKET_ROUTE,
    SOCKET_STAGE,
)
from guardrails.pricing.price_rule import SECONDS, Bill, Priced, Quantities, Rule, free_but, of_measures
from guardrails.pricing.rules.called_service_prices import MEASURES, called

DEFAULT_MB = 128
FREE_DISK_MB = 512
"""What every call has of `/tmp`; more is paid while it runs."""
METRICS_OF_A_ROUTE = 5
"""Messages (or connections), client errors, execution errors, integration errors, latency; paid for once one has data."""
METRICS_OF_A_METHOD = 5
"""Requests, client errors, server errors, latency, the integration's latency; the same."""
METHODS = frozenset({"delete", "get", "head", "options", "patch", "post", "put"})
"""Those of a document that good requests come to: one for any method answers what is asked for in vain."""


def _gigabytes(bill: Bill) -> float:
    function = bill.one if bill.one.type == FUNCTION else bill.sibling(FUNCTION)
    return float((function.props.get("memorySize") if function else None) or DEFAULT_MB) / 1024


def _processor(bill: Bill) -> str:
    function = bill.one if bill.one.type == FUNCTION else bill.sibling(FUNCTION)
    architectures = list((function.props.get("architectures") if function else None) or ["x86_64"])
    return "arm64" if architectures == ["arm64"] else "x86"


def _function(bill: Bill) -> Quantities:
    invocations, gigabytes = bill.of("invocations"), _gigabytes(bill)
    running = "provisioned_running_" if bill.sibling(FUNCTION_PROVISIONED) else ""
    yield "lambda_request", invocations
    yield f"lambda_{running}gb_second_{_processor(bill)}", invocations * bill.of("milliseconds") / 1000 * gigabytes
    disk = float((bill.props.get("ephemeralStorage") or {}).get("size") or FREE_DISK_MB)
    yield "lambda_disk_gb_second", invocations * bill.of("milliseconds") / 1000 * (disk - FREE_DISK_MB) / 1024
    if (bill.props.get("snapStart") or {}).get("applyOn") == "PublishedVersions":
        yield "lambda_snapstart_cache_gb_second", gigabytes * SECONDS * (bill.of("cachedVersions") or 1)
        yield "lambda_snapstart_restore_gb", gigabytes * bill.of("coldStarts")
    yield from called(bill)


def _provisioned(bill: Bill) -> Quantities:
    environments = float(bill.props["provisionedConcurrentExecutions"])
    yield f"lambda_provisioned_gb_second_{_processor(bill)}", environments * _gigabytes(bill) * SECONDS


def _cache(stage: Priced) -> str:
    size = stage.props.get("cacheClusterSize", "?")
    return f"a cache cluster of {size} GB" if stage.props.get("cacheClusterEnabled") else ""


def _method_settings(bill: Bill) -> Quantities:
    if (bill.props.get("settings") or {}).get("metricsEnabled"):
        api = bill.sibling(REST_API)
        paths = json.loads((api.props.get("body") if api else None) or "{}").get("paths", {})
        methods = sum(1 for path in paths.values() for method in path if method in METHODS)
        methods += sum(1 for one in bill.siblings if one.type == REST_METHOD)
        yield "metric", methods * METRICS_OF_A_METHOD


def _socket_api(bill: Bill) -> Quantities:
    if bill.props.get("protocolType") == "WEBSOCKET":
        yield "websocket_message", bill.of("messages")
        yield "websocket_connection_minute", bill.of("connectionMinutes")
    else:
        yield "http_request", bill.of("requests")


def _socket_stage(bill: Bill) -> Quantities:
    if (bill.props.get("defaultRouteSettings") or {}).get("detailedMetricsEnabled"):
        routes = sum(1 for one in bill.siblings if one.type == SOCKET_ROUTE)
        yield "metric", routes * METRICS_OF_A_ROUTE


RULES = {
    FUNCTION: Rule(
        _function,
        needs={"invocations": "calls", "milliseconds": "milliseconds that one call takes on average"},
        also={
            **MEASURES,
            "coldStarts": "environments restored from a snapshot (SnapStart)",
            "cachedVersions": "published versions whose snapshot is kept (SnapStart); 1 where it is not given",
        },
    ),
    FUNCTION_PROVISIONED: Rule(_provisioned),
    REST_API: of_measures({"requests": ("rest_request", "requests")}),
    REST_METHOD_SETTINGS: Rule(_method_settings),
    REST_STAGE: free_but(_cache),
    SOCKET_API: Rule(
        _socket_api,
        needs={
            "messages": "messages in both directions, in pieces of 32 KB",
            "connectionMinutes": "minutes that connections are open, all together",
        },
        also={"requests": "requests (HTTP APIs)"},
    ),
    SOCKET_STAGE: Rule(_socket_stage),
}
