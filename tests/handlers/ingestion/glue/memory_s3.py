"""In-memory S3 client for the parts of the Spark job that need no Spark. It can kill a run after any write."""

import io
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from tests.handlers.ingestion.ingestion_harness import Killed

WRITABLE = ("data/", "manifests/", "pointers/", "rejected/")


class MemoryS3:
    """One lake bucket, and the versions of source files. A write is a `put`, or the deletion of one object."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        """Content of each object of the lake by key."""
        self.versions: dict[tuple[str, str], bytes] = {}
        """Content of each version of a source file by key and version id."""
        self.write_count = 0
        self.kill_after_write: int | None = None
        """Number of the write after which the run is killed."""
        self.on_write: Callable[[], None] = lambda: None
        """Function that is called after each write."""

    def get_object(self, **request: Any) -> dict[str, Any]:
        key, version = request["Key"], request.get("VersionId")
        body = self.objects.get(key) if version is None else self.versions.get((key, version))
        if body is None:
            raise _error("NoSuchKey" if version is None else "NoSuchVersion", "GetObject")
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}

    def put_object(self, **request: Any) -> None:
        assert request["Key"].startswith(WRITABLE), "the role of the job may write only below these prefixes"
        self.objects[request["Key"]] = request["Body"]
        self._count_write()

    def delete_objects(self, **request: Any) -> dict[str, Any]:
        assert len(request["Delete"]["Objects"]) <= 1000, "S3 deletes at most 1,000 objects in one call"
        for entry in request["Delete"]["Objects"]:
            if self.objects.pop(entry["Key"], None) is not None:
                self._count_write()
        return {}

    def get_paginator(self, _: str) -> "MemoryS3":
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self.objects if key.startswith(request["Prefix"])]}]

    def _count_write(self) -> None:
        self.write_count += 1
        self.on_write()
        if self.write_count == self.kill_after_write:
            raise Killed


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, operation)
