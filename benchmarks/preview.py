"""How long a preview takes, and where the time goes.

Each round is a process of its own, as a user starts it, and the rounds of all stacks alternate, so that a machine that
slows down slows all of them down. Figures are medians; ratios say more than seconds, which depend on the machine.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
STACKS = ("dev", "prod")

STAGES = """
import json, sys, time
start = time.perf_counter()
def lap(name, _last=[start]):
    now = time.perf_counter(); times[name] = now - _last[0]; _last[0] = now
times = {}
from local.__main__ import prepare
prepare()
from local import preview, program, report, stack_files
from local.checks import refusals
from local.judging import Judging, Watched
from local.pack import Pack
from local.preview_provider import PreviewProvider
lap("imports")
config = stack_files.read(sys.argv[1])
with Pack(config, dry_run=True) as pack, Judging(pack) as judging:
    run = program.run(config, Watched(PreviewProvider(), judging.saw), preview=True)
    lap("program")
    rest = judging.ended(run.graph)
    refusals(run.graph)
    lap("service models")
    rest.result()
    lap("policies")
times["whole"] = time.perf_counter() - start
times["resources"] = len(run.graph.customs())
print(json.dumps(times))
"""


def main() -> None:
    """Prints one table."""
    runs: dict[str, list[dict[str, float]]] = {stack: [] for stack in STACKS}
    for round_number in range(ROUNDS + 1):
        for stack in STACKS:
            times = _one(stack)
            if round_number:  # the first fills the file caches
                runs[stack].append(times)
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"median of {ROUNDS} rounds, in seconds\n")
    names = list(runs[STACKS[0]][0])
    for name in names:
        medians = {stack: statistics.median(run[name] for run in runs[stack]) for stack in STACKS}
        print(f"{name:22}" + "".join(f"{stack} {value:8.2f}   " for stack, value in medians.items()))


def _one(stack: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", STAGES, stack], cwd=ROOT, check=True, capture_output=True, text=True)
    times: dict[str, float] = json.loads(done.stdout)
    return times


if __name__ == "__main__":
    main()
