"""What a multiple of ingestion's load uses, a second of its busiest hour.

Pure. Rates and times are the usage model's, the one that the cost is computed from; what it does not know is a constant
here, marked as assumed. Which limit a use is held against is decided in `headroom_model.py`.
"""

from dataclasses import dataclass

from components.blocks.measures import DAYS
from components.ingestion.usage import INDEX_WRITES_PER_FILE, OLD_VERSION_DAYS, WRITES_PER_FILE, monthly_usage
from components.settings import IngestionSettings
from components.settings.ingestion import WorkerType
from handlers.ingestion.environment import OPEN_SHARDS

DAY = 86_400

INDEX_STATES = 2
"""A file is in the index as pending and as claimed, each in partitions of its own."""
ENTRY_BYTES = 300
"""Assumed: the size of one entry of the index."""
READ_UNIT_BYTES = 8 * 1024
"""An index is read eventually consistent: half a unit for 4 KB."""
GETS_PER_FILE = 2
"""Assumed: Spark asks for an object's size, then reads it."""
LIST_SECONDS = 0.2
"""Assumed: one page of 1,000 versions is listed and compared."""
LISTED = 1000
DPUS = {WorkerType.G_1X: 1, WorkerType.G_2X: 2, WorkerType.G_4X: 4}


def scaled(settings: IngestionSettings, factor: float) -> IngestionSettings:
    """The same settings under a multiple of their load."""
    load = settings.load
    more = {
        "files_per_day": max(1, round(load.files_per_day * factor)),
        "peak_files_per_hour": max(1, round(load.peak_files_per_hour * factor)),
    }
    return settings.model_copy(update={"load": load.model_copy(update=more)})


@dataclass(frozen=True)
class Load:
    """A load per second of its busiest hour, and what follows from it."""

    settings: IngestionSettings
    factor: float

    @property
    def _busiest(self) -> IngestionSettings:
        """As if every hour were the busiest one."""
        load = scaled(self.settings, self.factor).load
        return self.settings.model_copy(
            update={"load": load.model_copy(update={"files_per_day": load.peak_files_per_hour * 24})}
        )

    def rate(self, block: str, measure: str) -> float:
        """One measure of the usage model, a second."""
        return monthly_usage(self._busiest)[block][measure] / (DAYS * DAY)

    def seconds(self, block: str) -> float:
        """How long one invocation takes."""
        return monthly_usage(self._busiest)[block]["milliseconds"] / 1000

    def concurrent(self, block: str) -> float:
        """Invocations at once."""
        return self.rate(block, "invocations") * self.seconds(block)

    @property
    def files(self) -> float:
        """Files a second."""
        return scaled(self.settings, self.factor).load.peak_files_per_hour / 3600

    @property
    def manifests(self) -> float:
        """Manifests a second."""
        return self.files / self.settings.files_a_run

    @property
    def runs(self) -> float:
        """Glue runs at once."""
        return self.manifests * self.settings.load.run_minutes * 60

    @property
    def day_runs(self) -> float:
        """The same as the mean of a whole day."""
        load = scaled(self.settings, self.factor).load
        return load.files_per_day / self.settings.files_a_run / DAY * load.run_minutes * 60

    @property
    def dpus(self) -> float:
        """Processing units that those runs hold."""
        return self.runs * self.settings.spark.workers * DPUS[self.settings.spark.worker_type]

    @property
    def index_reads(self) -> float:
        """Read units of one partition of the index: a look for a manifest's worth of files, a batch and a manifest."""
        looked_at = self.settings.manifests.files / OPEN_SHARDS * ENTRY_BYTES
        looks = self.rate("ingestion-manifest-builder", "invocations") + self.manifests
        return looks * max(0.5, looked_at / READ_UNIT_BYTES)

    @property
    def index_writes(self) -> float:
        """Write units of the busiest partition of the index, of pending or of claimed files."""
        return self.files * INDEX_WRITES_PER_FILE / INDEX_STATES / OPEN_SHARDS

    @property
    def table_writes(self) -> float:
        """Write units of table and index together."""
        return self.files * (WRITES_PER_FILE + INDEX_WRITES_PER_FILE)

    @property
    def listing(self) -> float:
        """Seconds of one walk over the landing bucket's versions, the replaced and expired ones included."""
        intake = self.settings.intake
        versions = scaled(self.settings, self.factor).load.files_per_day * (intake.landing_days + OLD_VERSION_DAYS)
        return versions / LISTED * LIST_SECONDS
