"""Settings of ingestion: expected load, landing bucket and queue, manifests, Spark runs and queries."""

import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from components.settings.base import KEY_ARN_RULE, FunctionSettings, KeyArn, Origin, SettingsModel, SubsystemSettings
from handlers.common.json_models import TextForm
from handlers.ingestion.glue.lake_columns import RESERVED_NAMES

Days = Annotated[int, Field(ge=1, le=3653)]
ANNOUNCED_DAYS: Final = 21
"""Days after `landingDays` in which a file may still be announced: seven in which the landing bucket keeps an old
version, and fourteen in which a message in the dead-letter queue can be moved back to its queue (redriven)."""


class IngestionLoad(SettingsModel):
    """Expected load. The cost estimate and the test of docs/ingestion.md use it. A deployment does not check
    that the other settings can handle this load.
    """

    files_per_day: Annotated[int, Field(ge=1)] = 8_000
    """NDJSON files that arrive per day."""
    file_megabytes: Annotated[float, Field(gt=0)] = 3.5
    """Average size of a file in units of 1024² bytes."""
    peak_files_per_hour: Annotated[int, Field(ge=1)] = 1_000
    """Files that arrive in the busiest hour."""
    run_minutes: Annotated[float, Field(gt=0)] = 4
    """Minutes that one Spark run takes."""


class IntakeSettings(SettingsModel):
    """Settings of the landing bucket, its queue, and the records of files."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Maximum number of messages for one invocation. A message usually announces one file."""
    batch_window_seconds: Annotated[int, Field(ge=0, le=300)] = 60
    """Time that Lambda waits for a batch to fill. It must be at least 1 if `batchSize` is above 10."""
    max_concurrency: Annotated[int, Field(ge=2, le=1000)] = 10
    """Maximum number of concurrent invocations of the manifest builder, which is the function that records arrived
    files and creates manifests."""
    max_file_gigabytes: Annotated[float, Field(gt=0, le=5)] = 5
    """Maximum size of a file in units of 1024³ bytes. Larger files are rejected, because one core reads a whole file."""
    cors_origin: Origin | None = None
    """Origin of the web page that may upload files from a browser, with its user's credentials. Without it, no page
    may. In prod it must not be `*`."""
    table_record_days: Annotated[int, Field(ge=1 + ANNOUNCED_DAYS, le=3653)] = 400
    """Days that a file's record is kept. A file that is announced again after this time is processed again, which
    duplicates its rows. So the setting must be at least 21 days longer than `landingDays`: a file can be announced again
    while it is in the landing bucket, which keeps old versions for seven more days, and a message in the dead-letter
    queue can be redriven for fourteen days."""
    landing_days: Days = 30
    """Days that a file stays in the landing bucket. The lake (the bucket with the Parquet output) keeps its content."""


class ManifestSettings(SettingsModel):
    """Settings of manifests: how many files one run processes, and when."""

    files: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Maximum number of files in a manifest, which is the list of files that one Spark run converts."""
    gigabytes: Annotated[float, Field(ge=0.01, le=10_000)] = 10
    """Maximum total size of a manifest's files as they arrived, packed or not, in units of 1024³ bytes. A larger file
    gets a manifest for itself. A run must be able to process the unpacked content within `spark.timeoutMinutes`."""
    flush_minutes: Annotated[int, Field(ge=0, le=1440)] = 60
    """Waiting time after which pending files go into a manifest that is not full. With 0, which only the environment
    `local` allows, the manifest builder creates a manifest as soon as it has recorded a batch of files. On AWS, each of
    these manifests would cost a Glue run."""
    sweep_minutes: Annotated[int, Field(ge=1, le=60)] = 5
    """Interval of the sweeps, in which the function `sweeper` creates overdue manifests and repairs unfinished work."""


class WorkerType(StrEnum):
    """Worker type of Glue, which determines the size of a worker. G.025X is missing, because it is for streaming jobs
    only.
    """

    G_1X = "G.1X"
    G_2X = "G.2X"
    G_4X = "G.4X"


class ExecutionClass(StrEnum):
    """Execution class of Glue. A FLEX run may wait for unused capacity and has a lower price."""

    STANDARD = "STANDARD"
    FLEX = "FLEX"


SIMPLE_TYPE = (
    r"(?:string|boolean|tinyint|smallint|int|bigint|double|date|timestamp|"
    r"decimal\((?:[1-9]|[12][0-9]|3[0-8]),(?:[12]?[0-9]|3[0-8])\))"
)
NESTED_TYPE = re.compile(
    rf"array<{SIMPLE_TYPE}>|map<string,{SIMPLE_TYPE}>|struct<\w+:{SIMPLE_TYPE}(?:,\w+:{SIMPLE_TYPE})*>"
)
"""Array, map or struct whose parts are not nested. The keys of a map are strings, as in JSON."""


def _check_type(type_name: str) -> str:
    """Return a type. Raise ValueError if the job does not support it, because each run would fail."""
    flat = type_name
    while nested := NESTED_TYPE.search(flat):
        fields = re.findall(r"(\w+):", nested[0].lower())
        if len(set(fields)) < len(fields):
            raise ValueError("two names differ only in case, which Athena ignores: rename one of them")
        # A simple type takes the place of the checked one, so that the type around it can be checked next.
        flat = flat.replace(nested[0], "date")
    if not re.fullmatch(SIMPLE_TYPE, flat):
        raise ValueError(
            "not a supported type: write it like int, decimal(10,2), array<string> or struct<a:int,b:date>"
        )
    if any(int(scale) > int(digits) for digits, scale in re.findall(r"\((\d+),(\d+)\)", type_name)):
        raise ValueError("a decimal cannot have more digits after the point than in total")
    return type_name


def _check_names(columns: dict[str, str]) -> dict[str, str]:
    names = {name.lower() for name in columns}
    if len(names) < len(columns):
        raise ValueError("two names differ only in case, which Athena ignores: rename one of them")
    if reserved := sorted(RESERVED_NAMES & names):
        raise ValueError(f"the job adds these columns itself, so remove them: {', '.join(reserved)}")
    return columns


ColumnName = Annotated[
    str,
    TextForm(
        r"""^[^`'",:;<>(){}\x00-\x1f]+$""",
        "must have no control characters, and none of the characters with a meaning in types: ` ' \" , : ; < > ( ) { }",
    ),
]
"""Name of a column. Characters with a meaning in types are not allowed."""
ColumnType = Annotated[str, AfterValidator(_check_type)]


