"""Base class of all blocks: names and resource options of their parts, and log groups."""

from collections.abc import Sequence

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.naming.subsystem_scope import Scope


class Block(pulumi.ComponentResource):
    """Base class of all blocks: components that create one kind of resource with everything that makes it safe to run.

    The short name identifies the block within its subsystem (`audio-processor`), and is the last part of the physical
    name on AWS. The Pulumi name of the block is `<subsystem>-<short name>`, and its parts are
    `<subsystem>-<short name>-<part>`. Most blocks also get a logical name: the name that the requirements use
    (`AudioProcessor`). It becomes the tag `Name`.
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

    def create_log_group(self, part: str, name: pulumi.Input[str], logical_name: str) -> cloudwatch.LogGroup:
        """Create a log group with the stack's retention as a part of this block."""
        return cloudwatch.LogGroup(
            self.part_name(part),
            name=name,
            retention_in_days=self.scope.foundation.logs.retention_days,
            tags=self.scope.tags(logical_name),
            opts=self.part_options(),
        )
