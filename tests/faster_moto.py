"""Faster moto: the models of services are read once, and only existing members of DynamoDB values are serialised."""

from functools import lru_cache

from botocore.loaders import JSONFileLoader
from moto.core.model import StructureShape
from moto.core.serialize import BaseJSONSerializer, Serialized

MAX_CACHED_FILES = 32
"""Maximum number of model files in memory. Some tests read the models of hundreds of services."""


def install() -> None:
    """Replace the slow functions for all tests of the process."""
    # Every mocked AWS has its own session, which would read a megabyte of endpoints and a service's model again.
    JSONFileLoader.load_file = staticmethod(lru_cache(MAX_CACHED_FILES)(JSONFileLoader().load_file))  # type: ignore[method-assign]
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
