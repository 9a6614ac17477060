"""Quotas on a file's path through ingestion: the share that a load uses, the limit, and how to raise the limit.

A load is a number of files, per day and in the busiest hour. Nothing is measured. Rates and times come from the usage
model that also computes the cost. Figures that it lacks are constants in this module, marked as assumed.

The manifest builder, a Lambda function, records each arriving file as pending in the file table. It then claims
(reserves) pending files for a manifest, which is a list of files for a single Glue run. The table's index `open` has an
entry for each pending or claimed file. The pending files are in OPEN_SHARDS partitions of the index, and the claimed
files in as many others. The quotas of DynamoDB apply to the table and to each partition.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from components.blocks.states import Retry, max_pauses
from components.ingestion.cost import (
    INDEX_WRITES_PER_FILE,
    OBJECTS_PER_RUN,
    TRANSITIONS_PER_RUN,
    WRITES_PER_FILE,
    monthly_usage,
)
from components.ingestion.workflow import START_RETRIER
from components.settings import IngestionSettings
from components.settings.ingestion import WorkerType
from components.usage_formulas import DAYS_PER_MONTH
from handlers.ingestion.environment_bases import OPEN_SHARDS

DAY = 86_400
"""Seconds of a day."""
INDEX_STATES = 2
"""Number of states of a file in the index `open`: first pending, then claimed. The partitions of each state get half of
the writes."""
ENTRY_BYTES = 300
"""Assumed: the size of one entry of the index `open`."""
READ_UNIT_BYTES = 8 * 1024
"""Bytes that one read unit of DynamoDB reads: two eventually consistent reads of 4 KB."""
MIN_QUERY_UNITS = 0.5
"""Read units of the smallest query."""
GETS_PER_FILE = 2
"""Number of reads of each file: the Spark job makes two passes."""
DPUS = {WorkerType.G_1X: 1, WorkerType.G_2X: 2, WorkerType.G_4X: 4}
"""Glue's data processing units per worker."""
MAX_FACTOR = 10_000_000
"""Largest multiple of the load that is tried. A quota that this multiple does not use up counts as unlimited."""

# Origins of the limits, as `make headroom` prints them.
NOT_VERIFIED = "AWS quotas page, not verified"
VERIFIED = "AWS quotas page, verified"
REQUIREMENT = "requirement, System Utilization"
SETTING = "setting"
WORKFLOW = "retries of the workflow"


@dataclass(frozen=True)
class AccountQuotas:
    """Quotas of an account in us-east-1 that Service Quotas can raise."""

    glue_runs: float = 50
    """Concurrent Glue runs."""
    glue_dpus: float = 300
    """Data processing units of all concurrent Glue runs."""


def scale_load(settings: IngestionSettings, factor: float) -> IngestionSettings:
    """Return the settings with a multiple of their load."""
    load = settings.load
    multiplied = {
        "files_per_day": max(1, round(load.files_per_day * factor)),
        "peak_files_per_hour": max(1, round(load.peak_files_per_hour * factor)),
    }
    return settings.model_copy(update={"load": load.model_copy(update=multiplied)})


class PeakLoad:
    """Busiest hour under a multiple of the load, as rates per second and concurrent numbers."""

    def __init__(self, settings: IngestionSettings, factor: float) -> None:
        load = scale_load(settings, factor).load
        # The usage model computes the usage of a month. In this load, every hour is as busy as the busiest hour, so the
        # average rates of the month are the rates of the busiest hour.
        every_hour_busiest = load.model_copy(update={"files_per_day": load.peak_files_per_hour * 24})
        self._usage = monthly_usage(settings.model_copy(update={"load": every_hour_busiest}))
        run_seconds = load.run_minutes * 60
        query_bytes = settings.manifests.files / OPEN_SHARDS * ENTRY_BYTES
        self.settings = settings
        self.files = load.peak_files_per_hour / 3600
        """Files per second."""
        self.manifests = self.files / settings.files_per_run
        """Manifests per second."""
        self.runs = self.manifests * run_seconds
        """Concurrent Glue runs in the busiest hour."""
        self.day_runs = load.files_per_day / settings.files_per_run / DAY * run_seconds
        """Concurrent Glue runs on average over the day."""
        self.backlog_seconds = self.day_runs * DAY / settings.spark.concurrent_runs
        """Time until the last run has ended if all files of a day arrive at once."""
        self.dpus = self.runs * settings.spark.workers * DPUS[settings.spark.worker_type]
        """Data processing units of the concurrent Glue runs."""
        self.index_reads = (self._rate("ingestion-manifest-builder") + self.manifests) * max(
            MIN_QUERY_UNITS, query_bytes / READ_UNIT_BYTES
        )
        """Read units per second of one partition of the index `open`. The manifest builder queries the index once in
        each invocation, and once more for each new manifest. Each query reads the pending files of one manifest. The
        files are spread evenly over the partitions."""

    def _rate(self, function: str) -> float:
        """Return the number of invocations per second."""
        return self._usage[function]["invocations"] / (DAYS_PER_MONTH * DAY)

    def invocation_seconds(self, function: str) -> float:
        """Return the duration of one invocation in seconds."""
        return self._usage[function]["milliseconds"] / 1000

    def concurrency(self, function: str) -> float:
        """Return the number of concurrent invocations."""
        return self._rate(function) * self.invocation_seconds(function)


