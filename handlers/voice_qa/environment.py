"""Environment variables of voice Q&A's three functions, and other facts that they share with the program that deploys them.

A guest is a browser user who asks questions about a lecture. The WebSocket handler replies to a guest's messages. The query
worker gets a question answered by the agent, an external service: an HTTP service or Bedrock AgentCore Runtime. The lecture
validator checks uploaded lectures. The stack settings have the bounds and the defaults of the numbers.
"""

from enum import StrEnum
from typing import Final, Literal

from handlers.common.environment import HandlerEnvironment

QUERIES: Final = "queries/"
"""Key prefix of spoken questions in the audio bucket. They expire after some days."""
RESPONSES: Final = "responses/"
"""Key prefix of stored answers. They expire after some days."""
LECTURES: Final = "lectures/"
"""Key prefix of lectures. They do not expire."""


class AudioFormat(StrEnum):
    """Formats of lectures that the validator can read. They are recognised by content, never by file name."""

    MP3 = "mp3"
    MP4 = "mp4"
    """Includes M4A."""
    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    WEBM = "webm"


class AgentCode(StrEnum):
    """Reasons why the agent has given no complete answer. They are logged, and an alarm counts all except REJECTED."""

    REFUSED = "refused"
    """The agent answers none of our questions: it denies access, does not exist, redirects us, or has an invalid
    certificate."""
    REJECTED = "rejected"
    """The agent does not accept this question, but may accept others."""
    THROTTLED = "throttled"
    """The agent is overloaded."""
    UNAVAILABLE = "unavailable"
    """The agent could not be reached, ended the connection before its answer was complete, or reports that it is
    unavailable."""
    TOO_SLOW = "too_slow"
    """The answer did not start in time, paused too long, or was not complete at the question's time limit."""
    MALFORMED = "malformed"
    """The response violates the protocol, or exceeds a size limit."""
    FAILED = "failed"
    """The agent could not answer because of an error of its own."""


MAX_QUERY_BYTES = 10_000_000
"""Maximum size of a spoken question."""
LECTURE_MIN_SECONDS = 10
"""Minimum duration of a lecture. A shorter recording has no content to ask about."""
LECTURE_MAX_SECONDS = 4 * 3600
"""Maximum duration of a lecture, a limit of Amazon Transcribe."""


class VoiceQaEnvironment(HandlerEnvironment):
    """Environment variables of the WebSocket handler and the query worker."""

    s3_bucket: str
    """Audio bucket: lectures, spoken questions and stored answers."""
    dynamodb_table: str
    session_days: int
    """Number of days for which a question is stored after its last change. A conversation (the questions of one guest about
    a lecture, and their answers) is stored for this number of days after its first answer."""
    answer_seconds: float
    """Maximum number of seconds from a question to the end of its answer."""

    @property
    def limit_ms(self) -> int:
        """Time limit of a question, in milliseconds."""
        return int(self.answer_seconds * 1000)


class SocketEnvironment(VoiceQaEnvironment):
    """Environment variables of the WebSocket handler."""

    worker: str
    """ARN of the query worker's alias."""
    time_limit_queue: str
    """URL of the queue with the delayed checks of the questions' time limits."""
    identity_pool: str
    """Id of the Cognito identity pool whose guests may connect."""
    guest_id_key: str
    """Name of the SSM SecureString parameter that contains a secret key. A guest id is a hash of the guest's Cognito
    identity id with this key."""
    guest_id_key_version: str | None = None
    """Deployed version of the parameter. No code reads this variable. A change of it starts new containers, which read
    the parameter again."""
    lecture_uploads: Literal["guests", "off"]
    """`guests` if guests may upload lectures, or `off` if only operators may."""
    url_seconds: int
    """Maximum lifetime of an upload form. The requirements state one hour, which is longer than the lifetime of other
    presigned URLs (`PRESIGNED_SECONDS`). A form expires earlier if the credentials that signed it expire. The client then
    requests another form."""
    accelerated: bool
    """True if upload forms use S3 Transfer Acceleration."""
    max_lecture_bytes: int
    """Maximum size of a lecture that a guest uploads."""
    lectures_per_day: int
    """Maximum number of lectures that one guest can upload in a day (UTC)."""
    queries_per_hour: int
    """Maximum number of one guest's questions in an hour."""


class WorkerEnvironment(VoiceQaEnvironment):
    """Environment variables of the query worker. Either the endpoint or the ARN names the agent."""

    agentcore_endpoint: str | None = None
    """URL of an agent that is an HTTP service, which does not run in AgentCore, although the variable's name says so.
    None if the agent runs in AgentCore Runtime."""
    agentcore_runtime_arn: str | None = None
    """ARN of an agent in AgentCore Runtime. None if the agent is an HTTP service."""
    agentcore_qualifier: str
    """Name of an endpoint of the AgentCore runtime, which selects a version of the agent."""


class ValidatorEnvironment(HandlerEnvironment):
    """Environment variables of the lecture validator."""

    s3_bucket: str
    dynamodb_table: str
    max_lecture_bytes: int
    """Maximum size of a lecture."""
