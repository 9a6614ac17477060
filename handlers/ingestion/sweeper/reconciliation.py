"""Reconciliation: the daily comparison of the landing bucket with the file table. It finds files whose notification was
lost.

It lists all object versions below a prefix of the bucket, and compares those that arrived in the last days. It leaves
out versions of the last hour, because their notifications may still arrive. A version without a record in the file
table gets one. A large bucket needs several invocations, so the position in the listing is stored after each page. If
two invocations continue from the same position, one of them stops.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.logging import EventLog
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.ingestion.arrived_files import NOTIFICATION_GRACE_PERIOD, ArrivedFile
from handlers.ingestion.file_admission import AdmissionRules
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.table_keys_and_updates import (
    SCHEMA_VERSION,
    RecordId,
    Values,
    build_update,
    get_number,
    get_text,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_s3.client import S3Client

STATE_RECORD = RecordId("reconcile", "WALK")
"""Primary key of the item of the file table that stores the progress of the reconciliation."""


@dataclass(frozen=True)
class ListingPosition:
    """Position in the bucket listing at which a page starts."""

    key: str
    version_id: str


class LandingBucket:
    """S3 gateway that lists every version of every object below a prefix, page by page."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str, page_size: int = 1000) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._page_size = page_size

    def list_page(self, start: ListingPosition | None) -> tuple[list[ArrivedFile], ListingPosition | None]:
        """Return one page of versions, without delete markers, and the position of the next page."""
        markers: dict[str, Any] = {} if start is None else {"KeyMarker": start.key, "VersionIdMarker": start.version_id}
        response = self._client.list_object_versions(
            Bucket=self._bucket, Prefix=self._prefix, MaxKeys=self._page_size, **markers
        )
        files = [
            ArrivedFile(
                bucket=self._bucket,
                key=version["Key"],
                version_id=version["VersionId"],
                size=version["Size"],
                etag=version["ETag"].strip('"'),
                arrived=version["LastModified"],
            )
            for version in response.get("Versions", [])
        ]
        if not response.get("IsTruncated", False):
            return files, None
        return files, ListingPosition(response["NextKeyMarker"], response["NextVersionIdMarker"])


@dataclass(frozen=True)
class ReconciliationProgress:
    """Progress of the current reconciliation, or of the previous one if none is running."""

    started: datetime
    since: datetime
    """Versions that arrived earlier are not compared."""
    pages: int
    position: ListingPosition | None
    """Start of the next page. None before the first page and after the last one."""
    done: bool


class ReconciliationState:
    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def get(self) -> ReconciliationProgress | None:
        """Return the progress of the current or last reconciliation, or None if there never was one."""
        response = self._client.get_item(TableName=self._name, Key=STATE_RECORD.key, ConsistentRead=True)
        if "Item" not in response:
            return None
        item = response["Item"]
        return ReconciliationProgress(
            started=datetime.fromisoformat(get_text(item, "started_at")),
            since=datetime.fromisoformat(get_text(item, "since")),
            pages=get_number(item, "pages"),
            position=(
                ListingPosition(get_text(item, "marker_key"), get_text(item, "marker_version"))
                if "marker_key" in item
                else None
            ),
            done=get_text(item, "status") == "done",
        )

    def put(self, progress: ReconciliationProgress, before: ReconciliationProgress | None) -> bool:
        """Store the progress. Return False if another invocation has changed it since `before` was read."""
        condition = "attribute_not_exists( #pages )"
        condition_values: dict[str, str | int] = {}
        if before is not None:
            condition = "#started_at = :was_started AND #pages = :was_pages AND #status = :was_status"
            condition_values = {
                "was_started": timestamp(before.started),
                "was_pages": before.pages,
                "was_status": _status(before),
            }
        position: Values = (
            {"marker_key": progress.position.key, "marker_version": progress.position.version_id}
            if progress.position
            else {}
        )
        try:
            self._client.update_item(
                TableName=self._name,
                **build_update(
                    STATE_RECORD,
                    condition,
                    condition_values,
                    assign={
                        "started_at": timestamp(progress.started),
                        "since": timestamp(progress.since),
                        "pages": progress.pages,
                        "status": _status(progress),
                        "schemaVersion": SCHEMA_VERSION,
                        **position,
                    },
                    remove=() if position else ("marker_key", "marker_version"),
                ),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _status(progress: ReconciliationProgress) -> str:
    return "done" if progress.done else "under way"


@dataclass(frozen=True)
class ReconciliationCounts:
    """Numbers of versions in one invocation."""

    checked: int = 0
    missing: int = 0
    """Versions that had no record, and got one."""


@dataclass(frozen=True)
class Reconciler:
    table: FileTable
    landing: LandingBucket
    state: ReconciliationState
    admission: AdmissionRules
    _: KW_ONLY
    parallel: ParallelCalls
    log: EventLog
    clock: Callable[[], datetime]
    look_back: timedelta
    """A reconciliation covers the versions that arrived after a certain time: this long before the start of the
    previous reconciliation. The first reconciliation looks back from its own start."""
    budget: timedelta
    """Time after which an invocation compares no further page."""

    def start(self) -> ReconciliationCounts:
        """Start a reconciliation, or continue the current one if it is not done."""
        last = self.state.get()
        if last is None or last.done:
            now = self.clock()
            # The range begins before the previous reconciliation, so it includes days on which none ran. The start of
            # the previous reconciliation may be later than `now`, because the clocks of two containers differ.
            since = min(now, last.started if last else now) - self.look_back
            self.state.put(ReconciliationProgress(started=now, since=since, pages=0, position=None, done=False), last)
        return self.resume()

    def resume(self) -> ReconciliationCounts:
        """Continue the current reconciliation, if there is one, until the invocation's time budget is spent."""
        total, deadline = ReconciliationCounts(), self.clock() + self.budget
        progress = self.state.get()
        if progress is None or progress.done:
            return total
        while self.clock() < deadline and not progress.done:
            files, next_position = self.landing.list_page(progress.position)
            counts = self._compare(progress, files)
            total = ReconciliationCounts(total.checked + counts.checked, total.missing + counts.missing)
            advanced = replace(progress, pages=progress.pages + 1, position=next_position, done=next_position is None)
            if not self.state.put(advanced, progress):
                break  # a concurrent invocation has continued
            progress = advanced
        self.log.info("reconciled", checked=total.checked, missing=total.missing)
        return total

    def _compare(self, progress: ReconciliationProgress, files: list[ArrivedFile]) -> ReconciliationCounts:
        latest = progress.started - NOTIFICATION_GRACE_PERIOD
        compared = [file for file in files if progress.since <= file.arrived <= latest]
        recorded = self.table.find_recorded(file.record_id for file in compared)
        # The notification may have given another date than the listing, so `track` also looks for a record under the
        # day before and the day after.
        tracked = self.parallel.call_all(
            lambda file: self.table.track(file, self.admission.find_rejection(file), check_adjacent_dates=True),
            [file for file in compared if file.record_id not in recorded],
        )
        return ReconciliationCounts(len(compared), sum(tracked))
