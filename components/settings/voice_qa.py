"""Settings of voice Q&A: expected load, lectures, audio bucket, limits of guests, WebSocket API, functions and
alarms.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr

from components.settings.settings_base import (
    GATEWAY_SECONDS,
    MIN_WEBSOCKET_SECONDS,
    ClientFunctionSettings,
    FunctionSettings,
    Origin,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from components.settings.voice_qa_agent_connection import AnswerAgentSettings
from handlers.voice_qa.environment import SessionDays
from handlers.voice_qa.websocket_handler.environment import LecturesPerDay, QueriesAtOnce, QueriesPerHour, UrlSeconds

Days = Annotated[int, Field(ge=1, le=365)]


class VoiceQaLoad(SettingsModel):
    """Expected load, from which the cost is computed."""

    questions_per_day: Annotated[int, Field(ge=1)] = 200
    """Questions of all guests per day. A guest is a user without login, with credentials of the Cognito identity
    pool."""
    lectures_per_day: Annotated[float, Field(gt=0)] = 5
    """Lectures that are uploaded per day."""


class LectureUploads(StrEnum):
    """Callers that may upload lectures."""

    GUESTS = "guests"
    """Every guest may upload lectures."""
    OFF = "off"
    """No guest may upload lectures. Operators still can."""


class LectureSettings(SettingsModel):
    """Upload of lectures, and their maximum size."""

    uploads: LectureUploads = LectureUploads.OFF
    """Callers that may upload lectures: with `guests` every guest, with `off` only operators."""
    max_gigabytes: Annotated[float, Field(ge=0.01, le=5)] = 2
    """Maximum size of a lecture in units of 1000³ bytes."""


class AudioSettings(SettingsModel):
    """Settings of the bucket for lectures, questions and answers."""

    query_days: Days = 7
    """Days that the audio of a spoken question is kept. In a versioned bucket, its old version is deleted a day
    later."""
    response_days: Days = 7
    """Days that the audio of an answer is kept. In a versioned bucket, its old version is deleted a day later."""
    origins: Annotated[tuple[Origin, ...], Field(min_length=1)] = ("*",)
    """Origins of the web pages that may upload and download. In prod, `*` is not allowed."""
    versioned: bool = True
    """Keep replaced and deleted objects: lectures for seven days, questions and answers for one day."""
    accelerated: bool = False
    """Use S3 Transfer Acceleration: guests upload through the nearest edge location, for $0.04 per GB."""


class ConversationSettings(SettingsModel):
    """Limits of one guest identity, and retention of its data."""

    days: SessionDays = 7
    """Days that the table keeps the text of a conversation after its first turn, and the record of each question. The
    bucket keeps the audio as long as the section `audio` says."""
    queries_at_once: QueriesAtOnce = 2
    """Maximum number of questions of a guest that are answered at the same time."""
    queries_per_hour: QueriesPerHour = 60
    """Maximum number of questions that a guest may ask per hour."""
    lectures_per_day: LecturesPerDay = 20
    """Maximum number of lectures that a guest may upload per day. `lectures.maxGigabytes` limits the size of each."""
    guest_writes: bool = True
    """Allow guests to write their conversations in the table with their own AWS credentials. Number and size of these
    writes are not limited, because no function checks them. Audio is not affected: guests always upload it with
    forms."""
    url_seconds: UrlSeconds = 3600
    """Time after which an upload form expires. It is a presigned form, with which a guest uploads audio directly to S3.
    It expires earlier if the function's temporary credentials that signed it expire. AWS does not document how long
    these last, so clients request another form if S3 refuses one."""
    ping_seconds: Annotated[int, Field(ge=30, le=540)] = 300
    """Interval of the client's pings. API Gateway closes a connection after ten idle minutes."""


class QaAlarmSettings(SettingsModel):
    """Thresholds of alarms."""

    answer_seconds: Annotated[float, Field(gt=0)] = 10
    """Time from a question to its complete answer (95th percentile)."""
    account_concurrency: Annotated[int, Field(ge=10)] = 1_000
    """Concurrent invocations that the account may have (Service Quotas, AWS Lambda). The alarm on concurrency is raised
    at a share of this number."""


class SocketHandlerSettings(ClientFunctionSettings):
    """Size, version and concurrency of the function behind the WebSocket API."""

    timeout_seconds: Annotated[int, Field(ge=MIN_WEBSOCKET_SECONDS, le=GATEWAY_SECONDS)] = GATEWAY_SECONDS
    """Maximum time for one message. API Gateway waits for 29 seconds."""
    provisioned_concurrency: Annotated[int, Field(ge=0, le=100)] = 1
    """Number of execution environments that are kept warm. Each costs money per hour."""


class WorkerSettings(ClientFunctionSettings):
    """Size, version and concurrency of the function that gets a question answered by the agent."""

    timeout_seconds: Annotated[int, Field(ge=60, le=900)] = 900
    """Maximum time for one question."""
    reserved_concurrency: Annotated[int, Field(ge=1, le=1000)] | None = 50
    """Maximum number of questions that are answered at the same time, reserved for this function. Further questions
    wait, for five minutes at most. Without a reservation, guests could use all invocations of the account. Lambda
    refuses a reservation that leaves fewer than 100 to the account."""


class VoiceQaSettings(SubsystemSettings):
    """Settings of voice Q&A, which answers spoken questions about lectures."""

    guest_id_key: Annotated[SecretStr, Field(min_length=32, max_length=4096)] | None = None
    """Secret that turns a guest's Cognito identity id into a pseudonym. S3 keys, messages and the agent get only the
    pseudonym, because anyone who reads the identity id can log in as the guest. Required unless `enabled` is false."""
    load: VoiceQaLoad = VoiceQaLoad()
    lectures: LectureSettings = LectureSettings()
    audio: AudioSettings = AudioSettings()
    sessions: ConversationSettings = ConversationSettings()
    agentcore: AnswerAgentSettings = AnswerAgentSettings()
    requests_per_second: RequestsPerSecond = 100
    """Maximum message rate of the WebSocket API, for all clients together."""
    alarms: QaAlarmSettings = QaAlarmSettings()
    socket_handler: SocketHandlerSettings = SocketHandlerSettings()
    query_worker: WorkerSettings = WorkerSettings()
    validator: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 300})
    """Function that validates lectures."""
