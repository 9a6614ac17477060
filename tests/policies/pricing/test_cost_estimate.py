"""Tests of the estimate of a stack's monthly cost: amounts computed by hand, and missing data, which is never counted as
zero.
"""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from pulumi_policy.proxy import UNKNOWN_NUMBER_VALUE, UNKNOWN_STRING_VALUE, unknown_checking_proxy

from guardrails import resource_types as t
from guardrails.pricing.checked_stack_estimate import estimate_stack, select_known
from guardrails.pricing.cost_estimate import CannotEstimate, CostReport, PricedResource, estimate_cost
from guardrails.pricing.price_rules import (
    DEAD_LETTER_QUEUE_BLOCK,
    MEASURE_PRICES,
    QUANTITY_FUNCTIONS,
    count_runs_per_month,
)
from guardrails.pricing.prices import FILE, Evidence, load_prices
from guardrails.records import CheckedResource, CheckedStack
from guardrails.stack_configuration import StackContext
from tests.policies.program import TODAY

BLOCK_TYPE = "polyphony:blocks:Sample"
Case = tuple[str, Mapping[str, Any], Mapping[str, float], float]


def sample(kind: str, props: Mapping[str, Any], name: str = "sample", block: str = "a-block") -> PricedResource:
    return PricedResource(kind, name, block, BLOCK_TYPE, props)


def price(usage: Mapping[str, float], *resources: PricedResource) -> CostReport:
    """Return the cost of resources of one block."""
    return estimate_cost(resources, {"a-block": usage} if usage else {})


ARM = {"memorySize": 1024, "architectures": ["arm64"]}
SNAP_START = {**ARM, "snapStart": {"applyOn": "PublishedVersions"}}
DETAILED, DETAILED_METRICS = {"detailedMetricsEnabled": True}, "defaultRouteSettings.detailedMetricsEnabled"
CALLS = {"invocations": 1_000_000, "milliseconds": 100}
FILTER = {"metricTransformation": {"namespace": "ours", "name": "a"}}
GLUE = {"workerType": "G.2X", "numberOfWorkers": 5}
RUNS = {"runs": 60, "minutes": 10}
HOURS = {"spotHours": 100, "onDemandHours": 10}
OPERATIONS: dict[str, Any] = {
    "paths": {"/": {"x-amazon-apigateway-any-method": {}}, "/notes": {"get": {}, "options": {}}}
}
TABLE_USAGE = {"writes": 1e6, "reads": 1e6, "storageGb": 10}


def container(processor: str = "ARM64", disk_gib: int = 20, public_ip: str = "DISABLED") -> dict[str, str]:
    """Return the properties of a Batch job with one vCPU and 2 GB."""
    properties = {
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
        "runtimePlatform": {"cpuArchitecture": processor},
        "ephemeralStorage": {"sizeInGiB": disk_gib},
        "networkConfiguration": {"assignPublicIp": public_ip},
    }
    return {"containerProperties": json.dumps(properties)}


