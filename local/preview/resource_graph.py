"""What a run of the program registered: every resource with its inputs, outputs and dependencies."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import resource_pb2

from local.preview.property_values import Props, properties

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass
class Resource:
    """One registration."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    request: resource_pb2.RegisterResourceRequest
    inputs: Props
    id: str = ""
    outputs: Struct = field(default_factory=Struct)

    @property
    def depends_on(self) -> set[str]:
        """URNs of everything that must exist before this."""
        found = set(self.request.dependencies)
        for dependencies in self.request.propertyDependencies.values():
            found.update(dependencies.urns)
        return found

    @property
    def made_of(self) -> set[str]:
        """URNs of what its properties come from."""
        return {urn for one in self.request.propertyDependencies.values() for urn in one.urns}

    @property
    def kind(self) -> str:
        """The type without package and module: `Bucket`."""
        return self.type.rpartition(":")[2]


class Graph:
    """Resources in the order of their registration. Registrations arrive from several threads."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {}
        self._lock = threading.Lock()

    def add(self, urn: str, request: resource_pb2.RegisterResourceRequest) -> Resource:
        """Records a registration; two of one URN are refused, as the engine does."""
        resource = Resource(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            custom=request.custom,
            request=request,
            inputs=properties(request.object),
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
        """What has this resource as its parent."""
        return [one for one in self if one.parent == urn]

    def customs(self) -> list[Resource]:
        """What a provider makes, components left out."""
        return [one for one in self if one.custom]

    @property
    def stack(self) -> Resource:
        """The root, which holds the stack's outputs."""
        return next(one for one in self if one.type == STACK_TYPE)
