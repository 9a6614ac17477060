"""Tests of the price rules with amounts computed by hand. A price rule turns a resource and the monthly usage of its block
(the component that contains it) into quantities of prices from the price book.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from guardrails.model import resource_types as t
from guardrails.pricing.cost_estimate import CostReport, PricedResource, estimate_cost
from guardrails.pricing.price_book import load_prices
from guardrails.pricing.rules import PRICE_RULES
from guardrails.pricing.rules.called_service_prices import CALLED_SERVICE_PRICES
from guardrails.pricing.rules.messaging_prices import count_runs_per_month

ARM = {"memorySize": 1024, "architectures": ["arm64"]}
CALLS = {"invocations": 1_000_000, "milliseconds": 100}
CONTAINER = {
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
    "runtimePlatform": {"cpuArchitecture": "ARM64"},
    "networkConfiguration": {"assignPublicIp": "ENABLED"},
}


def price(kind: str, props: Mapping[str, Any], usage: Mapping[str, float], *others: PricedResource) -> CostReport:
    """Return the cost of one resource, and of other resources without usage."""
    resource = PricedResource(kind, "sample", "block", "sub", props)
    return estimate_cost([resource, *others], {"block": usage} if usage else {})


CASES: list[tuple[str, Mapping[str, Any], Mapping[str, float], float]] = [
    (t.FUNCTION, ARM, CALLS, 0.20 + 100_000 * 0.0000133334),
    (t.FUNCTION, {"memorySize": 1024}, CALLS, 0.20 + 100_000 * 0.0000166667),
    (t.FUNCTION, {"architectures": ["arm64"]}, CALLS, 0.20 + 12_500 * 0.0000133334),
    (
        t.FUNCTION,
        {**ARM, "snapStart": {"applyOn": "PublishedVersions"}},
        {"invocations": 0, "milliseconds": 0, "coldStarts": 1000},
        2_628_000 * 0.0000015046 + 1000 * 0.0001397998,
    ),
    (t.FUNCTION, ARM, {"sonnetInputTokens": 1e6, "haikuOutputTokens": 1e6}, 2.20 + 0.55),
    (t.REST_API, {}, {"requests": 2e6}, 7.00),
    (t.API_V2, {"protocolType": "WEBSOCKET"}, {"messages": 1e6, "connectionMinutes": 4e6}, 2.00),
    (t.REST_METHOD_SETTINGS, {"settings": {"metricsEnabled": False}}, {}, 0),
    (t.API_V2_STAGE, {"defaultRouteSettings": {}}, {}, 0),
    (t.API_V2, {"protocolType": "HTTP"}, {"requests": 1e6}, 1.00),
    (t.BUCKET, {}, {"storageGb": 100, "puts": 1e6, "gets": 1e6}, 2.30 + 5.00 + 0.40),
    (t.BUCKET, {}, {"infrequentGb": 100, "monitoredObjects": 1000, "tieredObjects": 1000}, 1.25 + 0.0025 + 0.01),
    (t.BUCKET, {}, {"acceleratedGb": 100}, 4.00),
    (t.TABLE, {}, {"writes": 1e6, "indexWrites": 1e6, "reads": 1e6, "storageGb": 10}, 1.25 + 0.125 + 2.5),
    (t.TABLE, {"pointInTimeRecovery": {"enabled": True}}, {"storageGb": 10}, 2.5 + 2.0),
    (t.BACKUP_VAULT, {}, {"backupGb": 100}, 10.0),
    (t.IMAGE_REPOSITORY, {}, {"imageGb": 5}, 0.50),
    (t.ATHENA_WORKGROUP, {}, {"scannedTb": 0.1}, 0.50),
    (t.QUEUE, {}, {"messages": 1e6, "batches": 5e5}, 1.00),
    (t.EVENT_SOURCE_MAPPING, {"eventSourceArn": "arn:aws:sqs:r:1:q"}, {}, 5 * 131_400 * 0.0000004),
    (t.EVENT_SOURCE_MAPPING, {"eventSourceArn": "arn:aws:dynamodb:r:1:table/t/stream/s"}, {}, 0),
    (t.TOPIC, {}, {"published": 1e6, "emails": 1e5}, 0.50 + 2.00),
    (t.EVENT_ARCHIVE, {}, {"archivedGb": 1, "archiveGb": 10}, 0.10 + 0.23),
    (t.SCHEDULE, {"scheduleExpression": "rate(1 minute)"}, {}, 43_800 * 0.000001),
    (t.AGENT_MEMORY, {}, {"memoryEvents": 1000, "memoryRecords": 1000, "memoryRetrievals": 1000}, 0.25 + 0.75 + 0.50),
    (t.WORKFLOW, {}, {"transitions": 1000}, 0.025),
    (t.WORKFLOW, {"type": "EXPRESS"}, {"executions": 1e6, "expressGbSeconds": 1e6}, 1.00 + 16.67),
    (t.GLUE_JOB, {"workerType": "G.1X", "numberOfWorkers": 5}, {"runs": 60, "minutes": 10}, 50 * 0.44),
    (t.GLUE_JOB, {"workerType": "G.2X", "numberOfWorkers": 5}, {"runs": 60, "minutes": 10}, 100 * 0.44),
    (
        t.GLUE_JOB,
        {"workerType": "G.1X", "numberOfWorkers": 5, "executionClass": "FLEX"},
        {"runs": 60, "minutes": 10},
        50 * 0.29,
    ),
    (
        t.BATCH_JOB,
        {"containerProperties": json.dumps(CONTAINER)},
        {"spotHours": 100},
        100 * (0.01031 + 2 * 0.001133 + 0.005),
    ),
    (
        t.BATCH_JOB,
        {"containerProperties": json.dumps(CONTAINER)},
        {"spotHours": 0, "onDemandHours": 100},
        100 * (0.03238 + 2 * 0.00356 + 0.005),
    ),
    (
        t.BATCH_JOB,
        {"containerProperties": json.dumps({"resourceRequirements": CONTAINER["resourceRequirements"]})},
        {"spotHours": 0, "onDemandHours": 100},
        100 * (0.04048 + 2 * 0.004445),
    ),
    (
        t.BATCH_JOB,
        {"containerProperties": json.dumps({"ephemeralStorage": {"sizeInGiB": 40}})},
        {"spotHours": 100, "onDemandHours": 10},
        110 * 20 * 0.000111,
    ),
    (t.FUNCTION, {**ARM, "ephemeralStorage": {"size": 1536}}, CALLS, 0.20 + 100_000 * (0.0000133334 + 0.0000000309)),
    (t.REST_STAGE, {}, {}, 0),
    (t.BATCH_ENVIRONMENT, {"computeResources": {"type": "FARGATE", "maxVcpus": 8}}, {}, 0),
    (t.MEDIACONVERT_QUEUE, {"pricingPlan": "ON_DEMAND"}, {}, 0),
    (t.LOG_GROUP, {"retentionInDays": 90}, {"logGb": 10}, 5.0 + 0.9),
    (t.LOG_GROUP, {}, {"logGb": 1}, 0.50 + 0.03 * 3650 / 30),
    (t.ALARM, {"period": 300}, {}, 0.10),
    (t.ALARM, {"period": 10}, {}, 0.30),
    (
        t.ALARM,
        {"metricQueries": [{"metric": {"metricName": "A"}}, {"metric": {"metricName": "B"}}, {"expression": "a/b"}]},
        {},
        0.20,
    ),
    (t.COMPOSITE_ALARM, {}, {}, 0.50),
    (t.DASHBOARD, {}, {}, 3.00),
    (t.METRIC_FILTER, {}, {}, 0.30),
    (t.KMS_KEY, {}, {}, 1.00),
    (t.SECRET, {}, {}, 0.40),
    (t.SSM_PARAMETER, {}, {}, 0),
    (t.SSM_PARAMETER, {"tier": "Advanced"}, {}, 0.05),
    (t.VPC_ENDPOINT, {}, {}, 0),
    (t.VPC_ENDPOINT, {"vpcEndpointType": "Interface", "subnetIds": [None, None]}, {"endpointGb": 10}, 14.60 + 0.10),
]
"""Resource type, properties, monthly usage, and expected dollars a month."""


def test_detailed_metrics_are_billed_for_each_route_of_the_block() -> None:
    routes = [
        PricedResource(t.API_V2_ROUTE, key, "block", "sub", {"routeKey": key}) for key in ("$connect", "$default")
    ]
    route_of_other_block = PricedResource(t.API_V2_ROUTE, "say", "another", "sub", {"routeKey": "say"})
    stage = {"defaultRouteSettings": {"detailedMetricsEnabled": True}}
    assert price(t.API_V2_STAGE, stage, {}, *routes, route_of_other_block).total == pytest.approx(2 * 5 * 0.30)


def test_a_metric_with_several_filters_of_a_block_is_billed_once() -> None:
    def filter_for_metric(name: str) -> dict[str, Any]:
        return {"metricTransformation": {"namespace": "ours", "name": name}}

    def cost_of_filters(*other_filters: Mapping[str, Any]) -> float:
        siblings = [
            PricedResource(t.METRIC_FILTER, f"other {number}", "block", "sub", props)
            for number, props in enumerate(other_filters)
        ]
        return price(t.METRIC_FILTER, filter_for_metric("a"), {}, *siblings).sum_by("price")["metric"]

    assert cost_of_filters(filter_for_metric("a")) == pytest.approx(0.30)
    assert cost_of_filters(filter_for_metric("a"), filter_for_metric("b")) == pytest.approx(2 * 0.30)
    assert cost_of_filters({}, {"metricTransformation": None}) == pytest.approx(3 * 0.30), (
        "without a metric name, the filters are counted separately"
    )


def test_metrics_by_method_are_billed_for_each_named_method_of_the_block() -> None:
    document: dict[str, Any] = {
        "paths": {"/": {"x-amazon-apigateway-any-method": {}}, "/notes": {"get": {}, "options": {}}}
    }
    api = PricedResource(t.REST_API, "api", "block", "sub", {"body": json.dumps(document)})
    method = PricedResource(t.REST_METHOD, "other", "block", "sub", {"httpMethod": "PUT"})
    method_of_other_block = PricedResource(t.REST_METHOD, "another", "another", "sub", {"httpMethod": "PUT"})
    settings = {"settings": {"metricsEnabled": True}}
    assert price(t.REST_METHOD_SETTINGS, settings, {}, api, method, method_of_other_block).total == pytest.approx(
        3 * 5 * 0.30
    )
    assert price(t.REST_METHOD_SETTINGS, settings, {}).total == 0
    assert price(t.REST_METHOD_SETTINGS, {"settings": {}}, {}, api).total == 0


@pytest.mark.parametrize(("kind", "props", "usage", "usd"), CASES)
def test_a_resource_has_the_expected_cost(
    kind: str, props: Mapping[str, Any], usage: Mapping[str, float], usd: float
) -> None:
    report = price(kind, props, usage)
    assert report.total == pytest.approx(usd, abs=1e-9)
    assert report.problems == ()
    assert not any("no price" in gap for gap in report.gaps)


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_provisioned_concurrency_is_billed_by_the_hour_and_has_its_own_price_for_runs(architecture: str) -> None:
    function = PricedResource(t.FUNCTION, "f", "block", "sub", {"memorySize": 1024, "architectures": [architecture]})
    report = price(t.PROVISIONED_CONCURRENCY, {"provisionedConcurrentExecutions": 1}, CALLS, function)
    by_price = report.sum_by("price")
    kind = "arm64" if architecture == "arm64" else "x86"
    assert by_price[f"lambda_provisioned_gb_second_{kind}"] == pytest.approx(
        2_628_000 * load_prices()[f"lambda_provisioned_gb_second_{kind}"].usd
    )
    assert f"lambda_provisioned_running_gb_second_{kind}" in by_price
    assert f"lambda_gb_second_{kind}" not in by_price


@pytest.mark.parametrize(
    ("kind", "props", "feature"),
    [
        (t.REST_STAGE, {"cacheClusterEnabled": True, "cacheClusterSize": "0.5"}, "a cache cluster of 0.5 GB"),
        (t.BATCH_ENVIRONMENT, {"computeResources": {"type": "EC2", "minVcpus": 16}}, "machines of 16 vCPUs"),
        (t.MEDIACONVERT_QUEUE, {"pricingPlan": "RESERVED"}, "reserved slots, which are billed for a year"),
    ],
)
def test_a_billable_feature_without_a_price_is_a_gap(kind: str, props: Mapping[str, Any], feature: str) -> None:
    [gap] = price(kind, props, {}).gaps
    assert gap.startswith(f"sample has {feature}")


def test_every_price_rule_has_a_case() -> None:
    assert set(PRICE_RULES) - {case[0] for case in CASES} == {t.PROVISIONED_CONCURRENCY}


def test_every_used_price_is_in_the_book_and_every_price_is_used() -> None:
    used = {line.price for kind, props, usage, _ in CASES for line in price(kind, props, usage).lines}
    used |= {price for price, _ in CALLED_SERVICE_PRICES.values()}
    used |= {f"lambda_provisioned_{part}gb_second_{kind}" for part in ("", "running_") for kind in ("arm64", "x86")}
    other_processor = {f"fargate_spot_{part}_hour_x86" for part in ("vcpu", "gb")}
    assert used <= load_prices().keys()
    assert load_prices().keys() - used == other_processor


@pytest.mark.parametrize(
    ("expression", "runs"),
    [
        ("rate(5 minutes)", 8760),
        ("rate(1 day)", 730 / 24),
        ("cron(0 3 * * ? *)", 730 / 24),
        ("cron(0/15 * * * ? *)", 4 * 730),
        ("cron(0 8 ? * MON-FRI *)", 730 / 24 * 5 / 7),
        ("cron(0 8-17 ? * 2-6 *)", 10 * 730 / 24 * 5 / 7),
        ("cron(0 22-1 ? * FRI-MON,wed *)", 4 * 730 / 24 * 5 / 7),
        ("cron(0 8 1-15 * ? *)", 730 / 24 / 2),
        ("at(2026-11-20T12:00:00)", 0),
    ],
)
def test_the_runs_of_a_schedule_are_computed_from_its_expression(expression: str, runs: float) -> None:
    assert count_runs_per_month(expression) == pytest.approx(runs)
