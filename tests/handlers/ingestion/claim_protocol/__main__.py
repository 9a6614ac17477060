"""Command that searches many schedules of the claim protocol in parallel processes, or repeats one of them.

`make fuzz` runs it. If a search finds schedules that end in a wrong result, the output contains them in a shortened
form, with the commands that repeat them, and the exit status is 1. With `--seed` or `--replay`, the command only
describes one schedule, and the exit status is always 0.
"""

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.handlers.ingestion.claim_protocol.schedule_choices import from_text
from tests.handlers.ingestion.claim_protocol.schedule_search import describe, describe_choices, search

SEEDS_PER_TASK = 250
MAX_DESCRIBED = 3
"""Maximum number of failing schedules that are printed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.handlers.ingestion.claim_protocol", description=__doc__)
    parser.add_argument("--schedules", type=int, default=50_000, help="number of schedules to run")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first schedule; each has the next seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="number of parallel processes")
    parser.add_argument("--seed", type=int, help="run only the schedule of this seed, and print its shortened form")
    parser.add_argument("--replay", help="repeat the schedule with these choices, as a failing search printed them")
    options = parser.parse_args(arguments)
    if options.replay is not None:
        print(describe_choices(from_text(options.replay)))  # noqa: T201
        return 0
    if options.seed is not None:
        print(describe(options.seed))  # noqa: T201
        return 0
    end = options.first_seed + options.schedules
    tasks = [range(start, min(start + SEEDS_PER_TASK, end)) for start in range(options.first_seed, end, SEEDS_PER_TASK)]
    counts: Counter[str] = Counter()
    failing_seeds: list[int] = []
    with ProcessPoolExecutor(options.processes) as processes:
        for result in processes.map(search, tasks):
            counts += result.counts
            failing_seeds += result.failing_seeds
    for seed in failing_seeds[:MAX_DESCRIBED]:
        print(f"Seed {seed}:\n{describe(seed)}\n")  # noqa: T201
    numbers = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    print(f"Claim protocol: {numbers}, {len(failing_seeds)} wrong results")  # noqa: T201
    return 1 if failing_seeds else 0


if __name__ == "__main__":
    raise SystemExit(main())
