"""Simulation of the manifests of one day that arrive at once: how often each of them tries to start its Glue run.

A start is throttled above Glue's rate limit, and refused while all concurrent runs are taken. Then the manifest waits
and tries again. The workflow's retrier gives the number of attempts and the longest pauses. A pause is random between 0
and the longest one (full jitter). The clock is simulated.
"""

import heapq
import random
from dataclasses import dataclass

from components.blocks.workflow.state_definitions import Retry
from components.settings import IngestionSettings

ARRIVAL_SECONDS = 60
"""Assumed: time in which all manifests arrive."""
STARTS_PER_SECOND = 2
"""Assumed: starts of runs that Glue accepts or refuses per second and account, before it throttles. AWS publishes no
number. Users report throttling of 21 starts at once."""


@dataclass(frozen=True)
class WaitingResult:
    """Result of the simulation."""

    manifests: int
    failed: int
    """Manifests that used all their attempts without a run."""
    max_attempts: int
    """Most retries of one manifest: its attempts without the first one."""
    hours: float
    """Time until the last run has ended."""


def simulate_day_at_once(
    settings: IngestionSettings, retrier: Retry, starts_per_second: float = STARTS_PER_SECOND
) -> WaitingResult:
    """Simulate that all files of a day arrive at once. The random numbers are the same in each call."""
    manifests = round(settings.load.files_per_day / settings.files_per_run)
    run_seconds = settings.load.run_minutes * 60
    generator = random.Random(1)  # noqa: S311 - a simulation
    attempts = [0] * manifests
    starts = [(generator.uniform(0, ARRIVAL_SECONDS), manifest) for manifest in range(manifests)]
    heapq.heapify(starts)
    run_ends: list[float] = []
    failed, last_end, next_unthrottled = 0, 0.0, 0.0
    while starts:
        now, manifest = heapq.heappop(starts)
        while run_ends and run_ends[0] <= now:
            heapq.heappop(run_ends)
        throttled = now < next_unthrottled
        if not throttled:
            next_unthrottled = now + 1 / starts_per_second
        if not throttled and len(run_ends) < settings.spark.concurrent_runs:
            last_end = now + run_seconds
            heapq.heappush(run_ends, last_end)
        elif attempts[manifest] == retrier["MaxAttempts"]:
            failed += 1
        else:
            pause = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempts[manifest]
            heapq.heappush(starts, (now + generator.uniform(0, min(pause, retrier["MaxDelaySeconds"])), manifest))
            attempts[manifest] += 1
    return WaitingResult(manifests, failed, max(attempts), last_end / 3600)
