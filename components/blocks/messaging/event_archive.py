"""Archive of the events that one source sends to the default event bus of EventBridge."""

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.block import Block
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope


@dataclass(frozen=True)
class EventArchiveArgs:
    scope: Scope
    display_name: str
    source: str
    """Source of the archived events: `polyphony-prod.livestream`."""
    days: int


class EventArchive(Block):
    """Archive of the events of one source, which an operator may replay (docs/runbooks/episodes.md).

    A replay delivers events a second time, so consumers must be idempotent.
    """

    def __init__(self, short_name: str, args: EventArchiveArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("EventArchive", short_name, args.scope, opts)
        self.name = args.scope.name(Kind.EVENT_ARCHIVE, short_name)
        cloudwatch.EventArchive(
            self.part_name("archive"),
            name=self.name,
            description=f"{args.display_name} of Polyphony's {args.scope.subsystem}",
            event_source_arn=args.scope.context.arn("events", "event-bus/default"),
            event_pattern=json.dumps({"source": [args.source]}),
            retention_days=args.days,
            opts=self.part_options(),
        )
        self.register_outputs({"name": self.name})
