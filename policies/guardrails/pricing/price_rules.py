"""Price rules: the prices that apply to a resource, each with the quantity a month. `cost_estimate.py` adds them up.

The program publishes the expected usage by block and measure. A block is a component that contains resources. A measure is
an amount in a month, for example `requests`, or an average: `milliseconds` of a call, `minutes` of a job's run.
`MEASURE_PRICES` lists the measures of a type that are only multiplied by a price. For the types in `QUANTITY_FUNCTIONS`, a
function computes further quantities from the resource's properties.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from guardrails import resource_types as t
from guardrails.subsystem_of_resource import parse_subsystem

HOURS_PER_MONTH: Final = 730
"""Hours of an average month, as in AWS's own calculators."""
SECONDS_PER_MONTH: Final = HOURS_PER_MONTH * 3600
COLD_START_SHARE: Final = 0.01
"""Assumed share of a function's calls that restore its snapshot (SnapStart)."""
DPUS_PER_WORKER: Final = {"G.1X": 1, "G.2X": 2, "G.4X": 4}
"""Data processing units of one Glue worker, by worker type. Glue bills by DPU and hour."""
FREE_DISK_GB: Final = 20
"""Free disk space of every Fargate task. More is billed while the task runs, on Fargate Spot and on demand."""
REQUESTS_PER_MESSAGE: Final = 2
"""Requests for each message of a queue: a send and a delete. The measure `batches` counts the receives, because one
receive gets several messages."""
POLLERS: Final = 5
"""Number of long polls that Lambda keeps open for each queue that it reads (Lambda developer guide, SQS scaling)."""
POLL_SECONDS: Final = 20
"""Duration of one long poll of an empty queue."""
METRICS_PER_METHOD: Final = 5
"""Metrics of one REST method: requests, client errors, server errors, latency and integration latency. A metric is
billed once it has data."""
PRICED_METHODS: Final = frozenset({"delete", "get", "head", "options", "patch", "post", "put"})
"""Keys of the methods in an OpenAPI document whose metrics are priced. API Gateway's key for all other methods of a path
is not one of them: in this program, it only refuses requests, so its metrics have no data."""
DEAD_LETTER_QUEUE_BLOCK: Final = "polyphony:blocks:DeadLetterQueue"
"""Type of the block that contains a dead-letter queue."""
Quantities = Iterator[tuple[str, float]]
"""Pairs of a price's name and the quantity a month, for example `("lambda_request", 2_000_000)`."""


class CannotEstimate(ValueError):
    """The cost cannot be estimated. The message states the reason."""


class PricedResource(NamedTuple):
    """One resource in the estimate, with its known properties only."""

    type: str
    name: str
    block: str
    """Pulumi name of the component that contains the resource. Its usage is published under this name."""
    block_type: str
    props: Mapping[str, Any]

    @property
    def subsystem(self) -> str:
        return parse_subsystem(self.block)


class PricedBlock:
    """Resources of a block, and its published usage. It records which measures the price rules read, so that a measure
    that no rule reads, for example a misspelt one, is found, and also one that is missing.
    """

    def __init__(self, name: str, usage: Mapping[str, float]) -> None:
        self.name = name
        self.resources: list[PricedResource] = []
        self._usage = usage
        self._readers: dict[str, set[str]] = defaultdict(set)
        self.priced_resource = ""
        """Name and type of the resource whose price rule reads measures now."""

    def amount(self, measure: str) -> float:
        """Return the published value of a measure, or zero. `find_usage_errors` reports a missing one, if it is required."""
        self._readers[measure].add(self.priced_resource)
        return self._usage.get(measure, 0)

    def list_props(self, resource_type: str) -> list[Mapping[str, Any]]:
        """Return the properties of all resources of a type."""
        return [resource.props for resource in self.resources if resource.type == resource_type]

    def find_usage_errors(self) -> Iterator[str]:
        """Yield a sentence about each measure that is missing, and about each that no rule has read."""
        if missing := sorted(self._readers.keys() - self._usage.keys() - OPTIONAL_MEASURES):
            readers = sorted({reader for measure in missing for reader in self._readers[measure]})
            yield f"the block {self.name} has no published usage ({', '.join(missing)}) for {', '.join(readers)}"
        for measure in sorted(self._usage.keys() - self._readers.keys()):
            valid = ", ".join(sorted(self._readers)) or "none"
            yield f"no price rule reads {self.name}.{measure}; the measures of {self.name} are {valid}"


