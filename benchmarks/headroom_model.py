"""How far ingestion's load can grow: every quota on its path, where its limit comes from, and which binds first.

Pure. Every limit names its source, and the setting or the request that raises it.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.headroom_load import DAY, GETS_PER_FILE, Load
from components.ingestion.usage import OBJECTS_PER_RUN, TRANSITIONS_PER_RUN, WRITES_PER_FILE
from components.settings import IngestionSettings
from handlers.ingestion.environment import OPEN_SHARDS, SweeperEnvironment

MEMORY = "AWS quotas page, from memory"
FACTS = "project's facts (looked up)"
DOCUMENT = "requirement, System Utilization"
SETTING = "setting"


@dataclass(frozen=True)
class Account:
    """What an account allows in us-east-1 before anybody asks for more."""

    in_flight: float = 120_000
    lambda_concurrency: float = 1_000
    table_units: float = 40_000
    start_rate: float = 300
    transition_rate: float = 5_000
    open_executions: float = 1_000_000
    glue_runs: float = 50
    glue_dpus: float = 300


@dataclass(frozen=True)
class Quota:
    """One limit on the path."""

    name: str
    unit: str
    limit: float
    source: str
    lift: str
    """What raises it: a setting's key, a Service Quotas request, or what would have to be built."""
    measure: Callable[[Load], float]
    grows: bool = True
    """Whether more load uses more of it."""

    def use(self, settings: IngestionSettings, factor: float) -> float:
        """What a load uses, in the quota's unit."""
        return self.measure(Load(settings, factor))

    def share(self, settings: IngestionSettings, factor: float) -> float:
        """The same as a share of the limit; 0 where there is no limit."""
        return self.use(settings, factor) / self.limit


@dataclass(frozen=True)
class Bound:
    """A quota, and the multiple of the load at which it is used up."""

    quota: Quota
    factor: float


def quotas(settings: IngestionSettings, account: Account = Account()) -> list[Quota]:
    """Every limit on the path, in the order a file meets them."""
    return [*_intake(settings, account), *_table(account), *_runs(settings, account)]


def bounds(settings: IngestionSettings, account: Account = Account()) -> list[Bound]:
    """Where each quota that load can use up is used up, the first one first."""
    found = [Bound(one, _crossing(one, settings)) for one in quotas(settings, account) if one.grows]
    return sorted((one for one in found if math.isfinite(one.factor)), key=lambda one: one.factor)


def binding(all_quotas: Iterable[Quota], settings: IngestionSettings, factor: float) -> list[Quota]:
    """Those that a load uses more of than there is, the worst first."""
    over = [one for one in all_quotas if one.share(settings, factor) > 1]
    return sorted(over, key=lambda one: -one.share(settings, factor))


def _crossing(quota: Quota, settings: IngestionSettings) -> float:
    if math.isinf(quota.limit):
        return math.inf
    low, high = 0.0, 1.0
    while quota.share(settings, high) < 1:
        low, high = high, high * 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if quota.share(settings, middle) < 1 else (low, middle)
    return high


def _intake(settings: IngestionSettings, account: Account) -> list[Quota]:
    builder, steps = "ingestion-manifest-builder", "ingestion-steps"
    window = settings.intake.batch_window_seconds
    walk = DAY * SweeperEnvironment.model_fields["reconcile_seconds"].default / (settings.manifests.sweep_minutes * 60)
    return [
        Quota("S3 landing PUT, one prefix", "/s", 3_500, MEMORY, "spread over more prefixes", lambda load: load.files),
        Quota("SQS messages", "/s", math.inf, DOCUMENT + " says 3,000, which is FIFO's", "-", lambda load: load.files),
        Quota(
            "SQS in flight", "", account.in_flight, MEMORY, "support case; or ingestion.intake.batchWindowSeconds",
            lambda load: load.files * (window + load.seconds(builder)),
        ),
        Quota(
            "Lambda, builders of the queue", "at once", settings.intake.max_concurrency, SETTING,
            "ingestion.intake.maxConcurrency", lambda load: load.concurrent(builder),
        ),
        Quota(
            "Lambda, account", "at once", account.lambda_concurrency, DOCUMENT, "Service Quotas L-B99A9384",
            lambda load: load.concurrent(builder) + load.concurrent(steps) + load.concurrent("ingestion-sweeper"),
        ),
        Quota(
            "Sweeper's daily comparison", "s/day", walk, SETTING, "ingestion.manifests.sweepMinutes, ingestion.intake.landingDays",
            lambda load: load.listing,
        ),
    ]  # fmt: skip


