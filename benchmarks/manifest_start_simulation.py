"""Simulation of the manifests of one day that arrive at once: how long they wait for their Glue runs, and how often
each tries to start its run. A manifest is a list of files for a single Glue run.

Glue throttles starts above a rate limit, and refuses a start while the maximum number of runs is in progress. The
workflow then waits and tries again. Its retrier limits the number of retries and the length of each pause. A pause has
a random length between 0 and this limit (full jitter). The clock is simulated.
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
    """Number of manifests that used all their retries without a run."""
    max_retries: int
    """Number of retries of the manifest that needed most."""
    hours: float
    """Time until the last run has ended."""


def simulate_day_at_once(
    settings: IngestionSettings, retrier: Retry, starts_per_second: float = STARTS_PER_SECOND
) -> WaitingResult:
    """Simulate that all files of a day arrive at once. The random numbers are the same in each call."""
    manifests = round(settings.load.files_per_day / settings.files_per_run)
    run_seconds = settings.load.run_minutes * 60
    generator = random.Random(1)  # noqa: S311 - a simulation
    retries = [0] * manifests
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
        elif retries[manifest] == retrier["MaxAttempts"]:
            failed += 1
        else:
            pause = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** retries[manifest]
            heapq.heappush(starts, (now + generator.uniform(0, min(pause, retrier["MaxDelaySeconds"])), manifest))
            retries[manifest] += 1
    return WaitingResult(manifests, failed, max(retries), last_end / 3600)
