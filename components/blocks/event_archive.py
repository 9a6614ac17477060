"""An archive of events on the default bus: those of one source of ours, for as long as somebody may replay them.

A replay gives rules the same events again, so whoever takes them must be able to see an event twice. Runbook:
docs/runbooks/replay-events.md.
"""

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.names import Kind
from components.blocks.scope import Block, Scope


@dataclass(frozen=True)
class EventArchiveArgs:
    """One archive."""

    scope: Scope
    logical_name: str
    source: str
    """Whose events are kept: `polyphony-prod.livestream`."""
    days: int


class EventArchive(Block):
    """Kept events; archives take no tags."""

    def __init__(self, what: str, args: EventArchiveArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("EventArchive", what, args.scope, opts)
        self.name = args.scope.name(Kind.EVENT_ARCHIVE, what)
        cloudwatch.EventArchive(
            self.part("archive"),
            name=self.name,
            description=f"{args.logical_name} of Polyphony's {args.scope.subsystem}",
            event_source_arn=args.scope.context.arn("events", "event-bus/default"),
            event_pattern=json.dumps({"source": [args.source]}),
            retention_days=args.days,
            opts=self.inside(),
        )
        self.register_outputs({"name": self.name})
