"""Settings of voice Q&A: the load, lectures, audio, sessions, the WebSocket API, its functions and alarms."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from components.settings.networks import Origin
from components.settings.settings_base import (
    GATEWAY_SECONDS,
    ClientFunctionSettings,
    FunctionSettings,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from components.settings.voice_qa_agent import AnswerAgentSettings
from handlers.voice_qa.environment import (
    LecturesPerDay,
    QueriesAtOnce,
    QueriesPerHour,
    SessionDays,
    UrlSeconds,
)

Days = Annotated[int, Field(ge=1, le=365)]


class VoiceQaLoad(SettingsModel):
    """The load that cost follows from."""

    questions_per_day: Annotated[int, Field(ge=1)] = 200
    lectures_per_day: Annotated[float, Field(gt=0)] = 5


class LectureUploads(StrEnum):
    """Who may upload lectures."""

    GUESTS = "guests"
    OFF = "off"
    """An operator does."""


class LectureSettings(SettingsModel):
    """What a lecture may be."""

    uploads: LectureUploads = LectureUploads.OFF
    """`guests` lets everybody who connects upload lectures."""
    max_gigabytes: Annotated[float, Field(ge=0.01, le=5)] = 2


class AudioSettings(SettingsModel):
    """The bucket of lectures, questions and answers."""

    query_days: Days = 7
    response_days: Days = 7
    """Then an object is an old version for a day more, where the bucket is versioned, and gone."""
    origins: Annotated[tuple[Origin, ...], Field(min_length=1)] = ("*",)
    """Pages that may upload and download; prod must name them."""
    versioned: bool = True
    """Whether objects that are replaced or deleted are kept: lectures for seven days, questions and answers for one."""
    accelerated: bool = False
    """Whether guests upload through the edge location nearest to them (S3 Transfer Acceleration, $0.04 a GB)."""


class ConversationSettings(SettingsModel):
    """What one identity may use, and how long it is kept."""

    days: SessionDays = 7
    """How long a conversation is kept from its first turn on, and a question."""
    queries_at_once: QueriesAtOnce = 2
    queries_per_hour: QueriesPerHour = 60
    lectures_per_day: LecturesPerDay = 20
    """How many lectures it may upload; each may have `lectures.maxGigabytes`."""
    guest_writes: bool = True
    """Whether its own credentials may put objects and items of its own: of any number, and objects of any size, because such calls
    pass nothing of ours. Without it a guest uploads by forms alone, as the console does."""
    url_seconds: UrlSeconds = 3600
    """How long a client can use an address for uploading or downloading; the agent's have a limit of their own."""
    ping_seconds: Annotated[int, Field(ge=30, le=540)] = 300
    """How often a client says that it is there: API Gateway closes a connection after ten idle minutes."""


class QaAlarmSettings(SettingsModel):
    """When somebody is told."""

    answer_seconds: Annotated[float, Field(gt=0)] = 10
    """From a question to its whole answer, for 95 of 100."""
    account_concurrency: Annotated[int, Field(ge=10)] = 1_000
    """Invocations that the account may have at once (Service Quotas, AWS Lambda)."""


class SocketHandlerSettings(ClientFunctionSettings):
    """Size, version and concurrency of the function behind the WebSocket API."""

    timeout_seconds: Annotated[int, Field(ge=1, le=GATEWAY_SECONDS)] = GATEWAY_SECONDS
    """How long one message may take; API Gateway waits for 29 seconds."""
    provisioned_concurrency: Annotated[int, Field(ge=0, le=100)] = 1
    """Execution environments kept warm, paid by the hour."""


class WorkerSettings(ClientFunctionSettings):
    """Size, version and concurrency of the function that has a question answered."""

    timeout_seconds: Annotated[int, Field(ge=60, le=900)] = 900
    """How long one question may take."""
    reserved_concurrency: Annotated[int, Field(ge=1, le=1000)] | None = 50
    """The most questions answered at once, set aside for this function: others wait, five minutes at most. With none the guests,
    who are anybody at all, may take every invocation of the account. Lambda refuses it where fewer than 100 were left."""


class VoiceQaSettings(SubsystemSettings):
    """Questions about lectures, answered by voice."""

    load: VoiceQaLoad = VoiceQaLoad()
    lectures: LectureSettings = LectureSettings()
    audio: AudioSettings = AudioSettings()
    sessions: ConversationSettings = ConversationSettings()
    agentcore: AnswerAgentSettings = AnswerAgentSettings()
    requests_per_second: RequestsPerSecond = 100
    """Messages of all clients together that the WebSocket API lets in."""
    alarms: QaAlarmSettings = QaAlarmSettings()
    socket_handler: SocketHandlerSettings = SocketHandlerSettings()
    query_worker: WorkerSettings = WorkerSettings()
    validator: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 300})
    """The function that validates lectures."""
