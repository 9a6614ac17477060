"""Scope of a subsystem: the names, tags, settings and shared resources that all of its blocks use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pulumi

from components.blocks.compute import handler_archive
from components.blocks.naming.context import Context, Subsystem
from components.blocks.naming.physical_names import Kind
from components.settings import FoundationSettings, LogLevel

CHECKED_BY_TAG = "CallersCheckedBy"
"""Tag of an API whose gateway does not authenticate callers. Its value names the check that authenticates them
instead."""


@dataclass(frozen=True)
class Scope:
    """Names, tags and settings that all blocks of one subsystem share.

    Everything except `layers` is known at preview.
    """

    context: Context
    subsystem: Subsystem
    foundation: FoundationSettings
    """Settings that apply to all subsystems."""
    log_level: LogLevel
    alerts_topic: str
    """ARN of the topic that every alarm publishes to."""
    access_log_bucket: str
    """Name of the bucket that receives the access logs of all other buckets."""
    layers: Sequence[pulumi.Input[str]]
    """ARNs of the layers that every function has."""
    prerequisites: Sequence[pulumi.Resource]
    """Resources that must exist before any resource of this subsystem. The subsystem's resources refer to them by name
    only, so Pulumi does not see the dependency."""

    @cached_property
    def package(self) -> pulumi.FileArchive:
        """Zip of the subsystem's handlers, written once and used by all of its functions."""
        return pulumi.FileArchive(handler_archive.write_archive(self.subsystem.package).as_posix())

    def name(self, kind: Kind, short_name: str) -> str:
        """Return the physical name of a resource of this subsystem."""
        return self.context.name(kind, self.subsystem, short_name)

    def tags(self, name: str, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return all tags of a resource of this subsystem, plus the extra tags in `more`.

        `name` becomes the tag `Name`. Pass the display name (the name in the requirements), or the physical name of a
        resource that has no display name, such as an alarm.
        """
        return self.context.tags(self.subsystem, name, more)
