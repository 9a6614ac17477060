"""Compares the landing bucket with the file table, so that a lost notification loses no file.

Walks over the bucket's versions of the last days, and tracks those that have no record. A walk is too long for one
invocation where the bucket is large. Whoever goes on with it writes where the next one begins; of two who do so at
once, one stops.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.logging import EventLog
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.ingestion.file_admission import Admission, ArrivedFile
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.table_items import SCHEMA_VERSION, RecordId, Values, number, text, update

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_s3.client import S3Client

GRACE = timedelta(hours=1)
"""Versions younger than this may still be announced. From half of it on, a builder looks around before it tracks."""
LATE = GRACE / 2
WHERE = RecordId("reconcile", "WALK")
"""The record of the walk."""


@dataclass(frozen=True)
class Marker:
    """Where a page begins."""

    key: str
    version_id: str


class Landing:
    """The landing bucket, as it is listed: every version of every object below a prefix, page by page."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str, page_size: int = 1000) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._page_size = page_size

    def page(self, start: Marker | None) -> tuple[list[ArrivedFile], Marker | None]:
        """One page of versions, and where the next one begins; marks of deleted objects are no versions."""
        begin: dict[str, Any] = {} if start is None else {"KeyMarker": start.key, "VersionIdMarker": start.version_id}
        answer = self._client.list_object_versions(
            Bucket=self._bucket, Prefix=self._prefix, MaxKeys=self._page_size, **begin
        )
        files = [
            ArrivedFile(
                bucket=self._bucket,
                key=one["Key"],
                version_id=one["VersionId"],
                size=one["Size"],
                etag=one["ETag"].strip('"'),
                arrived=one["LastModified"],
            )
            for one in answer.get("Versions", [])
        ]
        more = answer.get("IsTruncated", False)
        return files, Marker(answer["NextKeyMarker"], answer["NextVersionIdMarker"]) if more else None


@dataclass(frozen=True)
class Walk:
    """The walk that is under way, or the last one."""

    started: datetime
    since: datetime
    """Versions before this are not its business."""
    pages: int
    marker: Marker | None
    done: bool


class Walks:
    """Reads and writes the record."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def get(self) -> Walk | None:
        """The walk under way, or the last one; none where there never was one."""
        answer = self._client.get_item(TableName=self._name, Key=WHERE.key, ConsistentRead=True)
        if "Item" not in answer:
            return None
        item = answer["Item"]
        return Walk(
            started=datetime.fromisoformat(text(item, "started_at")),
            since=datetime.fromisoformat(text(item, "since")),
            pages=number(item, "pages"),
            marker=Marker(text(item, "marker_key"), text(item, "marker_version")) if "marker_key" in item else None,
            done=text(item, "status") == "done",
        )

    def put(self, walk: Walk, before: Walk | None) -> bool:
        """Writes how far a walk is, unless somebody else has gone on from `before`."""
        condition = "attribute_not_exists( #pages )"
        given: dict[str, str | int] = {}
        if before is not None:
            condition = "#started_at = :was_started AND #pages = :was_pages AND #status = :was_status"
            given = {
                "was_started": timestamp(before.started),
                "was_pages": before.pages,
                "was_status": _status(before),
            }
        place: Values = {"marker_key": walk.marker.key, "marker_version": walk.marker.version_id} if walk.marker else {}
        try:
            self._client.update_item(
                TableName=self._name,
                **update(
                    WHERE,
                    condition,
                    given,
                    sets={
                        "started_at": timestamp(walk.started),
                        "since": timestamp(walk.since),
                        "pages": walk.pages,
                        "status": _status(walk),
                        "schemaVersion": SCHEMA_VERSION,
                        **place,
                    },
                    removes=() if place else ("marker_key", "marker_version"),
                ),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _status(walk: Walk) -> str:
    return "done" if walk.done else "under way"


@dataclass(frozen=True)
class Reconciled:
    """What one invocation compared."""

    checked: int = 0
    missing: int = 0


@dataclass(frozen=True)
class Reconciler:
    """Finds files that nobody announced."""

    table: FileTable
    landing: Landing
    walks: Walks
    admission: Admission
    _: KW_ONLY
    parallel: ParallelCalls
    log: EventLog
    clock: Callable[[], datetime]
    look_back: timedelta
    budget: timedelta

    def start(self) -> Reconciled:
        """Begins a walk, unless one is under way: then that one goes on."""
        last = self.walks.get()
        if last is None or last.done:
            now = self.clock()
            # Days without a walk are made up for.
            since = min(now, last.started if last else now) - self.look_back
            self.walks.put(Walk(started=now, since=since, pages=0, marker=None, done=False), last)
        return self.go_on()

    def go_on(self) -> Reconciled:
        """Goes on with the walk that is under way, if there is one, for as long as one invocation may."""
        total, until = Reconciled(), self.clock() + self.budget
        walk = self.walks.get()
        if walk is None or walk.done:
            return total
        while self.clock() < until and not walk.done:
            files, following = self.landing.page(walk.marker)
            found = self._compare(walk, files)
            total = Reconciled(total.checked + found.checked, total.missing + found.missing)
            ahead = replace(walk, pages=walk.pages + 1, marker=following, done=following is None)
            if not self.walks.put(ahead, walk):
                break  # somebody else has gone on
            walk = ahead
        self.log.info("reconciled", checked=total.checked, missing=total.missing)
        return total

    def _compare(self, walk: Walk, files: list[ArrivedFile]) -> Reconciled:
        due = [one for one in files if walk.since <= one.arrived <= walk.started - GRACE]
        known = self.table.known(_id(one) for one in due)
        # What is not under its own day may be under the next: tracking looks there, in the same breath.
        tracked = self.parallel.call_all(
            lambda one: self.table.track(one, self.admission.refusal(one), look_around=True),
            [one for one in due if _id(one) not in known],
        )
        return Reconciled(len(due), sum(tracked))


def _id(one: ArrivedFile) -> RecordId:
    return RecordId(one.date_prefix, one.file_key)
