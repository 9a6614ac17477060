"""Evaluation of all policies in a preview, while the program still runs.

As soon as the program registers a resource, a thread sends it to the process of the policy pack. Findings are
violations of policies, and undecided checks, which need a value that is unknown in a preview. They are returned in the
order in which the program registered the resources.
"""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Self

from local.preview.policy_pack_process import PolicyDescription, PolicyFinding, PolicyPackProcess
from local.preview.preview_provider import PreviewProvider
from local.preview.property_value_conversion import Props
from local.preview.resource_graph import Graph, Resource


class ReportingProvider(PreviewProvider):
    """Provider of a preview that reports each resource to a callback."""

    def __init__(self, report: Callable[[Resource], None]) -> None:
        self._report = report

    def make(self, resource: Resource) -> tuple[str, Props]:
        """Report a resource."""
        self._report(resource)
        return super().make(resource)


MAX_CONCURRENT_CALLS = 8
"""Number of concurrent calls to the pack. The CLI also analyzes several resources at once."""
SWITCH_INTERVAL_SECONDS = 0.00005
"""Python's switch interval during a preview. With the default, 5 ms, the threads that call the pack would wait too long
for the thread that runs the program."""


class PolicyRun:
    """Thread pool that sends resources to the policy pack, as soon as the pack has loaded."""

    def __init__(self, pack: PolicyPackProcess) -> None:
        self._pack = pack
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_CALLS, "policy_run")
        self._policies: Future[list[PolicyDescription]] = self._threads.submit(pack.policies)
        self._findings: dict[str, Future[list[PolicyFinding]]] = {}
        """Findings by URN."""
        self._previous_interval = sys.getswitchinterval()

    def __enter__(self) -> Self:
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        sys.setswitchinterval(self._previous_interval)

    def submit(self, resource: Resource) -> None:
        """Let a thread send a resource to the pack, without waiting for the findings."""
        self._findings[resource.urn] = self._threads.submit(self._analyze, resource)

    def finish(self, graph: Graph) -> Future[tuple[list[PolicyDescription], list[PolicyFinding]]]:
        """Let a thread analyze the components and the whole stack. Call this when the program has ended.

        The future has all policies and findings.
        """
        return self._threads.submit(self._analyze_all, graph)

    def _analyze_all(self, graph: Graph) -> tuple[list[PolicyDescription], list[PolicyFinding]]:
        policies = self._policies.result()
        return policies, [*chain.from_iterable(map(self._findings_on, graph)), *self._pack.analyze_stack(graph)]

    def _analyze(self, resource: Resource) -> list[PolicyFinding]:
        self._policies.result()  # waits until the pack has loaded and is configured
        return self._pack.analyze_resource(resource)

    def _findings_on(self, resource: Resource) -> list[PolicyFinding]:
        """Return the findings on a resource. A component was not submitted, so it is analyzed now."""
        findings = self._findings.get(resource.urn)
        return self._analyze(resource) if findings is None else findings.result()
