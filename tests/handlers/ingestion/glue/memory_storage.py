"""In-memory object storage for tests. It can kill the run after any write."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from handlers.common.aws.unreadable_objects import UnreadableObject
from handlers.ingestion.glue.object_storage import ObjectChanged, ObjectGone


class Killed(BaseException):
    """The process of the run was killed. No code of the run may catch this."""


class MemoryStorage:
    """Storage for all URIs."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.versions: dict[tuple[str, str], bytes] = {}
        self.sealed: set[tuple[str, str]] = set()
        self.writes = 0
        self.dies_after: int | None = None
        self.after_each: Callable[[], None] = lambda: None

    def read_chunks(self, uri: str, version: str) -> Iterator[bytes]:
        if (uri, version) not in self.versions:
            raise ObjectGone
        if (uri, version) in self.sealed:
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
        self._written()

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
                self._written()

    def _written(self) -> None:
        self.writes += 1
        self.after_each()
        if self.writes == self.dies_after:
            raise Killed
