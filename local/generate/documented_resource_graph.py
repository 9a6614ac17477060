"""Resource graph that the generated pages describe: the production stack, with placeholders for ids that AWS assigns.

In a preview, ids are unknown, and so is every policy document that contains an id. With the placeholders, all policy
documents are known, so the pages can show them.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Graph, Resource
from local.preview.stack_files import StackConfig
from local.property_values import Props

STACK = "prod"
"""Stack that the pages describe."""


class NamedIdProvider(PreviewProvider):
    """Preview provider that uses each resource's Pulumi name as its id, so all ids are known."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        return resource.name, {}


@cache
def build_stack_graph(stack: str = STACK) -> Graph:
    """Return the resources that a stack registers, with known policy documents."""
    return build_graph(stack_files.read_stack(stack))


def build_graph(config: StackConfig) -> Graph:
    """Return the resources that the program registers for a configuration, with known policy documents."""
    return program_run.run_program(config, NamedIdProvider(), preview=True).graph


def list_role_statements(graph: Graph) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every statement of every role policy, with the role's name."""
    for resource in sorted(graph.customs(), key=lambda resource: resource.urn):
        if resource.kind == "RolePolicy":
            for statement in json.loads(resource.inputs["policy"])["Statement"]:
                yield resource.inputs["role"], statement
