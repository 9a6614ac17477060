"""Sessions: whose they are, what is spoken in them, how their captions are made. The one place that reads their table.

A session is judged by the time in it: one that should have been deleted by its expiry may be there for days.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from handlers.common.aws.dynamodb_values import plain, stored
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.utterance_audio import Encoding

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

SCHEMA_VERSION = 1


class SessionStatus(StrEnum):
    """Whether a session takes audio."""

    OPEN = "open"
    CLOSED = "closed"


class Session(BaseModel):
    """One session."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    session_id: str
    owner: str
    status: SessionStatus
    language: str
    encoding: Encoding
    sample_rate: int
    settings: SessionSettings
    secret: str
    """Keys the hashes of its captions; nothing else knows it."""
    created_at: str
    ends_at: int
    """Epoch seconds from which it takes nothing any more."""

    def is_open(self, now_ms: int) -> bool:
        """Whether it takes audio now."""
        return self.status is SessionStatus.OPEN and now_ms < self.ends_at * 1000


class SessionTable:
    """The table of sessions."""

    def __init__(self, client: "DynamoDBClient", name: str, clock_ms: Callable[[], int]) -> None:
        self._client = client
        self._name = name
        self._clock_ms = clock_ms

    def find(self, session_id: str) -> Session | None:
        """A session by its id."""
        answer = self._client.get_item(TableName=self._name, Key={"session_id": {"S": session_id}}, ConsistentRead=True)
        if "Item" not in answer:
            return None
        found = plain(answer["Item"])
        return Session.model_validate({**found, "settings": SessionSettings.model_validate_json(found["settings"])})

    def add(self, session: Session) -> None:
        """Keeps a new session."""
        item = {
            **session.model_dump(mode="json", exclude={"settings"}),
            "settings": session.settings.model_dump_json(by_alias=True, exclude_none=True),
            "ttl": session.ends_at,
            "schema_version": SCHEMA_VERSION,
        }
        self._client.put_item(
            TableName=self._name, Item=stored(item), ConditionExpression="attribute_not_exists(session_id)"
        )

    def close(self, session_id: str, owner: str) -> bool:
        """Closes somebody's session, also one that is closed; false where it is not his."""
        try:
            self._client.update_item(
                TableName=self._name,
                Key={"session_id": {"S": session_id}},
                UpdateExpression="SET #status = :closed",
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#status": "status", "#owner": "owner"},
                ExpressionAttributeValues={":closed": {"S": SessionStatus.CLOSED.value}, ":owner": {"S": owner}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
