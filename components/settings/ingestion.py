"""Settings of ingestion: the load it is built for, its intake, manifests, Spark runs and catalogue."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from components.settings.column_types import Ddl
from components.settings.networks import Origin
from components.settings.settings_base import FunctionSettings, SettingsModel, SubsystemSettings
from handlers.ingestion.sweeper.environment import CLAIM_SECONDS

Days = Annotated[int, Field(ge=1, le=3653)]


class IngestionLoad(SettingsModel):
    """The load that cost and headroom are reckoned with. What holds it is set beside it: concurrency, sizes, thresholds."""

    files_per_day: Annotated[int, Field(ge=1)] = 8_000
    """NDJSON files that arrive a day."""
    file_megabytes: Annotated[float, Field(gt=0)] = 3.5
    """Their average size."""
    peak_files_per_hour: Annotated[int, Field(ge=1)] = 1_000
    """Files in the busiest hour."""
    run_minutes: Annotated[float, Field(gt=0)] = 4
    """How long one Spark run takes."""


class IntakeSettings(SettingsModel):
    """How arriving files are taken in."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Files that one invocation is given at most."""
    batch_window_seconds: Annotated[int, Field(ge=0, le=300)] = 60
    """How long the queue waits for a batch to fill; above ten files a batch it must be at least 1."""
    max_concurrency: Annotated[int, Field(ge=2, le=1000)] = 10
    """The most invocations that the queue starts at once."""
    max_file_gigabytes: Annotated[float, Field(gt=0, le=50)] = 5
    """Larger files are rejected."""
    cors_origin: Origin | None = None
    """The page that may drop files from a browser, with credentials of its visitor's; prod must name it. None: no page may."""
    table_record_days: Annotated[int, Field(ge=16, le=3653)] = 400
    """Days that a file's record is kept. A file whose record is gone is taken in again, rows and all. The daily comparison
    reaches back two days, and a message that was parked can be sent again for fourteen."""
    landing_days: Days = 30
    """Days that a file stays in the landing bucket; the lake keeps its content."""


class ManifestSettings(SettingsModel):
    """How files are gathered into runs."""

    files: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Files of one manifest."""
    gigabytes: Annotated[float, Field(ge=0.01, le=10_000)] = 10
    """Their size together, as they arrived; a larger file has a manifest of its own. A run has to get through what is in them,
    unpacked, within `spark.timeoutMinutes`."""
    flush_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    """Files that wait longer go into a manifest of however many there are."""
    sweep_minutes: Annotated[int, Field(ge=1, le=60)] = 5
    """How often the sweeper looks after what was left."""


class WorkerType(StrEnum):
    """Glue's workers for batch jobs (G.025X exists for streaming jobs only)."""

    G_1X = "G.1X"
    G_2X = "G.2X"
    G_4X = "G.4X"


class ExecutionClass(StrEnum):
    """Whether a run starts at once, or may wait for spare capacity at a lower price."""

    STANDARD = "STANDARD"
    FLEX = "FLEX"


class SparkSettings(SettingsModel):
    """The Spark job that turns a manifest into Parquet."""

    glue_version: Annotated[str, StringConstraints(pattern=r"^5\.[0-9]$")] = "5.1"
    worker_type: WorkerType = WorkerType.G_1X
    workers: Annotated[int, Field(ge=2, le=100)] = 2
    execution_class: ExecutionClass = ExecutionClass.STANDARD
    timeout_minutes: Annotated[int, Field(ge=1, le=480)] = 30
    """A run is stopped after this long, and its manifest marked as failed."""
    concurrent_runs: Annotated[int, Field(ge=1, le=1000)] = 10
    """Runs at once. Glue's own default is 1, which would cap the whole system; an account allows about 50."""
    schema_ddl: Ddl = ""
    """The data's columns as Spark writes them (`id BIGINT, name STRING`); empty infers them in each run. Of types that values of
    JSON can have, so no `FLOAT` and no `BINARY`, and of names that no column of every row has."""
    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """A run fails when a larger share of its lines cannot be read; below it, they are set aside and counted."""
    encryption_key_arn: Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:kms:.+:key/.+$")] | None = None
    """A customer key for logs and bookmarks; Glue encrypts those with nothing else. S3 output is always encrypted. Below the
    bootstrap's boundary the key has to carry the tags `Project: polyphony` and `Environment: <stack>`."""


class BuildingFunctionSettings(FunctionSettings):
    """Size and version of a function that claims files for manifests."""

    timeout_seconds: Annotated[int, Field(ge=1, le=CLAIM_SECONDS - 1)] = 60
    """How long one invocation may take. A claim must outlive the invocation that made it."""


class IngestionSettings(SubsystemSettings):
    """NDJSON files into the lake."""

    load: IngestionLoad = IngestionLoad()
    intake: IntakeSettings = IntakeSettings()
    manifests: ManifestSettings = ManifestSettings()
    spark: SparkSettings = SparkSettings()
    scan_limit_gigabytes: Annotated[float, Field(ge=0.01, le=10_000)] = 100
    """An Athena query that would read more is stopped."""
    network_attached: bool = False
    """Whether the builder and the Spark job run inside the network: for compliance, they need nothing there."""
    builder: BuildingFunctionSettings = BuildingFunctionSettings()
    """The function that tracks files and builds manifests."""
    sweeper: BuildingFunctionSettings = BuildingFunctionSettings.model_validate({"timeoutSeconds": 300})
    """The function that looks after what was left."""
    steps: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 120})
    """The function behind the workflow's steps."""

    @property
    def files_per_run(self) -> float:
        """Files of the load that make a manifest full, by their number or by their size."""
        by_size = self.manifests.gigabytes * 1024 / self.load.file_megabytes
        return min(self.manifests.files, max(1.0, by_size))