CALLED_SERVICES: Final = {
    "transcribeMinutes": "transcribe_batch_minute",
    "transcribeStreamingMinutes": "transcribe_streaming_minute",
    "mediaConvertMinutes": "mediaconvert_minute",  # minutes of output, normalised by resolution and codec
    "sonnetInputTokens": "bedrock_sonnet_input",
    "sonnetOutputTokens": "bedrock_sonnet_output",
    "haikuInputTokens": "bedrock_haiku_input",
    "haikuOutputTokens": "bedrock_haiku_output",
    "customEvents": "events_custom",
    "customMetrics": "metric",  # names times combinations of dimension values
    "metricRequests": "metric_request",
    "traces": "trace",  # after sampling
}
"""Price of each measure of calls to other services. Most of these services have no resource in the stack, so the usage
is published for the calling function or workflow."""
OPTIONAL_MEASURES: Final = frozenset(
    {*CALLED_SERVICES, "infrequentGb", "monitoredObjects", "tieredObjects", "downloadedGb", "acceleratedGb"}
)
"""Measures that a block need not publish, because it may lack the feature. Without the others, there is no estimate."""
MEASURE_PRICES: Final[Mapping[str, Mapping[str, str]]] = {
    t.FUNCTION: {"invocations": "lambda_request", **CALLED_SERVICES},
    t.WORKFLOW: {"transitions": "states_transition", **CALLED_SERVICES},
    t.REST_API: {"requests": "rest_request"},
    t.API_V2: {"messages": "websocket_message", "connectionMinutes": "websocket_connection_minute"},
    t.BUCKET: {
        "storageGb": "s3_storage",
        "puts": "s3_put",  # objects or parts that are put, copied or listed
        "gets": "s3_get",  # objects or ranges
        "infrequentGb": "s3_infrequent_storage",
        "monitoredObjects": "s3_tiering_monitoring",
        "tieredObjects": "s3_tiering_transition",
        "downloadedGb": "data_transfer_out",
        "acceleratedGb": "s3_acceleration",
    },
    t.TABLE: {"reads": "dynamodb_read", "storageGb": "dynamodb_storage"},
    t.BACKUP_VAULT: {"backupGb": "backup_storage"},
    t.ATHENA_WORKGROUP: {"scannedTb": "athena_tb"},
    t.TOPIC: {"published": "sns_publish", "emails": "sns_email"},
    t.EVENT_ARCHIVE: {"archivedGb": "events_archived", "archiveGb": "events_archive_storage"},
    t.AGENT_MEMORY: {"memoryEvents": "memory_event", "memoryRecords": "memory_record"},
    t.LOG_GROUP: {"logGb": "logs_ingested"},
}
"""Price of each measure, by resource type. Stored amounts are averages of the month."""


def _price_function(function: PricedResource, block: PricedBlock) -> Quantities:
    gigabytes = _get_memory_gb(function.props)
    calls = block.amount("invocations")
    # Invocations in provisioned environments have a lower price.
    running = "provisioned_running_" if block.list_props(t.PROVISIONED_CONCURRENCY) else ""
    yield f"lambda_{running}gb_second_arm64", calls * block.amount("milliseconds") / 1000 * gigabytes
    if (function.props.get("snapStart") or {}).get("applyOn") == "PublishedVersions":
        yield "lambda_snapstart_cache_gb_second", gigabytes * SECONDS_PER_MONTH  # for one version
        yield "lambda_snapstart_restore_gb", gigabytes * calls * COLD_START_SHARE


def _get_memory_gb(function: Mapping[str, Any]) -> float:
    return float(function["memorySize"]) / 1024


