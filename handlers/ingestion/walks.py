"""How far the comparison of bucket and table has come: one record of the file table.

A walk is too long for one invocation where the bucket is large. Whoever goes on with it writes where the next one
begins; of two who do so at once, one stops.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from handlers.common.moments import timestamp
from handlers.ingestion.landing import Marker
from handlers.ingestion.records import SCHEMA_VERSION, RecordId, Values, number, text, update

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

WHERE = RecordId("reconcile", "WALK")


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
