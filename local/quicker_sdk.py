"""Does in fewer steps what Pulumi's SDK spends near half of a run with.

Each function gives what the SDK's own gives, and takes its place while a program runs; a test compares runs with and
without. They stand on names that are private to the version that is pinned: an upgrade that lacks one fails at once.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pulumi import Output, Resource
from pulumi.output import Unknown, _OutputData
from pulumi.runtime import resource, rpc
from pulumi.runtime.proto import source_pb2

Resolver = Callable[[Any, bool, bool, set[Resource] | None, Exception | None], None]


def contains_unknowns(value: object, seen: set[int] | None = None) -> bool:
    """Whether something in a value is not known.

    The SDK's own makes a function that holds itself for each value: most of the garbage of a run.
    """
    if isinstance(value, Unknown):
        return True
    inner: Collection[object] = ()
    if isinstance(value, dict):
        inner = dict.values(value)  # some of the SDK's own have a property called `values`
    elif isinstance(value, list):
        inner = value
    seen = set() if seen is None else seen
    if not inner or id(value) in seen:
        return False
    seen.add(id(value))
    return any(contains_unknowns(one, seen) for one in inner)


def transfer_properties(res: Resource, props: Iterable[str], custom: bool) -> dict[str, Resolver]:
    """Gives a resource its outputs, and back what resolves each of them.

    The SDK's own lets a task wait for four parts of each, one after the other. They come together.
    """
    resolvers: dict[str, Resolver] = {}
    for name in props:
        if name != "urn" and not (name == "id" and custom):
            data: asyncio.Future[_OutputData[Any]] = asyncio.Future()
            res.__dict__[name] = Output._from_data(data)  # noqa: SLF001 - as the SDK makes those of urn and id
            resolvers[name] = partial(_resolve, res, data)
    return resolvers


def _resolve(
    res: Resource,
    data: "asyncio.Future[_OutputData[Any]]",
    value: Any,
    is_known: bool,
    is_secret: bool,
    deps: set[Resource] | None,
    failed: Exception | None,
) -> None:
    if failed is not None:
        data.set_exception(failed)
    else:
        data.set_result(_OutputData({*(deps or ()), res}, value, is_known, is_secret))


REPLACED: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
    (rpc, "contains_unknowns", contains_unknowns),
    (rpc, "transfer_properties", transfer_properties),
    # Which lines of code made a resource: nobody asks here, and it is a fifth of a run.
    (resource, "_get_stack_trace", source_pb2.StackTrace),
)


@contextmanager
def quicker_sdk() -> Iterator[None]:
    """The SDK with these in place of its own."""
    before = [getattr(module, name) for module, name, _ in REPLACED]
    try:
        for module, name, ours in REPLACED:
            setattr(module, name, ours)
        yield
    finally:
        for (module, name, _), own in zip(REPLACED, before, strict=True):
            setattr(module, name, own)