class SparkSettings(SettingsModel):
    """Settings of the Spark job that converts a manifest's files to Parquet."""

    glue_version: Annotated[str, TextForm(r"^5\.[1-9]$", "must be between 5.1 and 5.9, as a text")] = "5.1"
    """Version of Glue, which determines the version of Spark."""
    worker_type: WorkerType = WorkerType.G_1X
    """Size of a worker: G.1X has 4 vCPUs and 16 GB of memory, and each next type has twice as much at twice the
    price."""
    workers: Annotated[int, Field(ge=2, le=100)] = 2
    """Number of workers of one run. More workers make a run faster, and cost more per minute."""
    execution_class: ExecutionClass = ExecutionClass.STANDARD
    """`FLEX` runs are cheaper, but may wait for unused capacity before they start."""
    timeout_minutes: Annotated[int, Field(ge=1, le=480)] = 30
    """Maximum duration of a run. After it, the run is stopped and its manifest is marked as failed."""
    concurrent_runs: Annotated[int, Field(ge=1, le=1000)] = 10
    """Maximum number of concurrent runs. Glue's default of 1 would limit the whole system. An account allows about
    50."""
    columns: Annotated[dict[ColumnName, ColumnType], AfterValidator(_check_names)] = {}
    """Columns of the data: names as in the JSON records, with types in lower case as in Hive (`id: bigint`,
    `tags: array<string>`). Possible are `string`, `boolean`, `tinyint`, `smallint`, `int`, `bigint`, `double`, `date`,
    `timestamp`, `decimal(10,2)`, and `array`, `map` and `struct` of these. If empty, each row
    has only its line, in `_record`. Names of the columns that the job adds are not allowed."""
    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Maximum share of rejected lines, which are lines that are not JSON records. A run with a larger share fails.
    Otherwise the rejected lines are stored and counted. Lines of a file without a single record do not count, because
    the whole file is rejected."""
    encryption_key_arn: Annotated[str, TextForm(r"^arn:[a-z-]+:kms:.+:key/.+$", KEY_ARN_RULE)] | None = None
    """KMS key for logs and bookmarks, which Glue encrypts only with a customer key. S3 output is always encrypted. With
    the permissions boundary of `bootstrap/`, the key needs the tags `Project: polyphony` and `Environment: <stack>`."""


class IngestionSettings(SubsystemSettings):
    """Settings of ingestion, which converts NDJSON files to Parquet in the lake."""

    load: IngestionLoad = IngestionLoad()
    intake: IntakeSettings = IntakeSettings()
    manifests: ManifestSettings = ManifestSettings()
    spark: SparkSettings = SparkSettings()
    scan_limit_gigabytes: Annotated[float, Field(ge=0.01, le=10_000)] = 100
    """Maximum amount of data that an Athena query may read, in units of 1024³ bytes. A query that reads more is
    stopped."""
    environment_key_arn: KeyArn | None = None
    """KMS key for the environment variables of the functions. They contain no secrets, so only compliance rules need
    it. Without it, AWS encrypts them with its own key."""
    network_attached: bool = False
    """Attach the manifest builder and the Spark job to the network. Only compliance rules need this."""
    manifest_builder: FunctionSettings = FunctionSettings()
    """Function that records arrived files and creates manifests."""
    sweeper: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 300})
    """Scheduled function that creates manifests of files that have waited long enough, and repairs what the manifest
    builder and the workflow left unfinished."""
    steps: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 120})
    """Function behind the steps of the workflow that processes a manifest."""
