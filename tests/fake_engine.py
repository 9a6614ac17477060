"""The engine that component tests run on: Pulumi's mock runtime with the recorder of the account-free preview.

Whatever runs in it is awaited to the end, so an assertion inside `.apply` counts.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from components.blocks.naming.context import Context, Subsystem
from components.blocks.naming.scope import Scope
from components.settings import Environment, FoundationSettings, LogLevel
from local.preview import program_run
from local.preview.preview_provider import ACCOUNT, REGION, PreviewProvider
from local.preview.resource_graph import Graph, Resource
from local.preview.stack_files import StackConfig

FOUNDATION: dict[str, Any] = {
    "owner": "team",
    "costCenter": "tests",
    "alerts": {"emails": ["team@example.com"]},
    "spend": {"monthlyBudget": 100},
    "identity": {"auth": "none"},
}


def foundation_settings(**changes: Any) -> FoundationSettings:
    """Valid settings of the foundation, with changes by their outside names."""
    return FoundationSettings.model_validate({**FOUNDATION, **changes})


def context(stack: str = "test", environment: Environment = Environment.PROD) -> Context:
    """A context that needs no AWS."""
    return Context(
        project="polyphony",
        stack=stack,
        environment=environment,
        account=ACCOUNT,
        region=REGION,
        partition="aws",
        owner="team",
        cost_center="tests",
    )


def scope(**changes: Any) -> Scope:
    """A scope for blocks under test."""
    made = Scope(
        context=context(),
        subsystem=Subsystem.INGESTION,
        foundation=foundation_settings(),
        log_level=LogLevel.INFO,
        alerts_topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:polyphony-test-foundation-alerts",
        access_log_bucket=f"polyphony-test-foundation-audit-logs-{ACCOUNT}",
        layers=[f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:handlers:1"],
        after=(),
    )
    return replace(made, **changes)


class Engine:
    """Runs component code and answers what it registered."""

    def run(self, body: Callable[[], object]) -> "Recorded":
        """Runs `body` as a program."""
        config = StackConfig(project="polyphony", stack="test", values={})
        return Recorded(program_run.record(body, config, PreviewProvider(), preview=True).graph)


class Recorded:
    """What a run registered, with short ways to find things."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def all(self, kind: str) -> list[Resource]:
        """Every resource of a kind, `sqs.Queue`, by name: the order of registration is not the program's to say."""
        module, _, name = kind.partition(".")
        found = (item for item in self.graph if item.type.startswith(f"aws:{module}/") and item.kind == name)
        return sorted(found, key=lambda one: one.name)

    def one(self, kind: str, name: str = "") -> Resource:
        """The one resource of a kind (whose Pulumi name contains `name`)."""
        found = [resource for resource in self.all(kind) if name in resource.name]
        assert len(found) == 1, f"{len(found)} of {kind} {name!r}: {[item.name for item in found]}"
        return found[0]

    def ancestors(self, resource: Resource) -> Iterator[Resource]:
        """What a resource waits for, directly or not."""
        seen: set[str] = set()
        waiting = set(resource.depends_on)
        while waiting:
            urn = waiting.pop()
            if urn in seen:
                continue
            seen.add(urn)
            with contextlib.suppress(KeyError):
                yield self.graph[urn]
                waiting |= self.graph[urn].depends_on