JOB_USD = 100 * (0.01031 + 2 * 0.001133) + 10 * (0.03238 + 2 * 0.00356)
CASES: list[Case] = [
    (t.FUNCTION, ARM, CALLS, 0.20 + 100_000 * 0.0000133334),
    (t.FUNCTION, SNAP_START, {**CALLS, "milliseconds": 0}, 0.20 + 2_628_000 * 0.0000015046 + 10_000 * 0.0001397998),
    (t.FUNCTION, ARM, {"invocations": 0, "milliseconds": 0, "haikuOutputTokens": 1e6}, 0.55),
    (t.API_V2, {"protocolType": "WEBSOCKET"}, {"messages": 1e6, "connectionMinutes": 4e6}, 2.00),
    (t.TABLE, {}, TABLE_USAGE, 0.625 + 0.125 + 2.5),
    (t.TABLE, {"globalSecondaryIndexes": [{}]}, {**TABLE_USAGE, "indexWrites": 2e6}, 3 * 0.625 + 0.125 + 2.5),
    (t.TABLE, {"pointInTimeRecovery": {"enabled": True}}, TABLE_USAGE, 0.625 + 0.125 + 2.5 + 2.0),
    (t.QUEUE, {}, {"messages": 1e6, "batches": 5e5}, 1.00),
    (t.EVENT_SOURCE_MAPPING, {}, {}, 5 * 131_400 * 0.0000004),
    (t.SCHEDULE, {"scheduleExpression": "rate(1 minute)"}, {}, 43_800 * 0.000001),
    (t.GLUE_JOB, {**GLUE, "workerType": "G.1X"}, RUNS, 50 * 0.44),
    (t.GLUE_JOB, {**GLUE, "executionClass": "STANDARD"}, RUNS, 100 * 0.44),
    (t.GLUE_JOB, {**GLUE, "executionClass": "FLEX"}, RUNS, 100 * 0.29),
    (t.BATCH_JOB, container(), HOURS, JOB_USD),
    (t.BATCH_JOB, container(disk_gib=40), HOURS, JOB_USD + 110 * 20 * 0.000111),
    (t.BATCH_JOB, container(public_ip="ENABLED"), HOURS, JOB_USD + 110 * 0.005),
    (t.LOG_GROUP, {"retentionInDays": 90}, {"logGb": 10}, 5.0 + 0.9),
    (t.ALARM, {}, {}, 0.10),
    (t.METRIC_FILTER, FILTER, {}, 0.30),
    (t.DASHBOARD, {}, {}, 3.00),
    (t.VPC_ENDPOINT, {}, {}, 0),
    (t.VPC_ENDPOINT, {"vpcEndpointType": "Interface", "subnetIds": [None, None]}, {}, 14.60),
]
"""Resource type, properties, monthly usage of the block, and expected dollars a month."""


@pytest.mark.parametrize(("kind", "props", "usage", "usd"), CASES)
def test_a_resource_has_the_expected_cost(
    kind: str, props: Mapping[str, Any], usage: Mapping[str, float], usd: float
) -> None:
    report = price(usage, sample(kind, props))
    assert report.total == pytest.approx(usd, abs=1e-9)
    assert report.unpriced == ()


def test_every_price_function_has_a_case() -> None:
    tested_with_other_resources = {t.PROVISIONED_CONCURRENCY, t.REST_METHOD_SETTINGS}
    assert QUANTITY_FUNCTIONS.keys() - {case[0] for case in CASES} == tested_with_other_resources


def test_provisioned_concurrency_is_billed_by_the_hour_and_has_its_own_price_for_runs() -> None:
    config = sample(t.PROVISIONED_CONCURRENCY, {"provisionedConcurrentExecutions": 2})
    assert price(CALLS, sample(t.FUNCTION, ARM), config).sum_by("price") == pytest.approx(
        {
            "lambda_provisioned_gb_second_arm64": 2 * 2_628_000 * 0.0000033334,
            "lambda_provisioned_running_gb_second_arm64": 100_000 * 0.0000077778,
            "lambda_request": 0.20,
        }
    )


@pytest.mark.parametrize(("enabled", "usd"), [(True, 2 * 5 * 0.30), (False, 0)])
def test_metrics_by_method_are_billed_for_each_named_method(enabled: bool, usd: float) -> None:
    api = sample(t.REST_API, {"body": json.dumps(OPERATIONS)})
    settings = sample(t.REST_METHOD_SETTINGS, {"settings": {"metricsEnabled": enabled}})
    assert price({"requests": 0}, api, settings).total == pytest.approx(usd)


def test_a_metric_with_several_filters_of_a_block_is_billed_once() -> None:
    other = {"metricTransformation": {"namespace": "ours", "name": "b"}}
    filters = [sample(t.METRIC_FILTER, props, f"f{number}") for number, props in enumerate((FILTER, FILTER, other))]
    assert price({}, *filters).total == pytest.approx(2 * 0.30)