@dataclass(frozen=True)
class Quota:
    """A limit on the path of a file."""

    name: str
    unit: str
    """Unit of the limit. Empty for a plain number."""
    limit: float
    source: str
    """Origin of the limit: AWS's quotas page, the requirements or a setting."""
    raised_by: str
    """Setting or Service Quotas request that raises the limit, or the required change of the program. `-` if none is
    given."""
    measure: Callable[[PeakLoad], float]
    """Function that returns the usage under a load, in the unit of the limit."""

    def share(self, settings: IngestionSettings, factor: float) -> float:
        """Return the share of the limit that a multiple of the load uses."""
        return self.measure(PeakLoad(settings, factor)) / self.limit

    def max_factor(self, settings: IngestionSettings) -> float:
        """Return the multiple of the load that uses the whole limit, or infinity if MAX_FACTOR does not."""
        if self.share(settings, MAX_FACTOR) < 1:
            return math.inf
        low, high = 0.0, float(MAX_FACTOR)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.share(settings, middle) < 1 else (low, middle)
        return high


def list_quotas(settings: IngestionSettings, account: AccountQuotas = AccountQuotas()) -> list[Quota]:
    """Return every limit, in the order in which a file meets them."""
    return [*_intake(settings), *_table(), *_runs(settings, account)]


def binding_quotas(settings: IngestionSettings) -> list[tuple[Quota, float]]:
    """Return the quotas that a multiple of the load uses up, with that multiple, the smallest first."""
    factors = [(quota, quota.max_factor(settings)) for quota in list_quotas(settings)]
    return sorted((pair for pair in factors if math.isfinite(pair[1])), key=lambda pair: pair[1])


def exceeded_quotas(
    settings: IngestionSettings, factor: float, account: AccountQuotas = AccountQuotas()
) -> list[Quota]:
    """Return the quotas that a multiple of the load exceeds, the worst first."""
    shares = [(quota, quota.share(settings, factor)) for quota in list_quotas(settings, account)]
    return [quota for quota, share in sorted(shares, key=lambda pair: -pair[1]) if share > 1]


def least_pause_seconds(retrier: Retry) -> float:
    """Return a lower limit of a retrier's total pause. With full jitter, a shorter total has a probability of about 3
    in 10 million.

    Each pause is uniformly distributed between 0 and its maximum, so its average is half the maximum and its variance a
    twelfth of the maximum's square. The limit is five standard deviations below the average of the total.
    """
    pauses = max_pauses(retrier)
    return sum(pause / 2 for pause in pauses) - 5 * math.sqrt(sum(pause**2 / 12 for pause in pauses))


def _intake(settings: IngestionSettings) -> list[Quota]:
    builder, steps, sweeper = "ingestion-manifest-builder", "ingestion-steps", "ingestion-sweeper"
    window = settings.intake.batch_window_seconds
    return [
        Quota("S3 landing PUT, one prefix", "/s", 3_500, NOT_VERIFIED, "spread over more prefixes", lambda load: load.files),
        Quota("SQS messages", "/s", math.inf, f"{REQUIREMENT} says 3,000, which is the limit of FIFO queues", "-", lambda load: load.files),
        Quota(
            "SQS in flight", "", 120_000, NOT_VERIFIED, "support case, or ingestion.intake.batchWindowSeconds",
            lambda load: load.files * (window + load.invocation_seconds(builder)),
        ),
        Quota(
            "Lambda, builders of the queue", "at once", settings.intake.max_concurrency, SETTING,
            "ingestion.intake.maxConcurrency", lambda load: load.concurrency(builder),
        ),
        Quota(
            "Lambda, account", "at once", 1_000, REQUIREMENT, "Service Quotas L-B99A9384",
            lambda load: sum(load.concurrency(function) for function in (builder, steps, sweeper)),
        ),
    ]  # fmt: skip


