"""Resource monitor that records the resources that the program registers, and lets a provider create them.

The program registers resources with a resource monitor, which is usually a part of Pulumi's engine. This monitor needs no
engine. It extends the monitor of Pulumi's mock runtime. The SDK registers a resource only after all its dependencies are
created, so independent resources are created concurrently, and dependent resources in order.
"""

from collections.abc import Callable
from typing import Any, Protocol, cast

import pulumi
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import resource_pb2

from local.preview.resource_graph import STACK_TYPE, Graph, Resource
from local.property_values import Props, to_python_properties


class Provider(Protocol):
    """Replacement for the AWS provider, for example the provider of a preview or of the local platform."""

    def call(self, token: str, arguments: Props) -> Props:
        """Return the result of a provider function such as `aws:index/getRegion:getRegion`."""

    def make(self, resource: Resource, /) -> tuple[str, Props]:
        """Create a custom resource. Return its id (empty if unknown), and its outputs in addition to its inputs."""


class Monitor(MockMonitor):
    """Monitor that records every registration in a graph."""

    def __init__(self, provider: Provider, report: Callable[[Resource], None]) -> None:
        super().__init__(cast("Any", None))  # It needs no mocks, because it answers every request itself.
        self.graph = Graph()
        self._provider = provider
        self._report = report

    def Invoke(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Call a provider function. The inherited method would leave an event loop open in this thread."""
        response = resource_pb2.ResourceInvokeResponse()
        result: Struct = getattr(response, "return")  # The protocol's field name is a Python keyword.
        result.update(self._provider.call(request.tok, to_python_properties(request.args)))
        return response

    def RegisterResource(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Record a resource. If it is a custom resource, let the provider create it."""
        resource = self.graph.add(_urn(request), request)
        self._report(resource)
        outputs = Struct()
        outputs.CopyFrom(request.object)
        if resource.custom:
            resource.id, provider_outputs = self._provider.make(resource)
            outputs.update(provider_outputs)
        resource.outputs = outputs
        return resource_pb2.RegisterResourceResponse(urn=resource.urn, id=resource.id, object=outputs)

    def RegisterResourceOutputs(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Store the outputs of a component."""
        self.graph[request.urn].outputs = request.outputs
        return empty_pb2.Empty()


def _urn(request: resource_pb2.RegisterResourceRequest) -> str:
    """Return the URN that Pulumi's engine would assign. It contains the types of all ancestors except the stack."""
    ancestors = request.parent.split("::")[2] if request.parent else STACK_TYPE
    kind = request.type if ancestors == STACK_TYPE else f"{ancestors}${request.type}"
    return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{kind}::{request.name}"
