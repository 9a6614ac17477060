"""Number of rows in stored Parquet files, read from their footers.

Spark counts the rows that its tasks write, even if a task writes them to the disk of its own machine instead of the
lake. So the job also counts the rows of the files that are in the lake.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from handlers.ingestion.glue.object_storage import ObjectStorage

FOOTER_BYTES = 64 * 1024
"""Number of bytes that are read from the end of a file at first. The footers of most files are shorter."""
ENDING_BYTES = 8
"""Size of the end of a Parquet file: the length of its footer (four bytes, little-endian) and the text `PAR1`."""
THREADS = 16


def count_stored_rows(storage: ObjectStorage, uris: Iterable[str]) -> int:
    """Return the number of rows in Parquet files. Raises ObjectGone, or an error of pyarrow for a damaged file."""
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(lambda uri: _count_rows(storage, uri), uris))


def _count_rows(storage: ObjectStorage, uri: str) -> int:
    end = storage.read_end(uri, FOOTER_BYTES)
    footer_bytes = int.from_bytes(end[-ENDING_BYTES:-4], "little") + ENDING_BYTES
    if footer_bytes > len(end):
        end = storage.read_end(uri, footer_bytes)
    return int(pq.read_metadata(pa.BufferReader(end)).num_rows)
