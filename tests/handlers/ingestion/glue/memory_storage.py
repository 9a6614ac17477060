"""In-memory object storage for the Spark job, which can kill a run of the job after any write."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from handlers.common.unreadable_objects import UnreadableObject
from handlers.ingestion.glue.object_storage import ObjectChanged, ObjectGone
from tests.handlers.ingestion.ingestion_harness import Killed


class MemoryStorage:
    """Replacement for the storage of S3 and of folders. A write is a `put`, or the deletion of one object."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        """Content of each object of the lake by URI."""
        self.versions: dict[tuple[str, str], bytes] = {}
        """Content of each version of a source file by URI and version id."""
        self.unreadable_versions: set[tuple[str, str]] = set()
        """Versions whose content the storage refuses to return."""
        self.write_count = 0
        self.kill_after_write: int | None = None
        """Number of the write after which the run is killed."""
        self.on_write: Callable[[], None] = lambda: None
        """Function that is called after each write."""

    def read_chunks(self, uri: str, version: str) -> Iterator[bytes]:
        if (uri, version) not in self.versions:
            raise ObjectGone
        if (uri, version) in self.unreadable_versions:
            raise UnreadableObject
        body = self.versions[uri, version]
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    def read(self, uri: str) -> bytes:
        if uri not in self.objects:
            raise ObjectGone
        return self.objects[uri]

    def read_end(self, uri: str, size: int) -> bytes:
        return self.read(uri)[-size:]

    def put(self, uri: str, body: bytes) -> None:
        self.objects[uri] = body
        self._count_write()

    def find_etag(self, uri: str) -> str | None:
        return hashlib.sha256(self.objects[uri]).hexdigest() if uri in self.objects else None

    def put_if_unchanged(self, uri: str, body: bytes, etag: str | None) -> None:
        if self.find_etag(uri) != etag:
            raise ObjectChanged
        self.put(uri, body)

    def list_uris(self, prefix: str) -> list[str]:
        return sorted(uri for uri in self.objects if uri.startswith(prefix))

    def delete(self, uris: Iterable[str]) -> None:
        for uri in uris:
            if self.objects.pop(uri, None) is not None:
                self._count_write()

    def _count_write(self) -> None:
        self.write_count += 1
        self.on_write()
        if self.write_count == self.kill_after_write:
            raise Killed
