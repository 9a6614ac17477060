"""Judging while the program runs: the program and the pack are two processes, and each has something to do.

What is found is told in the order in which resources were registered, however the two have taken turns.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from local.graph import Graph, Resource
from local.monitor import Provider
from local.pack import Found, Judgement, Pack, Remediation, Rule, together
from local.values import Props


@dataclass(frozen=True)
class Watched:
    """A provider that tells of every resource that it is about to make."""

    provider: Provider
    saw: Callable[[Resource], None]

    def call(self, token: str, arguments: Props) -> Props:
        """Its answer."""
        return self.provider.call(token, arguments)

    def make(self, resource: Resource) -> tuple[str, Props]:
        """What it makes."""
        self.saw(resource)
        return self.provider.make(resource)


class Judging:
    """One question after the other, in a thread of its own: the pack asks for its rules to be read first."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._asking = ThreadPoolExecutor(1, "judging")
        self._rules: Future[list[Rule]] = self._asking.submit(pack.rules)
        self._found: dict[str, Future[Found]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.shutdown(cancel_futures=True)

    def saw(self, resource: Resource) -> None:
        """Judges a resource as soon as those before it are judged."""
        self._found[resource.urn] = self._asking.submit(self._pack.judge_resource, resource)

    def ended(self, graph: Graph) -> Future[tuple[list[Rule], list[Judgement], list[Remediation]]]:
        """Judges what is left, and the stack as a whole; gives all that was found."""
        return self._asking.submit(self._all, graph)

    def _all(self, graph: Graph) -> tuple[list[Rule], list[Judgement], list[Remediation]]:
        rules = self._rules.result()
        judgements, remediations = together(map(self._judged, graph))
        return rules, [*judgements, *self._pack.judge_stack(graph)], remediations

    def _judged(self, resource: Resource) -> Found:
        seen = self._found.get(resource.urn)
        return self._pack.judge_resource(resource) if seen is None else seen.result()
