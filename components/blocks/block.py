"""Base class of all blocks: names and resource options of their parts, and log groups."""

from collections.abc import Sequence

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.naming.subsystem_scope import Scope


class Block(pulumi.ComponentResource):
    """Base class of all blocks: components that create one kind of resource with everything that makes it safe to run.

    The resources that a block creates are its parts. A block has up to three names:

    - `short_name` identifies the block within its subsystem (`audio-processor`). Most names on AWS contain it.
    - `label` is the block's Pulumi name, `<subsystem>-<short name>`. The Pulumi name of a part is `<label>-<part>`.
    - `display_name` is the name in the requirements (docs/requirements.md), for example `AudioProcessor`. The tag
      `Name`, descriptions and alarms show it.
    """

    def __init__(self, kind: str, short_name: str, scope: Scope, opts: pulumi.ResourceOptions | None) -> None:
        self.short_name = short_name
        self.label = f"{scope.subsystem}-{short_name}"
        self.scope = scope
        super().__init__(f"polyphony:blocks:{kind}", self.label, None, opts)

    def part_name(self, part: str) -> str:
        """Return the Pulumi name of a part."""
        return f"{self.label}-{part}"

    def part_options(
        self, *after: pulumi.Resource, ignore: Sequence[str] = (), holds_data: bool = False
    ) -> pulumi.ResourceOptions:
        """Return the resource options of a part, which becomes a child of this block.

        Pulumi creates the part after the subsystem's prerequisites (`Scope.prerequisites`) and after the resources in
        `after`, and ignores changes of the properties in `ignore`. If the stack protects data, Pulumi refuses to delete
        or replace a part that `holds_data`.
        """
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=[*self.scope.prerequisites, *after],
            ignore_changes=list(ignore) or None,
            protect=holds_data and self.scope.foundation.data.deletion_protection,
        )

    def create_log_group(self, part: str, name: pulumi.Input[str], display_name: str) -> cloudwatch.LogGroup:
        """Create a log group with the stack's retention as a part of this block."""
        return cloudwatch.LogGroup(
            self.part_name(part),
            name=name,
            retention_in_days=self.scope.foundation.logs.retention_days,
            tags=self.scope.tags(display_name),
            opts=self.part_options(),
        )
