"""Makes the SDK decode each resource once, not once a policy.

The SDK turns a resource from the wire into plain values anew for every policy that may look at it. With this pack's
policies over a whole platform that is most of a preview's time. Policies only read, so what was decoded can be
shared. The three names that are replaced are the SDK's own; where a later version lacks one of them, nothing is
replaced and the pack is slower, not wrong. Remediation, which writes, always gets a copy of its own.
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

SDK = "pulumi_policy.policy"
NAMES = ("json_format", "deserialize_properties", "unknown_checking_proxy")


class _Once:
    """Remembers what a function made of an object, by identity; the object is kept, so that its identity stays."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._made: dict[int, tuple[Any, Any]] = {}

    def __call__(self, given: Any) -> Any:
        found = self._made.get(id(given))
        if found is None:
            found = self._made[id(given)] = (given, self._function(given))
        return found[1]


class _Messages:
    """The SDK's `json_format`, which gives one and the same structure for messages of the same content."""

    def __init__(self, json_format: ModuleType) -> None:
        self._json_format = json_format
        self._decoded: dict[bytes, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._json_format, name)

    def MessageToDict(self, message: Any) -> Any:  # noqa: N802 - the name it stands for
        """A message as plain values."""
        content = message.SerializeToString()
        found = self._decoded.get(content)
        if found is None:
            found = self._decoded[content] = self._json_format.MessageToDict(message)
        return found


def decode_once() -> None:
    """Replaces the SDK's decoding; a second call changes nothing."""
    sdk: Any = importlib.import_module(SDK)
    if not all(hasattr(sdk, name) for name in NAMES) or isinstance(sdk.json_format, _Messages):
        return
    deserialize, proxy = sdk.deserialize_properties, sdk.unknown_checking_proxy
    shared = _Once(deserialize)

    def deserialized(props: Any, proxy_secrets: bool = False) -> Any:
        return deserialize(props, True) if proxy_secrets else shared(props)

    sdk.json_format = _Messages(sdk.json_format)
    sdk.deserialize_properties = deserialized
    sdk.unknown_checking_proxy = _Once(proxy)
