"""Transcription sessions and the gateway for their DynamoDB table. No other module accesses the table.

A session's end is compared with the clock, because DynamoDB may delete an expired item days late.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from handlers.common.records import deserialize_item, serialize_item
from handlers.transcription.audio import Encoding
from handlers.transcription.caption_thresholds import SessionSettings

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

SCHEMA_VERSION = 1
"""Version of the stored form. No code reads it yet."""


class SessionStatus(StrEnum):
    """Status of a session. Only an open session accepts audio."""

    OPEN = "open"
    CLOSED = "closed"


class Session(BaseModel):
    """One transcription session: a user's settings for speech. It is used on one connection at a time."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    session_id: str
    owner: str
    """Id of the user who opened the session."""
    status: SessionStatus
    language: str
    encoding: Encoding
    sample_rate: int
    settings: SessionSettings
    secret: str
    """HMAC key for the hashes of caption texts. The live table stores such hashes as text reservations, which keep
    overlapping utterances from showing the same words twice. The key is used for nothing else."""
    created_at: str
    """UTC in ISO 8601 with milliseconds."""
    ends_at: int
    """Time from which the session accepts nothing, in epoch seconds."""

    def is_open(self, now_ms: int) -> bool:
        return self.status is SessionStatus.OPEN and now_ms < self.ends_at * 1000


class SessionTable:
    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def find(self, session_id: str) -> Session | None:
        answer = self._client.get_item(TableName=self._name, Key={"session_id": {"S": session_id}}, ConsistentRead=True)
        if "Item" not in answer:
            return None
        item = deserialize_item(answer["Item"])
        return Session.model_validate({**item, "settings": SessionSettings.model_validate_json(item["settings"])})

    def add(self, session: Session) -> None:
        item = {
            **session.model_dump(mode="json", exclude={"settings"}),
            "settings": session.settings.model_dump_json(by_alias=True, exclude_unset=True),
            "ttl": session.ends_at,
            "schema_version": SCHEMA_VERSION,
        }
        self._client.put_item(
            TableName=self._name, Item=serialize_item(item), ConditionExpression="attribute_not_exists(session_id)"
        )

    def close(self, session_id: str, owner: str) -> bool:
        """Close a session. It may be closed already. Return False if the owner has no such session."""
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
