"""What an agent needs for a question: the lecture, what was asked, and what was said before.

It decides whether a question can be asked at all. Addresses of audio are presigned for the agent, and for one version of
the lecture: the one that was validated.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.versioned import texts
from handlers.voice_qa import agent
from handlers.voice_qa.conversation import Conversations, told
from handlers.voice_qa.environment import QUERIES
from handlers.voice_qa.lectures import LectureStatus
from handlers.voice_qa.protocol import Code
from handlers.voice_qa.records import Question, conversation_key, lecture_key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_s3.client import S3Client

MAX_QUERY_BYTES = 10_000_000
URL_SECONDS = 900
"""As long as an invocation may take."""
NOT_FOUND = "404"
"""What HeadObject, which has no body, says of an object that is not there."""
FORMATS = {
    "audio/webm": "webm",
    "video/webm": "webm",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/mp4": "mp4",
    "video/mp4": "mp4",
    "audio/flac": "flac",
}
"""Content types that may be uploaded, as agents name them."""
_LENGTH = re.compile(r"[0-9]{1,12}")


class Unanswerable(Exception):
    """The question cannot be put to an agent; why is for the client."""

    def __init__(self, code: Code, message: str, *, retryable: bool = False) -> None:
        super().__init__(code.value)
        self.code = code
        self.message = message
        self.retryable = retryable


class Materials:
    """Looks up what an agent is told."""

    def __init__(
        self, dynamodb: "DynamoDBClient", s3: "S3Client", conversations: Conversations, *, table: str, bucket: str
    ) -> None:
        self._dynamodb = dynamodb
        self._s3 = s3
        self._conversations = conversations
        self._table = table
        self._bucket = bucket

    def question(self, identity: str, query_id: str, asked: Question) -> agent.Question:
        """All that an agent is told; raises Unanswerable."""
        lecture = self._lecture(asked.lecture_id)
        query = self._query(identity, asked)
        key = conversation_key(identity, asked.session, asked.lecture_id)
        return agent.Question(
            query_id=query_id,
            session_id=agent.opaque(f"{identity}#{asked.session}"),
            lecture=lecture,
            query=query,
            conversation=told(self._conversations.turns(key)),
            language=asked.language,
        )

    def _lecture(self, lecture_id: str) -> agent.Lecture:
        item = self._item(lecture_id)
        if not item:
            raise Unanswerable(Code.LECTURE_UNKNOWN, "There is no such lecture.")
        status, duration = item.get("status", {}).get("S"), item.get("duration_ms", {}).get("N", "")
        if status == LectureStatus.REJECTED:
            raise Unanswerable(Code.LECTURE_REJECTED, "This lecture's recording could not be used.")
        if status != LectureStatus.READY or not _LENGTH.fullmatch(duration):
            raise Unanswerable(Code.LECTURE_NOT_READY, "This lecture is not ready yet.", retryable=True)
        url = self._url(item["object_key"]["S"], VersionId=item["version_id"]["S"])
        return agent.Lecture(lecture_id, url, item["format"]["S"], int(duration))

    def _item(self, lecture_id: str) -> Mapping[str, Any]:
        key = texts(lecture_key(lecture_id))
        return self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})

    def _query(self, identity: str, asked: Question) -> agent.SpokenQuery | agent.WrittenQuery:
        if asked.audio_key is not None:
            return self._spoken(identity, asked.audio_key)
        if not asked.text:
            raise Unanswerable(Code.QUERY_FAILED, "Nothing was asked.")
        return agent.WrittenQuery(asked.text)

    def _spoken(self, identity: str, key: str) -> agent.SpokenQuery:
        if not key.startswith(f"{QUERIES}{identity}/"):
            raise Unanswerable(Code.AUDIO_FOREIGN, "This audio is not yours.")
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_FOUND:
                raise
            raise Unanswerable(Code.AUDIO_MISSING, "The audio was not uploaded yet.", retryable=True) from None
        if not head["ContentLength"]:
            raise Unanswerable(Code.AUDIO_EMPTY, "The audio is empty.")
        if head["ContentLength"] > MAX_QUERY_BYTES:
            raise Unanswerable(Code.AUDIO_TOO_LARGE, f"The audio is too large: {MAX_QUERY_BYTES} bytes are allowed.")
        kind = FORMATS.get(head.get("ContentType", "").partition(";")[0].strip().lower())
        if kind is None:
            raise Unanswerable(Code.QUERY_FAILED, "The audio is of a kind that is not taken.")
        return agent.SpokenQuery(self._url(key), kind)

    def _url(self, key: str, **version: str) -> str:
        where = {"Bucket": self._bucket, "Key": key, **version}
        return self._s3.generate_presigned_url("get_object", Params=where, ExpiresIn=URL_SECONDS)
