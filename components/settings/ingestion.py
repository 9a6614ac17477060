"""Settings of ingestion: the load it is built for, and the intake of files."""

from typing import Annotated

from pydantic import Field

from components.settings.base import FunctionSettings, Settings, SubsystemSettings


class LoadSettings(Settings):
    """The load that cost, thresholds and concurrency follow from."""

    files_per_day: Annotated[int, Field(ge=1)] = 8_000
    """NDJSON files that arrive a day."""
    file_megabytes: Annotated[float, Field(gt=0)] = 3.5
    """Their average size."""
    peak_files_per_hour: Annotated[int, Field(ge=1)] = 1_000
    """Files in the busiest hour."""


class IntakeSettings(Settings):
    """How arriving files are taken in."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Files that one invocation is given at most."""
    batch_window_seconds: Annotated[int, Field(ge=0, le=300)] = 5
    """How long the queue waits for a batch to fill; above ten files a batch it must be at least 1."""
    max_receive_count: Annotated[int, Field(ge=3, le=1000)] = 5
    """Attempts at a message before it is parked in the dead-letter queue."""
    max_concurrency: Annotated[int, Field(ge=2, le=1000)] = 10
    """The most invocations that the queue starts at once."""
    table_record_days: Annotated[int, Field(ge=1, le=3653)] = 400
    """Days that a file's record is kept, so that a late repeat is still recognised."""
    landing_days: Annotated[int, Field(ge=1, le=3653)] = 90
    """Days that a file stays in the landing bucket; the lake keeps its content."""
    old_version_days: Annotated[int, Field(ge=1, le=3653)] = 30
    """Days that an overwritten or deleted version stays."""


class IngestionSettings(SubsystemSettings):
    """NDJSON files into the lake."""

    load: LoadSettings = LoadSettings()
    intake: IntakeSettings = IntakeSettings()
    builder: FunctionSettings = FunctionSettings()
    """The function that tracks files and builds manifests."""
