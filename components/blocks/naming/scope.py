"""What all blocks of one subsystem share, and the base class that every block stands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pulumi

from components.blocks.compute import handler_archive
from components.blocks.naming.context import Context, Subsystem
from components.blocks.naming.physical_names import Kind
from components.settings import FoundationSettings, LogLevel

CHECKED_BY_TAG = "CallersCheckedBy"
"""The tag of an API that lets everybody in, which says what checks callers instead."""


@dataclass(frozen=True)
class Scope:
    """The surroundings of one subsystem's blocks. Plain values, but for what must exist before them."""

    context: Context
    subsystem: Subsystem
    foundation: FoundationSettings
    log_level: LogLevel
    alerts_topic: str
    """ARN of the topic that every alarm publishes to."""
    access_log_bucket: str
    """Name of the bucket that access logs go to."""
    layers: Sequence[pulumi.Input[str]]
    """ARNs of the layers that every function carries."""
    prerequisites: Sequence[pulumi.Resource]
    """What must exist before anything of this scope: nothing refers to it but by name."""

    @cached_property
    def package(self) -> pulumi.FileArchive:
        """What all functions of this subsystem run: zipped once, however many they are."""
        return pulumi.FileArchive(handler_archive.write_archive(self.subsystem.package).as_posix())

    def name(self, kind: Kind, short_name: str) -> str:
        """The physical name of something of this subsystem."""
        return self.context.name(kind, self.subsystem, short_name)

    def tags(self, name: str, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """All tags of something of this subsystem, and what only it has."""
        return self.context.tags(self.subsystem, name, more)


class Block(pulumi.ComponentResource):
    """A component with a Pulumi name of `<subsystem>-<what>`; its parts are `<subsystem>-<what>-<part>`."""

    def __init__(self, kind: str, short_name: str, scope: Scope, opts: pulumi.ResourceOptions | None) -> None:
        self.label = f"{scope.subsystem}-{short_name}"
        self.scope = scope
        super().__init__(f"polyphony:blocks:{kind}", self.label, None, opts)

    def part_name(self, part: str) -> str:
        """The Pulumi name of one part."""
        return f"{self.label}-{part}"

    def part_options(
        self, *after: pulumi.Resource, ignore: Sequence[str] = (), holds_data: bool = False
    ) -> pulumi.ResourceOptions:
        """Options of a part: a child of this block, made after what the scope and the block itself wait for.

        What holds data is never taken away nor replaced while the stack protects it: Pulumi refuses before it begins.
        """
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=[*self.scope.prerequisites, *after],
            ignore_changes=list(ignore) or None,
            protect=holds_data and self.scope.foundation.data.deletion_protection,
        )
