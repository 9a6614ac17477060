"""What an agent needs for a question: the lecture, what was asked, and what was said before.

It decides whether a question can be asked at all. Addresses of audio are presigned for the agent, and for one version
of the lecture: the one that was validated.
"""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from handlers.voice_qa.client_messages import UnanswerableQuestion, VoiceQaErrorCode
from handlers.voice_qa.environment import QUERIES_PREFIX
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.query_worker.agent import agent_types
from handlers.voice_qa.query_worker.conversations import Conversations, told
from handlers.voice_qa.table_records import QuestionRecord, conversation_key

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

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


class QuestionContext:
    """Looks up what an agent is told."""

    def __init__(
        self,
        lectures: LectureTable,
        s3: "S3Client",
        conversations: Conversations,
        *,
        bucket: str,
        max_query_bytes: int,
    ) -> None:
        self._lectures = lectures
        self._s3 = s3
        self._conversations = conversations
        self._bucket = bucket
        self._max_query_bytes = max_query_bytes

    def question(self, identity: str, query_id: str, asked: QuestionRecord) -> agent_types.AgentQuestion:
        """All that an agent is told; raises Unanswerable."""
        lecture = self._lecture(asked.lecture_id)
        query = self._query(identity, asked)
        key = conversation_key(identity, asked.session, asked.lecture_id)
        return agent_types.AgentQuestion(
            query_id=query_id,
            session_id=agent_types.opaque_session_id(f"{identity}#{asked.session}"),
            lecture=lecture,
            query=query,
            conversation=told(self._conversations.turns(key)),
            language=asked.language,
        )

    def _lecture(self, lecture_id: str) -> agent_types.Lecture:
        ready = self._lectures.ready(lecture_id)
        url = self._url(ready.key, VersionId=ready.version_id)
        return agent_types.Lecture(lecture_id, url, ready.format, ready.duration_ms)

    def _query(self, identity: str, asked: QuestionRecord) -> agent_types.SpokenQuery | agent_types.WrittenQuery:
        if asked.audio_key is not None:
            return self._spoken(identity, asked.audio_key)
        if not asked.text:
            raise UnanswerableQuestion(VoiceQaErrorCode.QUERY_FAILED, "Nothing was asked.")
        return agent_types.WrittenQuery(asked.text)

    def _spoken(self, identity: str, key: str) -> agent_types.SpokenQuery:
        if not key.startswith(f"{QUERIES_PREFIX}{identity}/"):
            raise UnanswerableQuestion(VoiceQaErrorCode.AUDIO_FOREIGN, "This audio is not yours.")
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_FOUND:
                raise
            raise UnanswerableQuestion(
                VoiceQaErrorCode.AUDIO_MISSING, "The audio was not uploaded yet.", retryable=True
            ) from None
        if not head["ContentLength"]:
            raise UnanswerableQuestion(VoiceQaErrorCode.AUDIO_EMPTY, "The audio is empty.")
        if head["ContentLength"] > self._max_query_bytes:
            allowed = f"{self._max_query_bytes} bytes are allowed"
            raise UnanswerableQuestion(VoiceQaErrorCode.AUDIO_TOO_LARGE, f"The audio is too large: {allowed}.")
        kind = FORMATS.get(head.get("ContentType", "").partition(";")[0].strip().lower())
        if kind is None:
            raise UnanswerableQuestion(VoiceQaErrorCode.QUERY_FAILED, "The audio is of a kind that is not taken.")
        return agent_types.SpokenQuery(self._url(key), kind)

    def _url(self, key: str, **version: str) -> str:
        where = {"Bucket": self._bucket, "Key": key, **version}
        return self._s3.generate_presigned_url("get_object", Params=where, ExpiresIn=URL_SECONDS)
