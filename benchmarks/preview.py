"""Benchmark of `make preview`: time and memory of the command, started as a new process each time.

The stacks alternate, so that a machine that becomes slower affects all of them.
"""

import os
import sys

from benchmarks.benchmark_report import percentile, print_heading, print_table
from benchmarks.process_use import run_process

ROUNDS = 5
STACKS = ("dev", "prod")


def main() -> None:
    """Print one row per stack."""
    print_heading(f"Preview, {ROUNDS} rounds")
    commands = {stack: [sys.executable, "-m", "local", "preview", "--stack", stack] for stack in STACKS}
    for stack in STACKS:
        run_process(commands[stack], os.environ)  # fills the file caches
    rounds = [{stack: run_process(commands[stack], os.environ) for stack in STACKS} for _ in range(ROUNDS)]
    print_table(
        {
            stack: {
                "median elapsed, s": percentile([uses[stack].elapsed_seconds for uses in rounds], 0.5),
                "fastest, s": min(uses[stack].elapsed_seconds for uses in rounds),
                "median processor, s": percentile([uses[stack].processor_seconds for uses in rounds], 0.5),
                "peak memory, MB": round(max(uses[stack].memory_mb for uses in rounds)),
            }
            for stack in STACKS
        }
    )


if __name__ == "__main__":
    main()