def _table() -> list[Quota]:
    return [
        Quota(
            "DynamoDB writes, one day's partition", "WCU", 1_000, NOT_VERIFIED, "no setting: date_prefix would need shards",
            lambda load: load.files * WRITES_PER_FILE,
        ),
        Quota(
            "DynamoDB writes, partition of `open`", "WCU", 1_000, NOT_VERIFIED, "no setting: OPEN_SHARDS in the handlers",
            lambda load: load.files * INDEX_WRITES_PER_FILE / INDEX_STATES / OPEN_SHARDS,
        ),
        Quota(
            "DynamoDB reads, partition of `open`", "RCU", 3_000, NOT_VERIFIED, "no setting: OPEN_SHARDS in the handlers",
            lambda load: load.index_reads,
        ),
        Quota(
            "DynamoDB writes, table and index", "WCU", 40_000, REQUIREMENT,
            "Service Quotas: DynamoDB, table-level write throughput",
            lambda load: load.files * (WRITES_PER_FILE + INDEX_WRITES_PER_FILE),
        ),
        Quota(
            "DynamoDB reads, table and index", "RCU", 40_000, NOT_VERIFIED,
            "Service Quotas: DynamoDB, table-level read throughput",
            lambda load: load.index_reads * OPEN_SHARDS,
        ),
    ]  # fmt: skip


def _runs(settings: IngestionSettings, account: AccountQuotas) -> list[Quota]:
    spark = settings.spark
    return [
        Quota(
            "Step Functions StartExecution", "/s", 300, f"{NOT_VERIFIED}; bucket of 1,300",
            "Service Quotas: Step Functions, StartExecution", lambda load: load.manifests,
        ),
        Quota(
            "Step Functions transitions", "/s", 5_000, NOT_VERIFIED,
            "Service Quotas: Step Functions, StateTransition", lambda load: load.manifests * TRANSITIONS_PER_RUN,
        ),
        Quota("Step Functions open executions", "", 1_000_000, NOT_VERIFIED, "support case", lambda load: load.runs),
        Quota(
            "Glue runs of the job, busiest hour", "at once", spark.concurrent_runs, SETTING,
            "ingestion.spark.concurrentRuns", lambda load: load.runs,
        ),
        Quota(
            "Glue runs of the job, whole day", "at once", spark.concurrent_runs, SETTING,
            "ingestion.spark.concurrentRuns", lambda load: load.day_runs,
        ),
        Quota(
            "Wait for a run, a day's files at once", "h", least_pause_seconds(START_RETRIER) / 3600, WORKFLOW,
            "ingestion.spark.concurrentRuns", lambda load: load.backlog_seconds / 3600,
        ),
        Quota(
            "Glue runs of the account", "at once", account.glue_runs, VERIFIED,
            "Service Quotas: Glue, max concurrent job runs per account", lambda load: load.runs,
        ),
        Quota(
            "Glue DPUs of the account", "DPU", account.glue_dpus, f"{NOT_VERIFIED}; newer accounts may have more",
            "Service Quotas: Glue, max task DPUs per account", lambda load: load.dpus,
        ),
        Quota(
            "Glue time of one run", "min", spark.timeout_minutes, SETTING, "ingestion.spark.timeoutMinutes",
            lambda load: load.settings.load.run_minutes,
        ),
        Quota(
            "S3 landing GET, one prefix", "/s", 5_500, NOT_VERIFIED, "spread over more prefixes",
            lambda load: load.files * GETS_PER_FILE,
        ),
        Quota("S3 lake PUT, one prefix", "/s", 3_500, NOT_VERIFIED, "-", lambda load: load.manifests * OBJECTS_PER_RUN),
    ]  # fmt: skip
