"""Where a run's output goes, and in which order, so that readers see all of one run or all of another. No Spark here.

A run writes below folders of its own, which no reader lists. Readers follow one pointer a date and manifest, and a
pointer is one object, replaced at once. So the order is: data, pointers, removal of what earlier runs left, result.
Nothing that a pointer names is ever removed, and a run that dies anywhere leaves a state that the next one mends.

Two runs of one manifest at a time are not meant to be, but a run that was given up may still be working. Each run
therefore writes down that it is the newest when it begins, and publishes only while it still is. It removes only what
was there when it began.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property

from handlers.ingestion.glue.object_storage import ObjectGone, Storage


class NewerRunStarted(Exception):
    """A newer run of the same manifest has begun: this one has nothing to say any more."""


class RunOutput:
    """One run's place in the lake."""

    def __init__(self, storage: Storage, lake_uri: str, manifest_id: str, run_id: str, dates: Iterable[str]) -> None:
        self._storage = storage
        self._lake = lake_uri
        self._manifest_id = manifest_id
        self._run_id = run_id
        self._dates = sorted(set(dates))
        self._left_behind: tuple[str, ...] = ()

    @cached_property
    def folder(self) -> str:
        """The name of this run's folders. A run id that was used before gets another folder, never a used one."""
        used = {uri.split("/run=")[1].split("/")[0] for uri in self._left_behind}
        name = first = f"{self._manifest_id}-{self._run_id}"
        attempt = 2
        while name in used:
            name, attempt = f"{first}.{attempt}", attempt + 1
        return name

    def begin(self) -> None:
        """Finds what earlier runs left, and makes this the newest run."""
        self._left_behind = tuple(
            uri
            for kind in ("data", "rejected")
            for date in self._dates
            for uri in self._storage.list_uris(f"{self._lake}{kind}/dt={date}/run={self._manifest_id}-")
        )
        self._storage.put(self._newest, self.folder.encode())

    def data(self, date: str) -> str:
        """Where a date's Parquet goes."""
        return f"{self._lake}data/dt={date}/run={self.folder}/"

    def rejected(self, date: str) -> str:
        """Where a date's bad lines go."""
        return f"{self._lake}rejected/dt={date}/run={self.folder}/"

    def visible(self, date: str) -> bool:
        """Whether readers see anything of this manifest under a date, of whichever run."""
        return bool(self._storage.list_uris(self._pointer(date)))

    def publish(self, paths: Mapping[str, Iterable[str]]) -> None:
        """Makes the run's data what readers see, by date, and removes what it replaces."""
        if self._storage.read(self._newest) != self.folder.encode():
            raise NewerRunStarted("a newer run of this manifest has begun")
        for date in self._dates:
            # Order is stable, so that a pointer's bytes depend on what it names alone.
            content = "".join(f"{path}\n" for path in sorted(paths.get(date, ())))
            if content:
                self._storage.put(self._pointer(date), content.encode())
            else:
                self._storage.delete([self._pointer(date)])
        self._storage.delete(self._left_behind)

    def finish(self, result: bytes) -> None:
        """Writes the result: the sign that all else is done."""
        self._storage.put(f"{self._lake}manifests/{self._manifest_id}.result.json", result)

    @property
    def _newest(self) -> str:
        return f"{self._lake}manifests/{self._manifest_id}.run"

    def _pointer(self, date: str) -> str:
        return f"{self._lake}pointers/dt={date}/{self._manifest_id}.txt"


def read_if_there(storage: Storage, uri: str) -> bytes | None:
    """An object's content, or none where there is no such object."""
    try:
        return storage.read(uri)
    except ObjectGone:
        return None