def test_every_measure_has_a_price_and_every_price_is_used() -> None:
    priced = {name for prices in MEASURE_PRICES.values() for name in prices.values()}
    assert priced <= load_prices().keys()
    billed = {line.price for kind, props, usage, _ in CASES for line in price(usage, sample(kind, props)).lines}
    assert {name for name in load_prices().keys() - priced - billed if "cache" not in name} == {
        "lambda_provisioned_gb_second_arm64",
        "lambda_provisioned_running_gb_second_arm64",
    }, "only `compare_models` reads the cache prices of models, and another test has provisioned concurrency"


def test_every_price_says_whether_aws_or_another_source_states_it() -> None:
    tables = tomllib.loads(FILE.read_text(encoding="utf-8")).values()
    prices = {name: price for table in tables for name, price in table.items() if isinstance(price, dict)}
    assert [name for name, price in prices.items() if price.get("evidence") not in set(Evidence)] == []


@pytest.mark.parametrize(
    ("expression", "runs"), [("rate(1 minute)", 43_800), ("rate(5 minutes)", 8760), ("cron(0 3 * * ? *)", 730 / 24)]
)
def test_the_runs_of_a_schedule_are_computed_from_its_expression(expression: str, runs: float) -> None:
    assert count_runs_per_month(expression) == pytest.approx(runs)


@pytest.mark.parametrize(
    ("resource", "usage", "error"),
    [
        (
            sample(t.TABLE, {"globalSecondaryIndexes": [{}]}),
            {"a-block": {"writes": 1}},
            "the block a-block has no published usage (indexWrites, reads, storageGb) for sample (aws:dynamodb/table:Table)",
        ),
        (
            sample(t.REST_API, {}),
            {"a-block": {"requests": 1, "request": 1}},
            "no price rule reads a-block.request; the measures of a-block are requests",
        ),
        (
            sample(t.DASHBOARD, {}),
            {"nobody": {"writes": 1}},
            "usage is published for nobody, but the stack has no block of this name",
        ),
        (
            sample(t.SCHEDULE, {"scheduleExpression": "cron(0/15 * * * ? *)"}),
            {},
            "sample cannot be priced: its expression cron(0/15 * * * ? *) is neither rate(… minutes) nor a daily cron(…)",
        ),
        (
            sample(t.GLUE_JOB, {**GLUE, "workerType": "G.8X"}),
            {"a-block": RUNS},
            "sample cannot be priced: there is no 'G.8X'",
        ),
        (
            sample(t.BATCH_JOB, container("X86_64")),
            {"a-block": HOURS},
            "sample cannot be priced: there is no 'fargate_spot_vcpu_hour_x86_64'",
        ),
    ],
)
def test_data_that_does_not_match_is_an_error_that_names_it(
    resource: PricedResource, usage: Mapping[str, Mapping[str, float]], error: str
) -> None:
    other = sample(t.REST_API, {}, block="b")
    with pytest.raises(CannotEstimate) as caught:
        estimate_cost([resource, other], usage)
    other_error = f"the block b has no published usage (requests) for sample ({t.REST_API})"
    assert {error, other_error} <= set(str(caught.value).splitlines())


def test_a_dead_letter_queue_needs_no_usage() -> None:
    queue = PricedResource(t.QUEUE, "a-failed-queue", "a-failed", DEAD_LETTER_QUEUE_BLOCK, {})
    assert estimate_cost([queue], {}) == CostReport(())


NO_USAGE: Mapping[str, float] = {}
UNPRICED = [
    ("aws:lex/bot:Bot", {}, NO_USAGE, ""),
    ("aws-native:ec2:Instance", {}, NO_USAGE, ""),
    ("confluentcloud:index/kafkaCluster:KafkaCluster", {}, NO_USAGE, ""),
    (t.FUNCTION, {**ARM, "architectures": ["x86_64"]}, CALLS, " with architectures ['x86_64']"),
    (t.FUNCTION, {**ARM, "ephemeralStorage": {"size": 1024}}, CALLS, " with ephemeralStorage.size 1024"),
    (t.API_V2, {"protocolType": "HTTP"}, {"messages": 1, "connectionMinutes": 1}, " with protocolType HTTP"),
    (t.API_V2_STAGE, {"defaultRouteSettings": DETAILED}, NO_USAGE, f" with {DETAILED_METRICS} True"),
    (t.REST_STAGE, {"cacheClusterEnabled": True}, NO_USAGE, " with cacheClusterEnabled True"),
    (t.WORKFLOW, {"type": "EXPRESS"}, {"transitions": 1}, " with type EXPRESS"),
    (t.BATCH_ENVIRONMENT, {"computeResources": {"type": "EC2"}}, NO_USAGE, " with computeResources.type EC2"),
    (t.SSM_PARAMETER, {"tier": "Advanced"}, NO_USAGE, " with tier Advanced"),
    (t.ALARM, {"metricQueries": []}, NO_USAGE, " with metricQueries []"),
]


