"""The mocked AWS of these tests, quicker: what it would work out again for every session, client or call, once.

Each replaces one function by its name, which the type checker knows: one that is renamed is told there.
"""

from functools import cache, lru_cache
from typing import Any

from botocore import useragent
from botocore.loaders import JSONFileLoader, Loader
from moto import backends
from moto.core import responses, utils
from moto.core.base_backend import BaseBackend
from moto.core.model import StructureShape
from moto.core.models import RESPONSES_METHODS
from moto.core.serialize import BaseJSONSerializer, Serialized
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser, Node

MODELS = 32
"""Not all services' models are kept: some tests go through hundreds."""


def install() -> None:
    """For this process and all of its tests."""
    # Every mocked AWS has a session of its own, which would read a megabyte of endpoints and a service's model again.
    # A loader of its own, too, so what is kept is kept by path alone.
    JSONFileLoader.load_file = staticmethod(lru_cache(MODELS)(JSONFileLoader().load_file))  # type: ignore[method-assign]
    # Which services there are, too, for which it would look into four hundred folders.
    Loader.list_available_services = staticmethod(cache(Loader().list_available_services))  # type: ignore[method-assign]
    # Boto3 alone is mocked here. For other clients each mock would take 1,288 addresses, a tenth of a small test.
    RESPONSES_METHODS.clear()
    # Which operations a service has, for which each call would go through its class.
    responses.method_names_from_class = cache(utils.method_names_from_class)  # type: ignore[attr-defined]
    # Which addresses are a service's, and where its backends are. S3's would be loaded anew with each call.
    BaseBackend.urls = property(_urls)  # type: ignore[assignment,method-assign]
    backends._import_backend = cache(backends._import_backend)
    useragent.sanitize_user_agent_string_component = cache(useragent.sanitize_user_agent_string_component)
    BaseJSONSerializer._serialize_type_structure = _structure  # type: ignore[method-assign]
    DepthFirstTraverser.traverse = _traverse


_any_urls = BaseBackend.urls.fget  # type: ignore[attr-defined]
_known_urls: dict[type[BaseBackend], Any] = {}


def _urls(self: BaseBackend) -> Any:
    """By class: all of a service's backends have the same."""
    if type(self) not in _known_urls:
        _known_urls[type(self)] = _any_urls(self)
    return _known_urls[type(self)]


def _traverse(self: DepthFirstTraverser, node: Node) -> Node:
    """Which kinds of nodes are worked on, which it would ask again at each."""
    kinds = self.nodes_to_be_processed()
    self.nodes_to_be_processed = lambda: kinds
    return self.traverse_node_recursively(node)


_any_structure = BaseJSONSerializer._serialize_type_structure


def _structure(self: BaseJSONSerializer, serialized: Serialized, value: Any, shape: StructureShape, key: str) -> None:
    """Of a value of DynamoDB's only what it has: ten names under three spellings each are a third of a call."""
    if shape.name != "AttributeValue" or not isinstance(value, dict):
        _any_structure(self, serialized, value, shape, key)
        return
    serialized[key] = {}
    for name, one in value.items():
        self._serialize(serialized[key], one, shape.members[name], name)
