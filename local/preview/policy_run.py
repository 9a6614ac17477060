"""Evaluation of all policies in a preview, while the program still runs.

As soon as the program registers a resource, a thread sends it to the process of the policy pack, after the resources
that it depends on. Policies rely on this order of the CLI: a role is checked before the permissions that it gets.
"""

import sys
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import chain
from typing import Self

from local.preview.policy_pack_process import PolicyDescription, PolicyFinding, PolicyPackProcess
from local.preview.resource_graph import Graph, Resource

SWITCH_INTERVAL_SECONDS = 0.00005
"""Python's switch interval during a preview. With the default, 5 ms, the threads that call the pack would wait too long
for the thread that runs the program."""


MAX_CONCURRENT_CALLS = 8
"""Number of concurrent calls to the pack."""


class PolicyRun:
    """Thread pool that sends resources to the policy pack, as soon as the pack has loaded."""

    def __init__(self, pack: PolicyPackProcess) -> None:
        self._pack = pack
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_CALLS, "policy_run")
        self._policies: Future[list[PolicyDescription]] = self._threads.submit(pack.policies)
        self._findings: dict[str, Future[list[PolicyFinding]]] = {}
        """Findings by URN, in the order of registration."""
        self._previous_interval = sys.getswitchinterval()

    def __enter__(self) -> Self:
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        sys.setswitchinterval(self._previous_interval)

    def submit(self, resource: Resource) -> None:
        """Let a thread send a resource to the pack, without waiting for the findings."""
        earlier = [self._findings[urn] for urn in {resource.parent, *resource.depends_on} if urn in self._findings]
        self._findings[resource.urn] = self._threads.submit(self._analyze, resource, earlier)

    def finish(self, graph: Graph) -> Future[tuple[list[PolicyDescription], list[PolicyFinding]]]:
        """Let a thread send the whole stack. Call this when the program has ended. The future has all policies and
        findings.
        """
        return self._threads.submit(self._analyze_stack, graph)

    def _analyze(self, resource: Resource, earlier: list[Future[list[PolicyFinding]]]) -> list[PolicyFinding]:
        """Analyze a resource after its parent and the resources that it depends on, as the CLI does."""
        self._policies.result()  # waits until the pack has loaded and is configured
        wait(earlier)
        return self._pack.analyze_resource(resource)

    def _analyze_stack(self, graph: Graph) -> tuple[list[PolicyDescription], list[PolicyFinding]]:
        policies = self._policies.result()
        findings = [*chain.from_iterable(each.result() for each in self._findings.values())]
        return policies, [*findings, *self._pack.analyze_stack(graph)]