def _price_provisioned_concurrency(config: PricedResource, block: PricedBlock) -> Quantities:
    [function] = block.list_props(t.FUNCTION)
    environments = float(config.props["provisionedConcurrentExecutions"])
    yield "lambda_provisioned_gb_second_arm64", environments * _get_memory_gb(function) * SECONDS_PER_MONTH


def _price_method_settings(settings: PricedResource, block: PricedBlock) -> Quantities:
    if settings.props["settings"].get("metricsEnabled"):
        paths = [path for api in block.list_props(t.REST_API) for path in json.loads(api["body"])["paths"].values()]
        methods = sum(1 for path in paths for method in path if method in PRICED_METHODS)
        yield "metric", methods * METRICS_PER_METHOD


def _price_table(table: PricedResource, block: PricedBlock) -> Quantities:
    index_writes = block.amount("indexWrites") if table.props.get("globalSecondaryIndexes") else 0
    yield "dynamodb_write", block.amount("writes") + index_writes
    if (table.props.get("pointInTimeRecovery") or {}).get("enabled"):
        yield "dynamodb_point_in_time_recovery", block.amount("storageGb")


def _price_queue(queue: PricedResource, block: PricedBlock) -> Quantities:
    """Yield the requests. No usage is published for a dead-letter queue, because it gets only failed messages."""
    if queue.block_type != DEAD_LETTER_QUEUE_BLOCK:
        yield "sqs_request", block.amount("messages") * REQUESTS_PER_MESSAGE + block.amount("batches")


def _price_event_source(_mapping: PricedResource, _block: PricedBlock) -> Quantities:
    """Yield the requests with which Lambda polls a queue, the only kind of source in the program. They are billed even if
    the queue is empty.
    """
    yield "sqs_request", POLLERS * SECONDS_PER_MONTH / POLL_SECONDS


def _price_schedule(schedule: PricedResource, _: PricedBlock) -> Quantities:
    yield "scheduler_invocation", count_runs_per_month(schedule.props["scheduleExpression"])


def count_runs_per_month(expression: str) -> float:
    """Return the number of runs a month of a schedule: every few minutes, or once a day."""
    if rate := re.fullmatch(r"rate\((\d+) minutes?\)", expression):
        return HOURS_PER_MONTH * 60 / int(rate[1])
    if re.fullmatch(r"cron\(\d+ \d+ \* \* \? \*\)", expression):
        return HOURS_PER_MONTH / 24
    raise CannotEstimate(f"its expression {expression} is neither rate(… minutes) nor a daily cron(…)")


def _price_glue_job(job: PricedResource, block: PricedBlock) -> Quantities:
    price = {"STANDARD": "glue_dpu_hour", "FLEX": "glue_flex_dpu_hour"}[job.props.get("executionClass") or "STANDARD"]
    units = DPUS_PER_WORKER[job.props["workerType"]] * float(job.props["numberOfWorkers"])
    yield price, block.amount("runs") * block.amount("minutes") / 60 * units


def _price_batch_job(job: PricedResource, block: PricedBlock) -> Quantities:
    container = json.loads(job.props["containerProperties"])
    size = {entry["type"]: float(entry["value"]) for entry in container["resourceRequirements"]}
    processor = container["runtimePlatform"]["cpuArchitecture"].lower()
    disk_gb = max(0, container["ephemeralStorage"]["sizeInGiB"] - FREE_DISK_GB)
    for kind, hours in (("fargate_spot", block.amount("spotHours")), ("fargate", block.amount("onDemandHours"))):
        yield f"{kind}_vcpu_hour_{processor}", hours * size["VCPU"]
        yield f"{kind}_gb_hour_{processor}", hours * size["MEMORY"] / 1024
        yield "fargate_disk_gb_hour", hours * disk_gb
        if container["networkConfiguration"]["assignPublicIp"] == "ENABLED":
            yield "public_address_hour", hours


def _price_stored_logs(group: PricedResource, block: PricedBlock) -> Quantities:
    # After the first months, the same amount is deleted and written. So the stored amount is that of the months kept.
    months_kept = float(group.props["retentionInDays"]) / 30
    yield "logs_stored", block.amount("logGb") * months_kept


