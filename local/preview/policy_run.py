"""Evaluation of all policies in a preview, while the program still runs.

As soon as the program registers a resource, a thread sends it to the process of the policy pack. Findings are
violations of policies, and undecided checks, which need a value that is unknown in a preview. They are returned in the
order in which the program registered the resources.
"""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from local.preview.policy_pack_process import (
    PolicyDescription,
    PolicyFinding,
    PolicyPackProcess,
    PolicyResult,
    Remediation,
    merge_results,
)
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
        self._results: dict[str, Future[PolicyResult]] = {}
        """Results by URN."""
        self._previous_interval = sys.getswitchinterval()

    def __enter__(self) -> Self:
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        sys.setswitchinterval(self._previous_interval)

    def submit(self, resource: Resource) -> None:
        """Let a thread send a resource to the pack, without waiting for the result."""
        self._results[resource.urn] = self._threads.submit(self._analyze, resource)

    def finish(self, graph: Graph) -> Future[tuple[list[PolicyDescription], list[PolicyFinding], list[Remediation]]]:
        """Let a thread analyze the components and the whole stack. Call this when the program has ended.

        The future has all policies, findings and remediations.
        """
        return self._threads.submit(self._analyze_all, graph)

    def _analyze_all(self, graph: Graph) -> tuple[list[PolicyDescription], list[PolicyFinding], list[Remediation]]:
        policies = self._policies.result()
        findings, remediations = merge_results(map(self._result_of, graph))
        return policies, [*findings, *self._pack.analyze_stack(graph)], remediations

    def _analyze(self, resource: Resource) -> PolicyResult:
        self._policies.result()  # waits until the pack has loaded and is configured
        return self._pack.analyze_resource(resource)

    def _result_of(self, resource: Resource) -> PolicyResult:
        """Return the result of a resource. A component was not submitted, so it is analyzed now."""
        result = self._results.get(resource.urn)
        return self._analyze(resource) if result is None else result.result()
