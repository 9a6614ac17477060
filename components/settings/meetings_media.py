"""Settings of the job that puts recordings together: its machines, how long it may take, its image, its network."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import ceil
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from components.settings.networks import BuiltNetwork, Cidr
from components.settings.polling import PollSeconds
from components.settings.settings_base import SettingsModel
from handlers.meetings.media_job.environment import ENCODE_THREADS, MaxHours

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class ProcessingEngine(StrEnum):
    """What machines recordings are put together on."""

    BATCH_SPOT = "batch-spot"
    """Spare ones of Fargate, and others on demand where AWS has none or takes them back."""
    FARGATE = "fargate"
    """On demand alone, twice as large: how it was before, to go back to."""


FARGATE: Mapping[float, Sequence[int]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4096 + 1, 1024),
    1: range(2048, 8192 + 1, 1024),
    2: range(4096, 16_384 + 1, 1024),
    4: range(8192, 30_720 + 1, 1024),
    8: range(16_384, 61_440 + 1, 4096),
    16: range(32_768, 122_880 + 1, 8192),
}
"""Processors → megabytes that go with them (Batch API reference, ResourceRequirement); it takes no other job."""

ATTEMPTS: Final = 3
"""How often an interrupted job is begun on spare machines; it goes on where it was."""
ENCODE_HOURS: Final = 2
"""Of a processor, for an hour of recording that must be encoded, at the most: assumed (docs/decisions/0061)."""


class MachineSize(SettingsModel):
    """A machine of Fargate's."""

    vcpus: Annotated[float, Field(ge=0.25, le=16)]
    memory_mb: Annotated[int, Field(ge=512, le=122_880)]

    @model_validator(mode="after")
    def _is_one_of_fargates(self) -> Self:
        if self.vcpus not in FARGATE:
            raise ValueError(f"vcpus is one of {', '.join(f'{one:g}' for one in FARGATE)}: Fargate has no others")
        allowed = FARGATE[self.vcpus]
        if self.memory_mb not in allowed:
            step = f" in steps of {allowed[1] - allowed[0]}" if isinstance(allowed, range) else ""
            between = f"{allowed[0]} to {allowed[-1]}{step}" if step else ", ".join(map(str, allowed))
            raise ValueError(f"memoryMb with {self.vcpus:g} vcpus is {between}: Fargate has no others")
        return self


class ProcessingSettings(SettingsModel):
    """The job that puts a recording together."""

    engine: ProcessingEngine = ProcessingEngine.BATCH_SPOT
    spot: MachineSize = MachineSize.model_validate({"vcpus": 1, "memoryMb": 2048})
    """With `batch-spot`, on demand too."""
    fargate: MachineSize = MachineSize.model_validate({"vcpus": 2, "memoryMb": 4096})
    timeout_minutes: Annotated[int, Field(ge=5, le=1_440)] = 1_440
    """Of one attempt. What has not ended by then is given up: the longest recording has to fit."""
    capacity_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    """How long a spare machine is waited for, each time that a job needs one, before one on demand is taken."""
    poll_seconds: PollSeconds = 30
    """How soon the workflow asks what has become of the job, or of the transcription of a part."""
    max_vcpus: Annotated[int, Field(ge=1, le=16)] = 8
    """Of all jobs of a queue at once."""
    max_hours: MaxHours = 12
    """The longest recording."""
    alarm_minutes: Annotated[int, Field(ge=1)] = 180
    """An alarm rings when 5 of 100 meetings take longer from the whole recording to the summary."""
    image_digest: Digest | None = None
    """Which image runs; required in staging and prod. None runs what is tagged `latest`."""

    @property
    def size(self) -> MachineSize:
        """The machine that the engine has."""
        return self.spot if self.engine is ProcessingEngine.BATCH_SPOT else self.fargate

    @property
    def spot_seconds(self) -> int:
        """How long a job may take on spare machines: each attempt waits for its machine and runs."""
        return ATTEMPTS * (self.timeout_minutes + self.capacity_minutes) * 60

    @property
    def on_demand_seconds(self) -> int:
        """How long a job may take on demand: it may wait behind others as long as it may run."""
        return 2 * self.timeout_minutes * 60

    @model_validator(mode="after")
    def _one_fits(self) -> Self:
        if self.size.vcpus > self.max_vcpus:
            raise ValueError(f"maxVcpus is at least the vcpus of one job ({self.size.vcpus:g}), or none ever starts")
        return self

    @model_validator(mode="after")
    def _the_longest_ends_in_time(self) -> Self:
        least = ceil(self.max_hours * 60 * ENCODE_HOURS / min(self.size.vcpus, ENCODE_THREADS))
        if self.timeout_minutes < least:
            raise ValueError(
                f"timeoutMinutes is at least {least:,}: to encode an hour of a recording may take a processor "
                f"{ENCODE_HOURS} hours, and the longest has maxHours ({self.max_hours}). Raise it or the vcpus (of which "
                f"{ENCODE_THREADS} are used), or lower maxHours"
            )
        return self


class MeetingNetworkSettings(BuiltNetwork):
    """The network of the jobs: public subnets, nothing inwards, no gateway that is paid for."""

    cidr: Cidr = "10.65.0.0/16"
