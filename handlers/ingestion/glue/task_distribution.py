"""How files are distribute_files out to tasks, and how many Parquet files they become. Pure.

Each task writes one Parquet file, so the number of tasks is a compromise: files no larger than the target, every core
at work, but none of them for a file so small that readers would pay for it.
"""

import math
from collections.abc import Sequence

SMALLEST_SHARE = 8
"""A file smaller than this part of the target is not worth a task of its own."""
TASKS_A_CORE = 4
"""For the first look, which writes no files: more tasks than cores even out what differs between files."""


def writers(estimated_bytes: float, target_bytes: int, cores: int) -> int:
    """How many tasks write."""
    needed = math.ceil(estimated_bytes / target_bytes)
    worthwhile = int(estimated_bytes // (target_bytes / SMALLEST_SHARE))
    # Whole rounds: with three tasks on two cores, one core waits for the third.
    return max(1, needed, min(math.ceil(needed / cores) * cores, worthwhile))


def max_rows_per_file(rows: int, estimated_bytes: float, target_bytes: int) -> int:
    """The limit that splits a task's output where one large file fills it; generous, so that it rarely makes scraps."""
    return math.ceil(1.5 * rows * target_bytes / max(estimated_bytes, 1.0))


def distribute_files(sizes: Sequence[int], tasks: int) -> list[list[int]]:
    """Indices of files by task, about equally large: the largest first, each to the task that has least."""
    loads = [(0, task) for task in range(min(tasks, max(1, len(sizes))))]
    groups: list[list[int]] = [[] for _ in loads]
    for index in sorted(range(len(sizes)), key=lambda one: (-sizes[one], one)):
        load, task = min(loads)
        groups[task].append(index)
        loads[task] = (load + max(1, sizes[index]), task)
    return [sorted(group) for group in groups]
