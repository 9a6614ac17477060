"""The file table: the one place that reads and writes it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from handlers.ingestion.files import ArrivedFile

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

SCHEMA_VERSION = 1


class FileTable:
    """Records of files, one a version."""

    def __init__(self, client: "DynamoDBClient", name: str, record_days: int, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._name = name
        self._record_days = record_days
        self._clock = clock

    def track(self, file: ArrivedFile) -> bool:
        """Records a file as pending; false where it already is recorded, in whatever state it has reached."""
        now = self._clock()
        try:
            self._client.put_item(
                TableName=self._name,
                Item={
                    "date_prefix": {"S": file.date_prefix},
                    "file_key": {"S": file.file_key},
                    "status": {"S": "pending"},
                    "bucket": {"S": file.bucket},
                    "object_key": {"S": file.key},
                    "version_id": {"S": file.version_id},
                    "size": {"N": str(file.size)},
                    "etag": {"S": file.etag},
                    "arrived_at": {"S": timestamp(file.arrived)},
                    "tracked_at": {"S": timestamp(now)},
                    "ttl": {"N": str(int((now + timedelta(days=self._record_days)).timestamp()))},
                    "schemaVersion": {"N": str(SCHEMA_VERSION)},
                },
                ConditionExpression="attribute_not_exists(file_key)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def timestamp(moment: datetime) -> str:
    """UTC ISO-8601 with milliseconds and `Z`, as everything outside is written."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
