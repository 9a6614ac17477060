"""Speeds up the mocked AWS of these tests: service models are read once, and DynamoDB values are serialised sparsely."""

from functools import lru_cache

from botocore.loaders import JSONFileLoader
from moto.core.model import StructureShape
from moto.core.serialize import BaseJSONSerializer, Serialized

MODELS = 32
"""Not all services' models are kept: some tests go through hundreds."""


def install() -> None:
    """Install this for the process and all of its tests."""
    # Every mocked AWS has its own session, which would read a megabyte of endpoints and a service's model again.
    JSONFileLoader.load_file = staticmethod(lru_cache(MODELS)(JSONFileLoader().load_file))  # type: ignore[method-assign]
    BaseJSONSerializer._serialize_type_structure = _serialize  # type: ignore[method-assign]


_serialize_any = BaseJSONSerializer._serialize_type_structure


def _serialize(
    self: BaseJSONSerializer, serialized: Serialized, value: object, shape: StructureShape, key: str
) -> None:
    """Serialise only the member that a DynamoDB value has. Moto would try ten names in three spellings each."""
    if shape.name != "AttributeValue" or not isinstance(value, dict):
        _serialize_any(self, serialized, value, shape, key)
        return
    serialized[key] = {}
    for name, inner in value.items():
        self._serialize(serialized[key], inner, shape.members[name], name)
