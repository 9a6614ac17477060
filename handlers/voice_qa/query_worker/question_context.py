"""Context of a question for the agent: the lecture, the text or audio of the question, and the conversation so far.

This module also checks that the question can be sent to the agent. The agent gets audio as presigned URLs. Each URL
names an object version: of a lecture, the one that the lecture validator checked, and of a spoken question, the one that
this module found. So a guest cannot replace the audio after that by uploading to the same key again. This protection
needs a bucket with versioning.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from handlers.common.aws import PRESIGNED_SECONDS
from handlers.common.events import NULL_VERSION_ID
from handlers.voice_qa.lectures import LectureTable
from handlers.voice_qa.messages import UnanswerableQuestion, VoiceQaErrorCode
from handlers.voice_qa.query_worker import agent_protocol
from handlers.voice_qa.query_worker.answers import Conversations
from handlers.voice_qa.records import Question, conversation_key

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

NOT_FOUND = "404"
"""Error code of HeadObject, whose response has no body, if the object does not exist."""
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
"""Names of the audio formats in the agent protocol, by the content types that clients can upload."""


@dataclass(frozen=True)
class QuestionContext:
    """Collector of the context of questions. It refuses questions that no agent can answer."""

    lectures: LectureTable
    conversations: Conversations
    s3: "S3Client"
    bucket: str

    def collect(self, guest_id: str, query_id: str, record: Question) -> agent_protocol.AgentQuestion:
        """Return the question with its context. Raises UnanswerableQuestion if it cannot be sent to the agent."""
        lecture = self.lectures.find_ready(record.lecture)
        query = (
            self._find_audio(record.audio_key)
            if record.audio_key is not None
            else agent_protocol.WrittenQuery(text=record.text or "")
        )
        return agent_protocol.AgentQuestion(
            query_id=query_id,
            session_id=agent_protocol.opaque_session_id(f"{guest_id}#{record.session}"),
            lecture=agent_protocol.QuestionLecture(
                lecture_id=record.lecture,
                url=self._presign_url(lecture.key, lecture.version_id),
                format=lecture.format,
                duration_ms=lecture.duration_ms,
            ),
            query=query,
            conversation=self.conversations.context(conversation_key(record.identity, record.session, record.lecture)),
            language=record.language,
        )

    def _find_audio(self, key: str) -> agent_protocol.SpokenQuery:
        """Return the audio of a spoken question. The form for its upload has limited its size and content type."""
        try:
            head = self.s3.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_FOUND:
                raise
            raise UnanswerableQuestion(
                VoiceQaErrorCode.AUDIO_REFUSED, "The audio has not been uploaded yet.", retryable=True
            ) from None
        url = self._presign_url(key, head.get("VersionId", NULL_VERSION_ID))
        return agent_protocol.SpokenQuery(url=url, format=FORMATS[head["ContentType"]])

    def _presign_url(self, key: str, version_id: str) -> str:
        params = {"Bucket": self.bucket, "Key": key, "VersionId": version_id}
        return self.s3.generate_presigned_url("get_object", Params=params, ExpiresIn=PRESIGNED_SECONDS)
