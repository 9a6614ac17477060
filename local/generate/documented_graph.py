"""The graph that pages are made of: production, recorded as a preview is, with stand-ins for the ids that AWS invents.

A preview leaves documents that name such an id unknown; a page is to say what is in them.
"""

from functools import cache

from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.property_values import Props
from local.preview.resource_graph import Graph, Resource
from local.preview.stack_files import StackConfig

STACK = "prod"


class Documented(PreviewProvider):
    """A preview whose resources have ids: their own names."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        """Nothing is made; a WebSocket API also has an address, which its stage's is made of."""
        if resource.kind == "Api":
            return resource.name, {"apiEndpoint": f"wss://{resource.name}.execute-api.us-east-1.amazonaws.com"}
        return resource.name, {}


@cache
def graph(stack: str = STACK) -> Graph:
    """What a stack registers, no document unknown."""
    return graph_of(stack_files.read(stack))


def graph_of(config: StackConfig) -> Graph:
    """The same of other settings."""
    return program_run.run(config, Documented(), preview=True).graph
