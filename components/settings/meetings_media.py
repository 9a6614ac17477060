"""Settings of the media job, which joins a recording's chunks: compute, time limits, container image, network."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import ceil
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from components.settings.networks import BuiltNetwork, Cidr
from components.settings.settings_base import SettingsModel
from handlers.meetings.media_job.environment import ENCODE_THREADS, MaxHours

PollSeconds = Annotated[int, Field(ge=5, le=600)]
"""Shortest pause between two status requests for the same job. The pause grows with the time waited."""
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class ProcessingEngine(StrEnum):
    """Compute on which the media job runs."""

    BATCH_SPOT = "batch-spot"
    """Fargate Spot, and Fargate on demand if AWS has no Spot capacity or interrupts the job too often."""
    FARGATE = "fargate"
    """Only Fargate on demand, with its own machine size (the setting `fargate`). This is the former configuration, for
    a rollback."""


FARGATE_SIZES: Mapping[float, Sequence[int]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4096 + 1, 1024),
    1: range(2048, 8192 + 1, 1024),
    2: range(4096, 16_384 + 1, 1024),
    4: range(8192, 30_720 + 1, 1024),
    8: range(16_384, 61_440 + 1, 4096),
    16: range(32_768, 122_880 + 1, 8192),
}
"""vCPUs, with the memory sizes in MB that AWS Batch accepts for them (API reference, ResourceRequirement)."""

ATTEMPTS: Final = 3
"""Maximum number of starts of a job on Fargate Spot. After an interruption, the job resumes where it was."""
ENCODE_HOURS: Final = 2
"""Maximum vCPU hours to encode one hour of a recording. It is an assumption (docs/decisions/0061)."""


class MachineSize(SettingsModel):
    """Size of a Fargate task."""

    vcpus: Annotated[float, Field(ge=0.25, le=16)]
    """Number of vCPUs: one of the sizes of Fargate."""
    memory_mb: Annotated[int, Field(ge=512, le=122_880)]
    """Memory in MB. Fargate allows certain sizes for each number of vCPUs."""

    @model_validator(mode="after")
    def _check_fargate_size(self) -> Self:
        if self.vcpus not in FARGATE_SIZES:
            raise ValueError(
                f"vcpus must be one of {', '.join(f'{vcpus:g}' for vcpus in FARGATE_SIZES)}: Fargate has no other sizes"
            )
        allowed = FARGATE_SIZES[self.vcpus]
        if self.memory_mb not in allowed:
            step = f" in steps of {allowed[1] - allowed[0]}" if isinstance(allowed, range) else ""
            between = f"{allowed[0]} to {allowed[-1]}{step}" if step else ", ".join(map(str, allowed))
            raise ValueError(f"memoryMb with {self.vcpus:g} vcpus must be {between}: Fargate has no other sizes")
        return self


class ProcessingSettings(SettingsModel):
    """Settings of the media job."""

    engine: ProcessingEngine = ProcessingEngine.BATCH_SPOT
    """Compute on which the media job runs: `batch-spot` on Fargate Spot first and then on demand, `fargate` on demand
    only."""
    spot: MachineSize = MachineSize.model_validate({"vcpus": 1, "memoryMb": 2048})
    """Size with engine `batch-spot`, on Spot and on demand."""
    fargate: MachineSize = MachineSize.model_validate({"vcpus": 2, "memoryMb": 4096})
    """Size with engine `fargate`."""
    timeout_minutes: Annotated[int, Field(ge=5, le=1_440)] = 1_440
    """Time limit of one attempt. A job that exceeds it is stopped, so the longest recording must fit."""
    capacity_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    """Time that each attempt waits for Spot capacity before on-demand capacity is used."""
    poll_seconds: PollSeconds = 30
    """Shortest interval at which the workflow checks the status of the job, or of the transcription of a part."""
    max_vcpus: Annotated[int, Field(ge=1, le=16)] = 8
    """Maximum total of the vCPUs of all jobs of a queue that run at the same time."""
    max_hours: MaxHours = 12
    """Maximum length of a recording."""
    alarm_minutes: Annotated[int, Field(ge=1)] = 180
    """Alarm threshold for the time from the complete upload to the summary (95th percentile)."""
    image_digest: Digest | None = None
    """Digest of the container image. It is required in staging and prod. Without it, the image tagged `latest` runs."""

    @property
    def size(self) -> MachineSize:
        """Size of the Fargate task for the chosen engine."""
        return self.spot if self.engine is ProcessingEngine.BATCH_SPOT else self.fargate

    @property
    def spot_seconds(self) -> int:
        """Maximum duration of a job on Fargate Spot: each attempt waits for capacity and then runs."""
        return ATTEMPTS * (self.timeout_minutes + self.capacity_minutes) * 60

    @property
    def on_demand_seconds(self) -> int:
        """Maximum duration of a job on demand: the time limit of another job of the queue, for which it may have to wait,
        and its own.
        """
        return 2 * self.timeout_minutes * 60

    @model_validator(mode="after")
    def _check_queue_size(self) -> Self:
        if self.size.vcpus > self.max_vcpus:
            raise ValueError(
                f"maxVcpus must be at least the vcpus of one job ({self.size.vcpus:g}), otherwise no job starts"
            )
        return self

    @model_validator(mode="after")
    def _check_timeout(self) -> Self:
        min_minutes = ceil(self.max_hours * 60 * ENCODE_HOURS / min(self.size.vcpus, ENCODE_THREADS))
        if self.timeout_minutes < min_minutes:
            raise ValueError(
                f"timeoutMinutes must be at least {min_minutes:,}: encoding an hour of a recording may take {ENCODE_HOURS} vCPU "
                f"hours, and the longest recording has maxHours ({self.max_hours}). Raise timeoutMinutes or the vcpus (the job "
                f"uses {ENCODE_THREADS}), or lower maxHours"
            )
        return self


class MeetingNetworkSettings(BuiltNetwork):
    """Network of the media jobs: public subnets, no inbound traffic, no NAT gateway."""

    cidr: Cidr = "10.65.0.0/16"
    """CIDR block of the network: a /16 block. Each zone's subnet is a /24 block of it."""
