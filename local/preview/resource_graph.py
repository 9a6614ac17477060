"""Graph of the resources that a run of the program registered, with their inputs, outputs and dependencies.

In Pulumi's terms, a provider creates a custom resource, for example a bucket, and a component groups other resources.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import Struct

from local.property_values import Props, UnsupportedAsset, to_python_properties

if TYPE_CHECKING:
    # Commands that do not run the program, for example `make push`, import this module, too. The import of Pulumi would
    # take longer than such a command.
    from pulumi.runtime.proto import resource_pb2

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass
class Resource:
    """One registered resource."""

    urn: str
    type: str
    """Type in Pulumi, for example `aws:s3/bucket:Bucket`."""
    name: str
    """Name that the resource has in Pulumi, not its name on AWS."""
    parent: str
    """URN of the parent component, or an empty text for the stack."""
    custom: bool
    """True for a custom resource, False for a component."""
    request: "resource_pb2.RegisterResourceRequest"
    """The SDK's request to register the resource, which also contains its options and dependencies."""
    inputs: Props
    id: str = ""
    """Physical id, or an empty text if it is unknown. `program_run.py` sets it and the outputs after the registration."""
    outputs: Struct = field(default_factory=Struct)
    """Outputs in Pulumi's wire format. Those of a custom resource include its inputs."""

    @property
    def depends_on(self) -> set[str]:
        """URNs of the resources that must exist before this resource: explicit and property dependencies."""
        return {*self.request.dependencies, *self.property_dependencies}

    @property
    def property_dependencies(self) -> set[str]:
        """URNs of the resources whose outputs occur in this resource's inputs."""
        return {urn for dependencies in self.request.propertyDependencies.values() for urn in dependencies.urns}

    @property
    def kind(self) -> str:
        """Last part of the type, for example `Bucket` for `aws:s3/bucket:Bucket`."""
        return self.type.rpartition(":")[2]


class Graph:
    """Resources in the order of their registration. Several threads may add resources."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {}
        self._lock = threading.Lock()

    def add(self, urn: str, request: "resource_pb2.RegisterResourceRequest") -> Resource:
        """Add the resource of a registration request, and return it.

        Raise ValueError for a second resource with the same URN, as Pulumi's engine does. Raise UnsupportedAsset for an
        asset or archive with a URI.
        """
        try:
            inputs = to_python_properties(request.object)
        except UnsupportedAsset as error:
            raise UnsupportedAsset(f"{request.name}: {error}") from None
        resource = Resource(urn, request.type, request.name, request.parent, request.custom, request, inputs)
        with self._lock:
            if urn in self._resources:
                raise ValueError(f"two resources have the URN {urn}: give one of them another name")
            self._resources[urn] = resource
        return resource

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._resources.values()))  # a copy, because another thread may add a resource meanwhile

    def __len__(self) -> int:
        return len(self._resources)

    def __getitem__(self, urn: str) -> Resource:
        return self._resources[urn]

    def children(self, urn: str) -> list[Resource]:
        """Return the resources whose parent has the given URN."""
        return [resource for resource in self if resource.parent == urn]

    def customs(self) -> list[Resource]:
        """Return the custom resources, without components."""
        return [resource for resource in self if resource.custom]

    @property
    def stack(self) -> Resource:
        """Root resource, which holds the stack's outputs."""
        return next(resource for resource in self if resource.type == STACK_TYPE)
