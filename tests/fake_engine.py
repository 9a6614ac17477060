"""Engine for tests of components. It runs a Pulumi program without an AWS account, as a preview does.

A run awaits all outputs, so assertions inside `.apply` are executed.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from components.core import Context, Scope, Subsystem
from components.settings import Environment, FoundationSettings, LogLevel
from local import ACCOUNT, REGION
from local.preview import program_run
from local.preview.preview_provider import PreviewProvider
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
    """Return valid settings of the foundation, with changes by their names in stack files."""
    return FoundationSettings.model_validate({**FOUNDATION, **changes})


def context(stack: str = "test", environment: Environment = Environment.PROD) -> Context:
    """Return a naming context without AWS calls."""
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
    """Return the name prefix and the settings of the subsystem `ingestion`, as its building blocks get them."""
    default = Scope(
        context=context(),
        subsystem=Subsystem.INGESTION,
        foundation=foundation_settings(),
        log_level=LogLevel.INFO,
        critical_topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:polyphony-test-foundation-alerts-critical",
        warning_topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:polyphony-test-foundation-alerts-warning",
        access_log_bucket=f"polyphony-test-foundation-audit-logs-{ACCOUNT}",
        layers=[f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:polyphony-test-foundation-handlers-0a1b2c3d4e5f:1"],
        prerequisites=(),
    )
    return replace(default, **changes)


class Engine:
    """Runner of component code that returns the registered resources."""

    def run(self, program: Callable[[], object]) -> "Recorded":
        """Run a Pulumi program, and return the resources that it registers."""
        config = StackConfig(project="polyphony", stack="test", values={})
        return Recorded(program_run.run_function(program, config, PreviewProvider(), preview=True).graph)


class Recorded:
    """Resources that a run registered, with methods to find them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # Pulumi shows a component without outputs as still being created until the deployment ends.
        components = [resource for resource in graph if resource.type.startswith("polyphony:")]
        assert [component.name for component in components if not component.outputs.fields] == []

    def all(self, kind: str) -> list[Resource]:
        """Return all resources of a kind such as `sqs.Queue`, sorted by name, because their registration order varies."""
        module, _, name = kind.partition(".")
        matches = (
            resource for resource in self.graph if resource.type.startswith(f"aws:{module}/") and resource.kind == name
        )
        return sorted(matches, key=lambda resource: resource.name)

    def one(self, kind: str, name: str = "") -> Resource:
        """Return the only resource of a kind whose Pulumi name contains `name`."""
        matches = [resource for resource in self.all(kind) if name in resource.name]
        assert len(matches) == 1, f"{len(matches)} of {kind} {name!r}: {[resource.name for resource in matches]}"
        return matches[0]

    def ancestors(self, resource: Resource) -> Iterator[Resource]:
        """Yield all resources that a resource depends on, directly or indirectly."""
        seen: set[str] = set()
        pending = set(resource.depends_on)
        while pending:
            urn = pending.pop()
            if urn in seen:
                continue
            seen.add(urn)
            with contextlib.suppress(KeyError):
                yield self.graph[urn]
                pending |= self.graph[urn].depends_on
