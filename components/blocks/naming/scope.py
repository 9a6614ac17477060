"""Scope that all blocks of one subsystem share, and the base class of all blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pulumi

from components.blocks.compute import handler_archive
from components.blocks.naming.context import Context, Subsystem
from components.blocks.naming.physical_names import Kind
from components.settings import FoundationSettings, LogLevel

CHECKED_BY_TAG = "CallersCheckedBy"
"""Tag of an API at whose gateway callers are not authenticated. Its value names the check that authenticates them instead."""


@dataclass(frozen=True)
class Scope:
    """Names, tags and settings that all blocks of one subsystem share.

    All are plain values, except layers and prerequisites.
    """

    context: Context
    subsystem: Subsystem
    foundation: FoundationSettings
    log_level: LogLevel
    alerts_topic: str
    """ARN of the topic that every alarm publishes to."""
    access_log_bucket: str
    """Name of the bucket that receives access logs."""
    layers: Sequence[pulumi.Input[str]]
    """ARNs of the layers that every function has."""
    prerequisites: Sequence[pulumi.Resource]
    """Resources that must exist before any resource of this scope. They are listed because the resources refer to them
    by name only."""

    @cached_property
    def package(self) -> pulumi.FileArchive:
        """Zip of the subsystem's handlers, written once and used by all of its functions."""
        return pulumi.FileArchive(handler_archive.write_archive(self.subsystem.package).as_posix())

    def name(self, kind: Kind, short_name: str) -> str:
        """Return the physical name of a resource of this subsystem."""
        return self.context.name(kind, self.subsystem, short_name)

    def tags(self, name: str, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return all tags of a resource of this subsystem, plus the extra tags in `more`."""
        return self.context.tags(self.subsystem, name, more)


class Block(pulumi.ComponentResource):
    """Base class of all blocks.

    Its Pulumi name is `<subsystem>-<short name>`, and its parts are `<subsystem>-<short name>-<part>`.
    """

    def __init__(self, kind: str, short_name: str, scope: Scope, opts: pulumi.ResourceOptions | None) -> None:
        self.short_name = short_name
        self.label = f"{scope.subsystem}-{short_name}"
        self.scope = scope
        super().__init__(f"polyphony:blocks:{kind}", self.label, None, opts)

    def part_name(self, part: str) -> str:
        """Return the Pulumi name of one part."""
        return f"{self.label}-{part}"

    def part_options(
        self, *after: pulumi.Resource, ignore: Sequence[str] = (), holds_data: bool = False
    ) -> pulumi.ResourceOptions:
        """Return the resource options of a part: a child of this block that is created after the scope's prerequisites
        and after `after`.

        A part with `holds_data` is protected if the stack protects data: Pulumi then refuses to delete or replace it.
        """
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=[*self.scope.prerequisites, *after],
            ignore_changes=list(ignore) or None,
            protect=holds_data and self.scope.foundation.data.deletion_protection,
        )
