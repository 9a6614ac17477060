"""Output of a run in the lake: its folders, and the order of writes that shows readers only complete runs.

A run writes to its own folders, which readers do not list. Readers follow pointers. A pointer is an object that names
the Parquet files of one manifest and date, and it is replaced atomically. The order of writes is: data, pointers,
deletion of the previous runs' objects, result. An object that a pointer names is never deleted. If a run dies at any
point, the next run repairs the state.

Two runs of a manifest should not run at the same time, but after a timeout the workflow may start another run while the first run is still working. So each run records at its start that it is the newest, and publishes only while it is. It
deletes only objects that existed when it started.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property

from handlers.ingestion.glue.object_storage import ObjectGone, ObjectStorage
from handlers.ingestion.manifest_s3_keys import newest_run_key, result_key


class NewerRunStarted(Exception):
    """A newer run of the same manifest has started, so this run must not publish."""


class RunOutput:
    """Folders, pointers and result of one run. The caller must call `begin` first."""

    def __init__(
        self, storage: ObjectStorage, lake_uri: str, manifest_id: str, run_id: str, dates: Iterable[str]
    ) -> None:
        self._storage = storage
        self._lake = lake_uri
        self._manifest_id = manifest_id
        self._run_id = run_id
        self._dates = sorted(set(dates))
        self._previous_uris: tuple[str, ...] = ()

    @cached_property
    def folder(self) -> str:
        """Name of this run's folders. A repeated run id gets a new name, so that no folder is used twice."""
        used = {uri.split("/run=")[1].split("/")[0] for uri in self._previous_uris}
        name = first = f"{self._manifest_id}-{self._run_id}"
        attempt = 2
        while name in used:
            name, attempt = f"{first}.{attempt}", attempt + 1
        return name

    def begin(self) -> None:
        """List the objects of previous runs, and record this run as the newest."""
        self._previous_uris = tuple(
            uri
            for kind in ("data", "rejected")
            for date in self._dates
            for uri in self._storage.list_uris(f"{self._lake}{kind}/dt={date}/run={self._manifest_id}-")
        )
        self._storage.put(self._newest_run_uri, self.folder.encode())

    def data_uri(self, date: str) -> str:
        """Return the URI of the folder for a date's Parquet files."""
        return f"{self._lake}data/dt={date}/run={self.folder}/"

    def rejected_uri(self, date: str) -> str:
        """Return the URI of the folder for a date's rejected lines."""
        return f"{self._lake}rejected/dt={date}/run={self.folder}/"

    def is_visible(self, date: str) -> bool:
        """Return True if readers see rows of this manifest under a date, from any run."""
        return bool(self._storage.list_uris(self._pointer_uri(date)))

    def publish(self, paths: Mapping[str, Iterable[str]]) -> None:
        """Replace the pointers by this run's Parquet files (URIs by date), and delete the previous runs' objects."""
        if self._storage.read(self._newest_run_uri) != self.folder.encode():
            raise NewerRunStarted("a newer run of this manifest has started, so this run does not publish its output")
        for date in self._dates:
            # Sorted, so that a pointer's content depends only on the files it names.
            content = "".join(f"{path}\n" for path in sorted(paths.get(date, ())))
            if content:
                self._storage.put(self._pointer_uri(date), content.encode())
            else:
                self._storage.delete([self._pointer_uri(date)])
        self._storage.delete(self._previous_uris)

    def finish(self, result: bytes) -> None:
        """Write the result. It shows that everything else is done."""
        self._storage.put(f"{self._lake}{result_key(self._manifest_id)}", result)

    @property
    def _newest_run_uri(self) -> str:
        return f"{self._lake}{newest_run_key(self._manifest_id)}"

    def _pointer_uri(self, date: str) -> str:
        return f"{self._lake}pointers/dt={date}/{self._manifest_id}.txt"


def read_if_exists(storage: ObjectStorage, uri: str) -> bytes | None:
    """Return an object's content, or None if the object does not exist."""
    try:
        return storage.read(uri)
    except ObjectGone:
        return None
