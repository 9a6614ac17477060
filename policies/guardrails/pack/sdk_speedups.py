"""Replacements for parts of Pulumi's policy SDK that make the pack faster and leave all findings unchanged.

For every policy, the SDK decodes every resource again, and calls the policy for resources of all types. Two functions
change this:

- `cache_decoding` makes the SDK decode each resource once. All policies share the result, because they only read it.
- `replace_analyzer` makes the SDK call a policy only for resources of the types that it checks. It also makes the SDK
  build the list of the stack's resources once instead of once for each policy that reads it.

The replaced names are no public interface of the SDK. If a later version of the SDK lacks one of them, the function
that replaces it does nothing: the pack is slower, but correct.
"""

import copy
import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

SDK_MODULE = "pulumi_policy.policy"
DECODING_NAMES = ("json_format", "deserialize_properties", "unknown_checking_proxy")
"""The module and the two functions with which the SDK decodes a resource."""
ANALYZER_CLASS = "_PolicyAnalyzerServicer"
"""The SDK's class that answers the engine's requests."""
POLICIES_ATTRIBUTE = f"{ANALYZER_CLASS}__policies"
"""Mangled name of the class's private attribute `__policies`."""


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
        content = message.SerializeToString()
        decoded = self._decoded.get(content)
        if decoded is None:
            decoded = self._decoded[content] = self._json_format.MessageToDict(message)
        return decoded


def cache_decoding() -> None:
    """Replace the SDK's decoding functions by functions that cache their results. A second call changes nothing."""
    sdk: Any = importlib.import_module(SDK_MODULE)
    if not all(hasattr(sdk, name) for name in DECODING_NAMES) or isinstance(sdk.json_format, _CachingJsonFormat):
        return
    deserialize = sdk.deserialize_properties
    cached = _IdentityCache(deserialize)

    def deserialize_once(props: Any, proxy_secrets: bool = False) -> Any:
        # The SDK sets proxy_secrets if the engine asks for remediations. No policy has one, so the result is not kept.
        return deserialize(props, True) if proxy_secrets else cached(props)

    sdk.json_format = _CachingJsonFormat(sdk.json_format)
    sdk.deserialize_properties = deserialize_once
    sdk.unknown_checking_proxy = _IdentityCache(sdk.unknown_checking_proxy)


class _RequestReadOnce:
    """A request for a whole stack whose list of resources is empty from the second read on.

    The SDK reads the list for every policy, and converts all resources again. `PolicyBuilder` of `policy_pack` keeps the
    resources that the first policy gets, so the other policies need none.
    """

    def __init__(self, request: Any) -> None:
        self._unread: Sequence[Any] = request.resources

    @property
    def resources(self) -> Sequence[Any]:
        resources, self._unread = self._unread, []
        return resources


def replace_analyzer(applies_to: Callable[[str, str], bool]) -> None:
    """Replace the SDK's analyzer class by a subclass that skips needless work. `applies_to` returns True if the named
    policy checks resources of a type. A second call changes nothing.
    """
    sdk: Any = importlib.import_module(SDK_MODULE)
    analyzer_class: Any = getattr(sdk, ANALYZER_CLASS, None)
    # Another version of the SDK may lack the attribute. In a second call, the class is the subclass from the first call,
    # which declares no attributes.
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
        return analyzer_class.AnalyzeStack(self, _RequestReadOnce(request), context)

    setattr(
        sdk,
        ANALYZER_CLASS,
        type(ANALYZER_CLASS, (analyzer_class,), {"Analyze": analyze, "AnalyzeStack": analyze_stack}),
    )