def _table(account: Account) -> list[Quota]:
    return [
        Quota(
            "DynamoDB writes, one day's partition", "WCU", 1_000, MEMORY, "no setting: date_prefix would need shards",
            lambda load: load.files * WRITES_PER_FILE,
        ),
        Quota(
            "DynamoDB writes, partition of `open`", "WCU", 1_000, MEMORY, "no setting: OPEN_SHARDS in the handlers",
            lambda load: load.index_writes,
        ),
        Quota(
            "DynamoDB reads, partition of `open`", "RCU", 3_000, MEMORY, "no setting: OPEN_SHARDS in the handlers",
            lambda load: load.index_reads,
        ),
        Quota(
            "DynamoDB writes, table and index", "WCU", account.table_units, DOCUMENT,
            "Service Quotas: DynamoDB, table-level write throughput", lambda load: load.table_writes,
        ),
        Quota(
            "DynamoDB reads, table and index", "RCU", account.table_units, MEMORY,
            "Service Quotas: DynamoDB, table-level read throughput",
            lambda load: load.index_reads * OPEN_SHARDS,
        ),
    ]  # fmt: skip


def _runs(settings: IngestionSettings, account: Account) -> list[Quota]:
    spark = settings.spark
    return [
        Quota(
            "Step Functions StartExecution", "/s", account.start_rate, MEMORY + "; bucket of 1,300",
            "Service Quotas: Step Functions, StartExecution", lambda load: load.manifests,
        ),
        Quota(
            "Step Functions transitions", "/s", account.transition_rate, MEMORY,
            "Service Quotas: Step Functions, StateTransition", lambda load: load.manifests * TRANSITIONS_PER_RUN,
        ),
        Quota(
            "Step Functions open executions", "", account.open_executions, MEMORY, "support case", lambda load: load.runs
        ),
        Quota(
            "Glue runs of the job, busiest hour", "at once", spark.concurrent_runs, SETTING,
            "ingestion.spark.concurrentRuns", lambda load: load.runs,
        ),
        Quota(
            "Glue runs of the job, whole day", "at once", spark.concurrent_runs, SETTING,
            "ingestion.spark.concurrentRuns", lambda load: load.day_runs,
        ),
        Quota(
            "Glue runs of the account", "at once", account.glue_runs, FACTS,
            "Service Quotas: Glue, max concurrent job runs per account", lambda load: load.runs,
        ),
        Quota(
            "Glue DPUs of the account", "DPU", account.glue_dpus, MEMORY + "; newer accounts may have more",
            "Service Quotas: Glue, max task DPUs per account", lambda load: load.dpus,
        ),
        Quota(
            "Glue time of one run", "min", spark.timeout_minutes, SETTING, "ingestion.spark.timeoutMinutes",
            lambda load: load.settings.load.run_minutes, grows=False,
        ),
        Quota(
            "S3 landing GET, one prefix", "/s", 5_500, MEMORY, "spread over more prefixes",
            lambda load: load.files * GETS_PER_FILE,
        ),
        Quota(
            "S3 lake PUT, one prefix", "/s", 3_500, MEMORY, "-", lambda load: load.manifests * OBJECTS_PER_RUN
        ),
    ]  # fmt: skip