@pytest.mark.parametrize(("kind", "props", "usage", "feature"), UNPRICED)
def test_a_type_or_feature_without_a_price_is_listed_as_unpriced(
    kind: str, props: Mapping[str, Any], usage: Mapping[str, float], feature: str
) -> None:
    assert price(usage, sample(kind, props)).unpriced == (f"sample ({kind}{feature})",)


@pytest.mark.parametrize(
    ("kind", "props"),
    [
        ("polyphony:blocks:Table", {}),
        ("pulumi:providers:aws", {}),
        (t.ROLE, {}),
        (t.REST_STAGE, {}),
        (t.API_V2_STAGE, {"defaultRouteSettings": {"detailedMetricsEnabled": False}}),
        (t.BATCH_ENVIRONMENT, {"computeResources": {"type": "FARGATE_SPOT"}}),
        (t.SSM_PARAMETER, {}),
    ],
)
def test_components_and_free_types_cost_nothing(kind: str, props: Mapping[str, Any]) -> None:
    assert price({}, sample(kind, props)) == CostReport(())


def test_sums_by_attribute_are_sorted_by_cost() -> None:
    table, dashboard = sample(t.TABLE, {}), sample(t.DASHBOARD, {}, block="b-overview")
    report = estimate_cost([table, dashboard], {"a-block": {**TABLE_USAGE, "reads": 0, "storageGb": 0}})
    assert list(report.sum_by("subsystem").items()) == [("b", 3.0), ("a", 0.625)]
    assert list(report.sum_by("service").items()) == [("Amazon CloudWatch", 3.0), ("Amazon DynamoDB", 0.625)]
    assert report.describe_largest() == "b-overview $3.00, a-block $0.62"


def test_a_free_amount_is_subtracted_once_and_divided_among_blocks_by_quantity() -> None:
    queues = [sample(t.QUEUE, {}, block=block) for block in ("a-one", "a-two")]
    usage = {"a-one": {"messages": 1_000_000, "batches": 0}, "a-two": {"messages": 500_000, "batches": 0}}
    # Each message costs two requests, a send and a delete. A million requests are free.
    assert estimate_cost(queues, usage).total == pytest.approx(3_000_000 * 0.0000004)
    reduced = estimate_cost(queues, usage, free_tiers=True).sum_by("block")
    assert reduced == pytest.approx({"a-one": 2 / 3 * 0.8, "a-two": 1 / 3 * 0.8})


def test_the_pack_estimates_without_the_unknown_properties() -> None:
    context = StackContext("prod", "prod", (), TODAY)
    unknown = {"timeout": UNKNOWN_NUMBER_VALUE, "layers": [UNKNOWN_STRING_VALUE, "b"]}
    props = unknown_checking_proxy({**ARM, **unknown})
    assert select_known(props) == {**ARM, "layers": [None, "b"]}
    block = CheckedResource("u0", BLOCK_TYPE, "a-f", {}, context)
    function = CheckedResource("u1", t.FUNCTION, "a-f-function", props, context, parent=block)
    platform = CheckedResource("u2", t.PLATFORM, "platform", {"usage": {"a-f": CALLS}}, context)
    report = estimate_stack(CheckedStack((block, function, platform), context), platform)
    assert report.sum_by("block") == {"a-f": pytest.approx(0.20 + 100_000 * 0.0000133334)}