def _price_metric_filter(metric_filter: PricedResource, block: PricedBlock) -> Quantities:
    """Yield one metric. Several filters of a block can write the same metric, which is billed once, so only the first of
    them yields it.
    """
    filters = [resource for resource in block.resources if resource.type == t.METRIC_FILTER]
    if metric_filter is next(other for other in filters if _get_metric(other) == _get_metric(metric_filter)):
        yield "metric", 1


def _get_metric(metric_filter: PricedResource) -> tuple[str, str]:
    """Return namespace and name of the metric that a filter writes."""
    metric = metric_filter.props["metricTransformation"]
    return metric["namespace"], metric["name"]


def _price_endpoint(endpoint: PricedResource, _: PricedBlock) -> Quantities:
    """Yield the hours of an interface endpoint, in each of its zones. Gateway endpoints are free."""
    if endpoint.props.get("vpcEndpointType", "Gateway") != "Gateway":
        yield "endpoint_hour", HOURS_PER_MONTH * len(endpoint.props["subnetIds"])


QUANTITY_FUNCTIONS: Final[Mapping[str, Callable[[PricedResource, PricedBlock], Quantities]]] = {
    t.FUNCTION: _price_function,
    t.PROVISIONED_CONCURRENCY: _price_provisioned_concurrency,
    t.REST_METHOD_SETTINGS: _price_method_settings,
    t.TABLE: _price_table,
    t.QUEUE: _price_queue,
    t.EVENT_SOURCE_MAPPING: _price_event_source,
    t.SCHEDULE: _price_schedule,
    t.GLUE_JOB: _price_glue_job,
    t.BATCH_JOB: _price_batch_job,
    t.LOG_GROUP: _price_stored_logs,
    t.ALARM: lambda _resource, _block: iter([("alarm", 1)]),
    t.METRIC_FILTER: _price_metric_filter,
    t.DASHBOARD: lambda _resource, _block: iter([("dashboard", 1)]),
    t.VPC_ENDPOINT: _price_endpoint,
}
"""Functions that yield the quantities of one resource that need its properties, by resource type."""
PRICED_TYPES: Final = frozenset({*MEASURE_PRICES, *QUANTITY_FUNCTIONS})
PRICED_VALUES: Final[Mapping[str, Mapping[str, Sequence[object]]]] = {
    t.FUNCTION: {"architectures": [["arm64"]], "ephemeralStorage.size": [None, 512]},
    t.API_V2: {"protocolType": ["WEBSOCKET"]},
    t.API_V2_STAGE: {"defaultRouteSettings.detailedMetricsEnabled": [None, False]},
    t.REST_STAGE: {"cacheClusterEnabled": [None, False]},
    t.WORKFLOW: {"type": [None, "STANDARD"]},
    t.BATCH_ENVIRONMENT: {"computeResources.type": ["FARGATE", "FARGATE_SPOT"]},
    t.SSM_PARAMETER: {"tier": [None, "Standard"]},
    t.ALARM: {"metricQueries": [None]},
}
"""All values of a property for which the price rules are right, by resource type. None means that the property is absent.
A resource with another value is listed as unpriced."""


def find_unpriced_value(resource: PricedResource) -> str:
    """Return the first property whose value has no price, with the value, as the end of a message; empty if all have one."""
    for path, priced_values in PRICED_VALUES.get(resource.type, {}).items():
        value: Any = resource.props
        for key in path.split("."):
            value = (value or {}).get(key)
        if value not in priced_values:
            return f" with {path} {value}"
    return ""


def list_quantities(resource: PricedResource, block: PricedBlock) -> Quantities:
    """Yield the quantity of each price that applies to a resource: none if its type has no price rule."""
    block.priced_resource = f"{resource.name} ({resource.type})"
    for measure, price in MEASURE_PRICES.get(resource.type, {}).items():
        yield price, block.amount(measure)
    if resource.type in QUANTITY_FUNCTIONS:
        yield from QUANTITY_FUNCTIONS[resource.type](resource, block)
