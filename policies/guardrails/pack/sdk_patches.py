"""The SDK's analyzer, spared what it does for nothing.

It decodes every resource anew for every policy, asks every policy about every resource, whatever its type, and puts a
stack's resources together anew for every policy that looks at the whole. Here a resource is decoded once, because
policies only read it; only the policies that judge a type are asked about it; and a stack is put together once a
request. Remediation, which writes, always gets a copy of its own. The names that are replaced are the SDK's own; where
a later version lacks one, that part of its analyzer is left as it is and the pack is slower, not wrong.
"""

import copy
import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

SDK_MODULE = "pulumi_policy.policy"
DECODING_FUNCTIONS = ("json_format", "deserialize_properties", "unknown_checking_proxy")
ANALYZER_CLASS = "_PolicyAnalyzerServicer"
POLICIES_ATTRIBUTE = f"{ANALYZER_CLASS}__policies"


class _IdentityCache:
    """Remembers what a function made of an object, by identity; the object is kept, so that its identity stays."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._made: dict[int, tuple[Any, Any]] = {}

    def __call__(self, given: Any) -> Any:
        found = self._made.get(id(given))
        if found is None:
            found = self._made[id(given)] = (given, self._function(given))
        return found[1]


class _CachingJsonFormat:
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


def cache_decoding() -> None:
    """Replaces the SDK's decoding; a second call changes nothing."""
    sdk: Any = importlib.import_module(SDK_MODULE)
    if not all(hasattr(sdk, name) for name in DECODING_FUNCTIONS) or isinstance(sdk.json_format, _CachingJsonFormat):
        return
    deserialize = sdk.deserialize_properties
    shared = _IdentityCache(deserialize)

    def deserialized(props: Any, proxy_secrets: bool = False) -> Any:
        return deserialize(props, True) if proxy_secrets else shared(props)

    sdk.json_format = _CachingJsonFormat(sdk.json_format)
    sdk.deserialize_properties = deserialized
    sdk.unknown_checking_proxy = _IdentityCache(sdk.unknown_checking_proxy)


class _ResourcesForFirstReader:
    """A request about a whole stack that gives its resources to the first policy only."""

    def __init__(self, request: Any) -> None:
        self._left: Sequence[Any] = request.resources

    @property
    def resources(self) -> Sequence[Any]:
        """What the SDK decodes for each policy."""
        found, self._left = self._left, []
        return found


def skip_unneeded_checks(judges: Callable[[str, str], bool]) -> None:
    """Replaces the SDK's analyzer; `judges` says whether a policy, by name, has anything to do with a type.

    A second call changes nothing.
    """
    sdk: Any = importlib.import_module(SDK_MODULE)
    plain: Any = getattr(sdk, ANALYZER_CLASS, None)
    if POLICIES_ATTRIBUTE not in getattr(plain, "__annotations__", {}):
        return

    def analyze(self: Any, request: Any, context: Any) -> Any:
        asked = copy.copy(self)
        setattr(
            asked,
            POLICIES_ATTRIBUTE,
            [policy for policy in getattr(self, POLICIES_ATTRIBUTE) if judges(policy.name, request.type)],
        )
        return plain.Analyze(asked, request, context)

    def analyze_stack(self: Any, request: Any, context: Any) -> Any:
        return plain.AnalyzeStack(self, _ResourcesForFirstReader(request), context)

    setattr(sdk, ANALYZER_CLASS, type(ANALYZER_CLASS, (plain,), {"Analyze": analyze, "AnalyzeStack": analyze_stack}))
