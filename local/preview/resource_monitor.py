"""The engine's side of a run: records what the program registers, and lets a provider make it.

The program is unmodified and talks to Pulumi's own mock runtime. By the time a registration arrives, the SDK has
awaited all that it depends on, so independent resources are made concurrently and dependent ones in order.
"""

from typing import Any, Protocol

import pulumi
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2

from local.preview.property_values import Props, properties
from local.preview.resource_graph import STACK_TYPE, Graph, Resource


class Provider(Protocol):
    """What stands in for the AWS provider."""

    def call(self, token: str, arguments: Props) -> Props:
        """Answers a function such as `aws:index/getRegion:getRegion`."""

    def make(self, resource: Resource, /) -> tuple[str, Props]:
        """Makes a resource; returns its id (empty: unknown) and the outputs beyond its inputs."""


class _Unused(Mocks):
    """The mock runtime asks for mocks; every request is answered by the monitor itself."""

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError(args.typ)


class Monitor(MockMonitor):
    """Records every registration in a graph."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(_Unused())
        self.graph = Graph()
        self._provider = provider

    def Invoke(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Answers a function of the provider; the mock itself would leave an event loop open in this thread."""
        response = resource_pb2.ResourceInvokeResponse()
        answer: Struct = getattr(response, "return")  # a keyword of Python, and the protocol's name
        answer.update(self._provider.call(request.tok, properties(request.args)))
        return response

    def RegisterResource(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Records and, where it is not a component, makes a resource."""
        resource = self.graph.add(_urn(request), request)
        outputs = Struct()
        outputs.CopyFrom(request.object)
        if resource.custom:
            resource.id, made = self._provider.make(resource)
            outputs.update(made)
        resource.outputs = outputs
        return resource_pb2.RegisterResourceResponse(urn=resource.urn, id=resource.id, object=outputs)

    def RegisterResourceOutputs(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Keeps what a component says of itself."""
        self.graph[request.urn].outputs = request.outputs
        return empty_pb2.Empty()


def _urn(request: resource_pb2.RegisterResourceRequest) -> str:
    """The URN as the engine makes it: the types of all ancestors, the stack's left out."""
    ancestors = request.parent.split("::")[2] if request.parent else STACK_TYPE
    kind = request.type if ancestors == STACK_TYPE else f"{ancestors}${request.type}"
    return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{kind}::{request.name}"
