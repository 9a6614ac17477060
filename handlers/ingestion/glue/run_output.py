"""Output of a run in the lake bucket: its folders, and an order of writes that never shows readers half of the output.

A run processes the files of one manifest. It writes to its own folders, which readers do not list. Readers follow
pointers. A pointer is an object that names the Parquet files of one manifest and date, and it is replaced atomically.
A run writes its data, then the pointers, then deletes the objects of previous runs, and finally writes its result. So a
pointer never names a deleted object. If a run dies at any point, the next run of the manifest repairs the state.

Two runs of a manifest should not run at the same time. But after a timeout, the workflow may start a run while the
first one is still working. A request of a run may even arrive after the run has died. There are three protections:

- Each run records at its start that it is the newest. It publishes only if this is still true.
- It replaces a pointer, the result, or the record of the newest run only if the object has not changed since the run
  read it. S3 checks this.
- It deletes only objects that existed when it started.
"""

from collections.abc import Iterable, Mapping

from handlers.ingestion.glue.object_storage import ObjectChanged, ObjectGone, ObjectStorage
from handlers.ingestion.manifest_s3_keys import newest_run_key, result_key


class NewerRunStarted(Exception):
    """A newer run of the same manifest has started, so this run must not publish."""


class AnotherRunPublished(Exception):
    """Another run of the same manifest has published since this run began, so this run must not replace its output."""


class RunOutput:
    """Folders, pointers and result of one run. The caller must call `begin` first."""

    def __init__(
        self, storage: ObjectStorage, lake_uri: str, manifest_id: str, run_name: str, dates: Iterable[str]
    ) -> None:
        """`run_name`: unique among the runs of the manifest, even if a run id is used twice."""
        self.folder = f"{manifest_id}-{run_name}"
        """Name of this run's folders."""
        self._storage = storage
        self._lake = lake_uri
        self._manifest_id = manifest_id
        self._dates = sorted(set(dates))
        self._previous_uris: tuple[str, ...] = ()
        self._etags: dict[str, str | None] = {}

    def begin(self) -> None:
        """Record this run as the newest, and read which objects `publish` and `finish` may replace and delete."""
        newest_etag = self._storage.find_etag(self._newest_run_uri)
        if not self._replace(self._newest_run_uri, newest_etag, self.folder.encode()):
            raise NewerRunStarted("another run of this manifest has just started, so this run stops")
        replaced_uris = [self._result_uri, *map(self._pointer_uri, self._dates)]
        self._etags = {uri: self._storage.find_etag(uri) for uri in replaced_uris}
        self._previous_uris = tuple(
            uri
            for kind in ("data", "rejected")
            for date in self._dates
            for uri in self._storage.list_uris(f"{self._lake}{kind}/dt={date}/run={self._manifest_id}-")
        )

    def data_uri(self, date: str) -> str:
        return f"{self._lake}data/dt={date}/run={self.folder}/"

    def rejected_uri(self, date: str) -> str:
        return f"{self._lake}rejected/dt={date}/run={self.folder}/"

    def is_visible(self, date: str) -> bool:
        """Return True if readers see rows of this manifest under a date, from any run."""
        return bool(read_if_exists(self._storage, self._pointer_uri(date)))

    def publish(self, paths: Mapping[str, Iterable[str]]) -> None:
        """Replace the pointers by this run's Parquet files (URIs by date), and delete the previous runs' objects.

        Each line of a pointer names a file, so an empty pointer shows no rows to Athena. A date without rows gets an
        empty pointer. Without it, a late request of an earlier run could still create a pointer for this date.
        """
        if self._storage.read(self._newest_run_uri) != self.folder.encode():
            raise NewerRunStarted("a newer run of this manifest has started, so this run does not publish its output")
        for date in self._dates:
            # Sorted, so that a pointer's content depends only on the files it names.
            content = "".join(f"{path}\n" for path in sorted(paths.get(date, ())))
            self._replace_unchanged(self._pointer_uri(date), content.encode())
        self._storage.delete(self._previous_uris)

    def finish(self, result: bytes) -> None:
        """Write the result. It is written last, so it shows that the rest of the output is complete."""
        self._replace_unchanged(self._result_uri, result)

    def _replace_unchanged(self, uri: str, body: bytes) -> None:
        """Replace an object. Raise AnotherRunPublished if it has changed since `begin`."""
        if not self._replace(uri, self._etags[uri], body):
            raise AnotherRunPublished("another run of this manifest has published its output, so this run stops")

    def _replace(self, uri: str, etag: str | None, body: bytes) -> bool:
        """Replace the object that has this ETag. Return False if another run has changed the object."""
        try:
            self._storage.put_if_unchanged(uri, body, etag)
        except ObjectChanged:
            # If the response to a write is lost, boto3 repeats the request, and S3 refuses the repeated one. The object
            # then already has the new content.
            return read_if_exists(self._storage, uri) == body
        return True

    @property
    def _newest_run_uri(self) -> str:
        return f"{self._lake}{newest_run_key(self._manifest_id)}"

    @property
    def _result_uri(self) -> str:
        return f"{self._lake}{result_key(self._manifest_id)}"

    def _pointer_uri(self, date: str) -> str:
        return f"{self._lake}pointers/dt={date}/{self._manifest_id}.txt"


def read_if_exists(storage: ObjectStorage, uri: str) -> bytes | None:
    try:
        return storage.read(uri)
    except ObjectGone:
        return None
