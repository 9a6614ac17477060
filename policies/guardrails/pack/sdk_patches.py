"""Patches of Pulumi's policy SDK that make the pack faster and leave all findings unchanged.

Without them, the SDK decodes every resource again for every policy, and calls every policy for resources of every type.
For every policy that checks the whole stack, it builds the list of resources again. With the patches, a resource is
decoded once, because policies only read it. Only the policies that check a type are called for it. The list is built
once per request. A remediation modifies the resource, so it always gets its own copy.

The patches replace private names of the SDK. If a later version lacks one of the names, that patch is skipped: the
pack is slower, but correct.
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
    """Cache of a function's results by the identity of the argument. The argument is stored too, because Python reuses
    the identity of a deleted object.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._results: dict[int, tuple[Any, Any]] = {}

    def __call__(self, argument: Any) -> Any:
        entry = self._results.get(id(argument))
        if entry is None:
            entry = self._results[id(argument)] = (argument, self._function(argument))
        return entry[1]


class _CachingJsonFormat:
    """Wrapper of the SDK's `json_format` that returns the same structure for messages of equal content."""

    def __init__(self, json_format: ModuleType) -> None:
        self._json_format = json_format
        self._decoded: dict[bytes, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._json_format, name)

    def MessageToDict(self, message: Any) -> Any:  # noqa: N802 - the name in the SDK
        """Return a message as plain values."""
        content = message.SerializeToString()
        decoded = self._decoded.get(content)
        if decoded is None:
            decoded = self._decoded[content] = self._json_format.MessageToDict(message)
        return decoded


def cache_decoding() -> None:
    """Replace the SDK's decoding functions by cached functions. A second call changes nothing."""
    sdk: Any = importlib.import_module(SDK_MODULE)
    if not all(hasattr(sdk, name) for name in DECODING_FUNCTIONS) or isinstance(sdk.json_format, _CachingJsonFormat):
        return
    deserialize = sdk.deserialize_properties
    cached = _IdentityCache(deserialize)

    def deserialize_once(props: Any, proxy_secrets: bool = False) -> Any:
        return deserialize(props, True) if proxy_secrets else cached(props)

    sdk.json_format = _CachingJsonFormat(sdk.json_format)
    sdk.deserialize_properties = deserialize_once
    sdk.unknown_checking_proxy = _IdentityCache(sdk.unknown_checking_proxy)


class _ResourcesForFirstReader:
    """A request for a whole stack that returns its resources only to the first policy that reads them."""

    def __init__(self, request: Any) -> None:
        self._unread: Sequence[Any] = request.resources

    @property
    def resources(self) -> Sequence[Any]:
        """Return the resources on the first read, and an empty list afterwards."""
        resources, self._unread = self._unread, []
        return resources


def skip_unneeded_checks(applies_to: Callable[[str, str], bool]) -> None:
    """Replace the SDK's analyzer class. `applies_to` returns True if the named policy checks resources of a type.

    A second call changes nothing.
    """
    sdk: Any = importlib.import_module(SDK_MODULE)
    analyzer_class: Any = getattr(sdk, ANALYZER_CLASS, None)
    if POLICIES_ATTRIBUTE not in getattr(analyzer_class, "__annotations__", {}):
        return

    def analyze(self: Any, request: Any, context: Any) -> Any:
        narrowed = copy.copy(self)
        setattr(
            narrowed,
            POLICIES_ATTRIBUTE,
            [policy for policy in getattr(self, POLICIES_ATTRIBUTE) if applies_to(policy.name, request.type)],
        )
        return analyzer_class.Analyze(narrowed, request, context)

    def analyze_stack(self: Any, request: Any, context: Any) -> Any:
        return analyzer_class.AnalyzeStack(self, _ResourcesForFirstReader(request), context)

    setattr(
        sdk,
        ANALYZER_CLASS,
        type(ANALYZER_CLASS, (analyzer_class,), {"Analyze": analyze, "AnalyzeStack": analyze_stack}),
    )
