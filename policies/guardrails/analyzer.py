"""The SDK's analyzer, spared what it does for nothing.

It asks every policy about every resource, whatever its type, and puts a stack's resources together anew for every
policy that looks at the whole. Here only the policies that judge a type are asked about it, and a stack is put together
once a request. The class and its attribute are the SDK's own; where a later version lacks one, its analyzer is left as
it is and the pack is slower, not wrong.
"""

import copy
import importlib
from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from typing import Any, Generic, TypeVar

from guardrails.decoding import SDK

ANALYZER = "_PolicyAnalyzerServicer"
POLICIES = f"{ANALYZER}__policies"
Listed = TypeVar("Listed")
Read = TypeVar("Read")


class Whole(Generic[Listed, Read]):
    """What a stack's resources are to policies, made of the SDK's once a request."""

    def __init__(self, make: Callable[[Sequence[Listed]], Read]) -> None:
        self._make = make
        self._read: ContextVar[Read] = ContextVar("read")

    def __call__(self, resources: Sequence[Listed]) -> Read:
        """The same for all policies of a request: resources are listed for the first one of them."""
        if resources or self._read.get(None) is None:
            self._read.set(self._make(resources))
        return self._read.get()


class _ListedOnce:
    """A request about a whole stack, whose resources can be had once."""

    def __init__(self, request: Any) -> None:
        self._left: Sequence[Any] = request.resources

    @property
    def resources(self) -> Sequence[Any]:
        """What the SDK goes through for each policy."""
        found, self._left = self._left, []
        return found


def ask_less(judges: Callable[[str, str], bool]) -> None:
    """Replaces the SDK's analyzer; `judges` says whether a policy, by name, has anything to do with a type.

    A second call changes nothing.
    """
    sdk: Any = importlib.import_module(SDK)
    plain: Any = getattr(sdk, ANALYZER, None)
    if POLICIES not in getattr(plain, "__annotations__", {}):
        return

    def analyze(self: Any, request: Any, context: Any) -> Any:
        asked = copy.copy(self)
        setattr(asked, POLICIES, [one for one in getattr(self, POLICIES) if judges(one.name, request.type)])
        return plain.Analyze(asked, request, context)

    def analyze_stack(self: Any, request: Any, context: Any) -> Any:
        return copy_context().run(plain.AnalyzeStack, self, _ListedOnce(request), context)

    setattr(sdk, ANALYZER, type(ANALYZER, (plain,), {"Analyze": analyze, "AnalyzeStack": analyze_stack}))
