"""Source of the events that livestream publishes on the default event bus, and the permission to publish them."""

from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.subsystem_scope import Scope
from handlers.livestream.event_names import SOURCE_SUFFIX


def event_source(scope: Scope) -> str:
    """Return the source of livestream's events. It contains the stack's name, because stacks may share a bus."""
    return f"{scope.context.stack_label}{SOURCE_SUFFIX}"


def grant_events(scope: Scope) -> Grant:
    """Return the permission to publish on the default bus, only with this stack's livestream source."""
    bus = scope.context.arn("events", "event-bus/default")
    return grant("events", ["PutEvents"], bus, {"StringEquals": {"events:source": event_source(scope)}})
