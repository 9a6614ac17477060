"""Distribution of the source files over Spark tasks, which also decides the sizes of the Parquet files.

The job reads the source files twice. The first pass finds the records and their columns, and the second pass writes the
Parquet files. Each task of the second pass writes at least one Parquet file. With many tasks, the Parquet files may be
so small that they slow down readers. With few tasks, some cores have nothing to do.
"""

import math
from collections.abc import Sequence

MIN_FILE_DIVISOR = 8
"""To use all cores, Parquet files may be smaller than the target size, but not smaller than the target size divided by
this."""
SCAN_TASKS_PER_CORE = 4
"""Number of tasks of the first pass for each core. With several tasks for each core, a core that gets small files can
take over tasks from the others."""


def count_writers(estimated_bytes: float, target_bytes: int, cores: int) -> int:
    """Return the number of tasks of the second pass, which write about `estimated_bytes` of Parquet."""
    needed = math.ceil(estimated_bytes / target_bytes)
    worthwhile = int(estimated_bytes // (target_bytes / MIN_FILE_DIVISOR))
    # Rounded up to a multiple of the cores. With three tasks on two cores, one core would have nothing to do while the
    # other runs the third task.
    return max(1, needed, min(math.ceil(needed / cores) * cores, worthwhile))


def max_rows_per_file(rows: int, estimated_bytes: float, target_bytes: int) -> int:
    """Return the maximum number of rows of a Parquet file. It splits the output of a task with a very large file.

    The limit corresponds to 1.5 times the target size. So a task that writes a little more than the target does not put
    the rest into a small second file.
    """
    return math.ceil(1.5 * rows * target_bytes / max(estimated_bytes, 1.0))


def distribute_files(sizes: Sequence[int], max_tasks: int) -> list[list[int]]:
    """Distribute source files over tasks so that their total sizes are about equal. Return the indices for each task.

    The files are assigned from the largest to the smallest, each to the task with the smallest total so far.
    """
    loads = [(0, task) for task in range(min(max_tasks, max(1, len(sizes))))]
    groups: list[list[int]] = [[] for _ in loads]
    for index in sorted(range(len(sizes)), key=lambda number: (-sizes[number], number)):
        load, task = min(loads)
        groups[task].append(index)
        loads[task] = (load + max(1, sizes[index]), task)
    return [sorted(group) for group in groups]
