"""Settings of voice Q&A: expected load, lectures, audio bucket, limits of guests, the external agent, WebSocket API,
functions and alarms.

The agent itself is not part of this program. Stack files have the settings for calling it in the section
`voiceQa.agentcore`, although they also apply to an agent that is called by HTTP and not through Bedrock AgentCore.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, HttpUrl, SecretStr

from components.settings.base import (
    GATEWAY_SECONDS,
    MIN_WEBSOCKET_SECONDS,
    ClientFunctionSettings,
    FunctionSettings,
    Origin,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from components.settings.foundation import Cidr, SubnetId, VpcId
from handlers.common.json_models import TextForm

Days = Annotated[int, Field(ge=1, le=365)]
Count = Annotated[int, Field(ge=1)]
AnswerSeconds = Annotated[float, Field(ge=10, le=840)]
"""Maximum time for an answer. It is less than 15 minutes, which is Lambda's maximum timeout and also the maximum delay of
the SQS message that triggers the check of this limit."""


class VoiceQaLoad(SettingsModel):
    """Expected load, from which the cost is computed."""

    questions_per_day: Count = 200
    """Questions of all guests per day. A guest is a user without login, with credentials of the Cognito identity
    pool."""
    lectures_per_day: Annotated[float, Field(gt=0)] = 5
    """Lectures that are uploaded per day."""


class LectureUploads(StrEnum):
    """Callers that may upload lectures."""

    GUESTS = "guests"
    OFF = "off"


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

    days: Count = 7
    """Days that the table keeps the text of a conversation after its first turn, and the record of each question. The
    bucket keeps the audio as long as the section `audio` says."""
    queries_per_hour: Count = 60
    """Maximum number of questions that a guest may ask per hour. A question that is asked again counts again, unless it is
    being answered."""
    lectures_per_day: Count = 20
    """Maximum number of lectures that a guest may upload per day. `lectures.maxGigabytes` limits the size of each."""
    guest_writes: bool = False
    """Allow guests to write their conversations in the table with their own AWS credentials. No function checks these
    writes, so a guest may write any number of items of 400 KB. Staging and prod therefore refuse `true`. The backend
    stores conversations in any case, and guests always upload audio with forms."""
    max_write_units: Annotated[int, Field(ge=50, le=40_000)] = 500
    """Maximum write request units of the table per second. A unit is a write of 1 KB, and 500 units per second cost about
    $1 an hour. Guests reach the table without the API, so no throttle of the API limits its cost. DynamoDB throttles
    further requests, those of functions too. The default suffices for dozens of questions per second."""
    max_read_units: Annotated[int, Field(ge=50, le=40_000)] = 1_000
    """Maximum read request units of the table per second. A unit is a read of 4 KB, and 1,000 units per second cost about
    $0.50 an hour."""
    url_seconds: Annotated[int, Field(ge=60, le=3600)] = 3600
    """Time after which an upload form expires. It is a presigned form, with which a guest uploads audio directly to S3.
    It expires earlier if the function's temporary credentials that signed it expire. AWS does not document how long
    these last, so clients request another form if S3 refuses one."""
    ping_seconds: Annotated[int, Field(ge=30, le=540)] = 300
    """Interval of the client's pings. API Gateway closes a connection after ten idle minutes."""


class AgentMode(StrEnum):
    """Protocol for requests to the agent."""

    HTTP = "http"
    BEDROCK = "bedrock"


def _check_agent_url(url: HttpUrl) -> HttpUrl:
    if url.username is not None or url.query is not None or url.fragment is not None:
        raise ValueError("an agent's endpoint must not have a user name, a query or a fragment")
    return url


AgentUrl = Annotated[HttpUrl, AfterValidator(_check_agent_url)]
"""URL without user and query."""
RuntimeArn = Annotated[
    str,
    TextForm(
        r"^arn:[a-z-]+:bedrock-agentcore:[a-z0-9-]+:\d{12}:runtime/[\w-]+$",
        "must be the ARN of a runtime: arn:aws:bedrock-agentcore:<region>:<account>:runtime/<id>",
    ),
]


class AgentNetworkSettings(SettingsModel):
    """Network of a private agent. The query worker, which is the function that calls the agent, is attached to it, and
    needs a route to the internet.
    """

    vpc_id: VpcId
    """VPC in which the agent runs."""
    cidr: Cidr
    """CIDR block of the network. In it, the worker can reach only the agent's port."""
    subnet_ids: Annotated[tuple[SubnetId, ...], Field(min_length=1)]
    """Private subnets that already have a route to the internet."""


class AnswerAgentSettings(SettingsModel):
    """Settings for calling the external agent that answers questions."""

    mode: AgentMode = AgentMode.HTTP
    """Kind of the agent: `http` for an HTTP service at `endpoint`, `bedrock` for Bedrock AgentCore Runtime with
    `runtimeArn`."""
    endpoint: AgentUrl | None = None
    """URL of the agent in mode `http`, without user and query. Local stacks provide one themselves."""
    network: AgentNetworkSettings | None = None
    """Network of the agent in mode `http`, if its address is private."""
    runtime_arn: RuntimeArn | None = None
    """ARN of the agent in mode `bedrock`."""
    qualifier: Annotated[
        str,
        TextForm(
            r"^[A-Za-z][A-Za-z0-9_]{0,47}$", "must have 1 to 48 characters of A-Z, a-z, 0-9 and _, with a letter first"
        ),
    ] = "DEFAULT"
    """Name of the runtime's endpoint, in mode `bedrock`."""
    answer_seconds: AnswerSeconds = 600
    """Maximum time for a complete answer."""

    @property
    def port(self) -> int | None:
        """Port of the endpoint; None if there is no endpoint."""
        return self.endpoint.port if self.endpoint else None


class QaAlarmSettings(SettingsModel):
    """Thresholds of alarms."""

    answer_seconds: Annotated[float, Field(gt=0)] = 10
    """Time from a question to its complete answer (95th percentile)."""
    account_concurrency: Annotated[int, Field(ge=10)] = 1_000
    """Concurrent invocations that the account may have (Service Quotas, AWS Lambda; a new account may have 10). The alarm
    on concurrency is raised at a share of this number, and a reservation must fit into it."""


class WebsocketHandlerSettings(ClientFunctionSettings):
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
    websocket_handler: WebsocketHandlerSettings = WebsocketHandlerSettings()
    query_worker: WorkerSettings = WorkerSettings()
    validate_lecture: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 300})
    """Function that validates lectures."""
