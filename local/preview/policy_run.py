"""Judging while the program runs: the program and the pack are two processes, and each has something to do.

What is found is told in the order in which resources were registered, however the two have taken turns.
"""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from local.preview.policy_pack_process import Found, Judgement, Pack, Remediation, Rule, together
from local.preview.property_values import Props
from local.preview.resource_graph import Graph, Resource
from local.preview.resource_monitor import Provider


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


QUESTIONS_AT_ONCE = 8
"""As the CLI asks of several resources at once."""
SECONDS_A_TURN = 0.00005
"""How long the program may keep the interpreter from a thread that has its answer and another question."""


class Judging:
    """Many questions at once, in threads of their own, as soon as the pack's rules are read."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._asking = ThreadPoolExecutor(QUESTIONS_AT_ONCE, "judging")
        self._rules: Future[list[Rule]] = self._asking.submit(pack.rules)
        self._found: dict[str, Future[Found]] = {}
        self._turns = sys.getswitchinterval()

    def __enter__(self) -> Self:
        sys.setswitchinterval(SECONDS_A_TURN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.shutdown(cancel_futures=True)
        sys.setswitchinterval(self._turns)

    def saw(self, resource: Resource) -> None:
        """Judges a resource as soon as there is a thread for it."""
        self._found[resource.urn] = self._asking.submit(self._judge, resource)

    def ended(self, graph: Graph) -> Future[tuple[list[Rule], list[Judgement], list[Remediation]]]:
        """Judges what is left, and the stack as a whole; gives all that was found."""
        return self._asking.submit(self._all, graph)

    def _all(self, graph: Graph) -> tuple[list[Rule], list[Judgement], list[Remediation]]:
        rules = self._rules.result()
        judgements, remediations = together(map(self._judged, graph))
        return rules, [*judgements, *self._pack.judge_stack(graph)], remediations

    def _judge(self, resource: Resource) -> Found:
        self._rules.result()
        return self._pack.judge_resource(resource)

    def _judged(self, resource: Resource) -> Found:
        seen = self._found.get(resource.urn)
        return self._judge(resource) if seen is None else seen.result()
