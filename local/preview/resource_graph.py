"""Graph of the resources that a run of the program registered, with their inputs, outputs and dependencies."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import Struct

from local.preview.property_values import Props, UnsupportedAsset, to_python_properties

if TYPE_CHECKING:
    # Importing Pulumi takes longer than a command such as `make push`, which does not run the program.
    from pulumi.runtime.proto import resource_pb2

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass
class Resource:
    """One registered resource."""

    urn: str
    type: str
    """Type in Pulumi, for example `aws:s3/bucket:Bucket`."""
    name: str
    """Name that the program gives the resource in Pulumi, not its name on AWS."""
    parent: str
    """URN of the parent component, or an empty text."""
    custom: bool
    """True if a provider creates the resource. False for a component."""
    request: "resource_pb2.RegisterResourceRequest"
    """Message of the registration, with the resource's options."""
    inputs: Props
    """Input properties as Python values."""
    id: str = ""
    """Physical id, or an empty text if it is unknown."""
    outputs: Struct = field(default_factory=Struct)
    """Inputs and outputs in Pulumi's wire format."""

    @property
    def depends_on(self) -> set[str]:
        """URNs of the resources that must exist before this one: explicit dependencies and property dependencies."""
        return {*self.request.dependencies, *self.property_dependencies}

    @property
    def property_dependencies(self) -> set[str]:
        """URNs of the resources whose outputs this resource's properties use."""
        return {urn for dependencies in self.request.propertyDependencies.values() for urn in dependencies.urns}

    @property
    def kind(self) -> str:
        """Resource type without package and module, for example `Bucket`."""
        return self.type.rpartition(":")[2]


class Graph:
    """Resources in the order of their registration. Several threads may add resources."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {}
        self._lock = threading.Lock()

    def add(self, urn: str, request: "resource_pb2.RegisterResourceRequest") -> Resource:
        """Add a registration. Raise ValueError for a second resource with the same URN, as Pulumi's engine does.

        Raise UnsupportedAsset, which names the resource, for an asset or archive in an unsupported form.
        """
        try:
            inputs = to_python_properties(request.object)
        except UnsupportedAsset as error:
            raise UnsupportedAsset(f"{request.name}: {error}") from None
        resource = Resource(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            custom=request.custom,
            request=request,
            inputs=inputs,
        )
        with self._lock:
            if urn in self._resources:
                raise ValueError(f"two resources have the URN {urn}: give one of them another name")
            self._resources[urn] = resource
        return resource

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._resources.values()))

    def __len__(self) -> int:
        return len(self._resources)

    def __getitem__(self, urn: str) -> Resource:
        return self._resources[urn]

    def children(self, urn: str) -> list[Resource]:
        """Return the resources with the given parent."""
        return [resource for resource in self if resource.parent == urn]

    def customs(self) -> list[Resource]:
        """Return the resources that a provider creates, without components."""
        return [resource for resource in self if resource.custom]

    @property
    def stack(self) -> Resource:
        """Root resource, which holds the stack's outputs."""
        return next(resource for resource in self if resource.type == STACK_TYPE)
