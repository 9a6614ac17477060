"""Number and content of the job's Spark tasks, and with them the sizes of the Parquet files.

The job reads the source files twice. The first pass finds the records and their columns, and the second pass writes the
Parquet files. Each task of the second pass writes at least one Parquet file, so the number of tasks is a compromise: no
Parquet file should be much larger than the target size, all cores should be used, and no Parquet file should be so
small that it slows down readers.
"""

import math
from collections.abc import Sequence

MIN_FILE_DIVISOR = 8
"""A Parquet file smaller than the target size divided by this is not worth a task."""
SCAN_TASKS_PER_CORE = 4
"""Number of tasks of the first pass, for each core. More tasks than cores even out the differences between files."""


def count_writers(estimated_bytes: float, target_bytes: int, cores: int) -> int:
    """Return the number of tasks of the second pass, which write Parquet."""
    needed = math.ceil(estimated_bytes / target_bytes)
    worthwhile = int(estimated_bytes // (target_bytes / MIN_FILE_DIVISOR))
    # A multiple of the cores: with three tasks on two cores, one core would wait for the third task.
    return max(1, needed, min(math.ceil(needed / cores) * cores, worthwhile))


def max_rows_per_file(rows: int, estimated_bytes: float, target_bytes: int) -> int:
    """Return the row limit of a Parquet file. It splits the output of a task that processes one very large file.

    The limit is 1.5 times the target, so that it rarely leaves a small last file.
    """
    return math.ceil(1.5 * rows * target_bytes / max(estimated_bytes, 1.0))


def distribute_files(sizes: Sequence[int], max_tasks: int) -> list[list[int]]:
    """Distribute source files over tasks with about equal total sizes; return the indices of the files of each task.

    The largest file is assigned first, and each file goes to the task with the smallest total.
    """
    loads = [(0, task) for task in range(min(max_tasks, max(1, len(sizes))))]
    groups: list[list[int]] = [[] for _ in loads]
    for index in sorted(range(len(sizes)), key=lambda number: (-sizes[number], number)):
        load, task = min(loads)
        groups[task].append(index)
        loads[task] = (load + max(1, sizes[index]), task)
    return [sorted(group) for group in groups]
