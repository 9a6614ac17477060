"""What client and router say to each other: one model a message, in both directions.

A client names its message with `id` and gets it back in the answer. Unknown fields are ignored, so that a newer client
can speak with an older platform; what is known is held to its bounds before anything else looks at it.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from handlers.common.name_patterns import LanguageCode
from handlers.common.websocket.messages import Answer, ErrorMessage, Message, MessageId, Request
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.utterance_audio import SAMPLE_RATES, Encoding
from handlers.transcription.utterance_slots import REMEMBERED

TOKEN_PREFIX = "bearer."  # noqa: S105 - how a token is marked, no token
USER_PREFIX = "user."
"""Beside `auth: none` only, where anybody may be anybody."""

SessionId = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
SampleRate = Literal[8000, 16000, 24000, 32000, 44100, 48000]


class TranscriptionErrorCode(StrEnum):
    """What can be wrong with a message that is one."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    SESSION_UNKNOWN = "SESSION_UNKNOWN"
    SESSION_CLOSED = "SESSION_CLOSED"
    SESSION_ELSEWHERE = "SESSION_ELSEWHERE"
    TOO_MANY_SESSIONS = "TOO_MANY_SESSIONS"
    BUSY = "BUSY"
    BAD_AUDIO = "BAD_AUDIO"
    LANGUAGE_UNKNOWN = "LANGUAGE_UNKNOWN"
    NOT_TRANSCRIBED = "NOT_TRANSCRIBED"
    DIRECT_REFUSED = "DIRECT_REFUSED"
    UNAVAILABLE = "UNAVAILABLE"


class SpeechRequest(Request):
    """What is spoken, and how it is encoded."""

    language: LanguageCode = "en-US"
    encoding: Encoding = Encoding.PCM
    sample_rate: SampleRate = 16000

    @field_validator("sample_rate")
    @classmethod
    def _the_encoding_has_it(cls, value: int, known: ValidationInfo) -> int:
        rates = SAMPLE_RATES.get(known.data.get("encoding", Encoding.PCM), ())
        if value not in rates:
            raise PydanticCustomError("sample_rate", "this encoding has one of {rates}", {"rates": list(rates)})
        return value


class Open(SpeechRequest):
    """Opens a session, or takes a session of one's own to this connection after the last one broke."""

    action: Literal["open"]
    session_id: SessionId | None = None
    """A session to go on with; without it a new one is made."""
    settings: SessionSettings = SessionSettings()
    """Thresholds of this session's own, each within its range."""
    unfinished: Annotated[tuple[MessageId, ...], Field(max_length=REMEMBERED)] = ()
    """Utterances of the session whose end was not heard. After another connection broke, `resend` of the answer has those
    of which words may have been lost with it."""


class Audio(Request):
    """One utterance, cut where the speaker paused."""

    action: Literal["audio"]
    session_id: SessionId
    utterance: MessageId
    """The client's name for the utterance: sent again under the same name, it is transcribed once."""
    sequence: Annotated[int, Field(ge=0, le=10_000_000)]
    """Its place in the session's speech: captions of utterances that overlap are put in order by it."""
    audio: Annotated[str, StringConstraints(min_length=1, max_length=129_024)]
    """Base64."""


class Ping(Request):
    """Keeps the connection open, and asks for utterances that were lost."""

    action: Literal["ping"]
    session_id: SessionId | None = None


class Close(Request):
    """Ends a session; utterances on their way are still delivered."""

    action: Literal["close"]
    session_id: SessionId


class Direct(Request):
    """Asks for an address at which a browser streams to Amazon Transcribe itself, past the rules for captions."""

    action: Literal["direct"]
    session_id: SessionId
    """Language, encoding and rate are the session's."""


class Again(Message):
    """An utterance that the client must send once more."""

    utterance: MessageId
    from_ms: int
    """Its final captions hold up to here; all its other lines go."""
    wait_ms: int | None = None
    """How long to wait before that, and up to twice as long, so that not all clients come at once."""


class Opened(Answer):
    """A session is open on this connection."""

    type: Literal["opened"] = "opened"
    session_id: SessionId
    expires_at: str
    in_flight: int
    """Utterances that may be on their way at once."""
    resend: tuple[Again, ...] = ()
    done: tuple[MessageId, ...] = ()
    """Utterances whose end was reached, if its message did not arrive."""
    failed: tuple[MessageId, ...] = ()
    """Those of them that were given up."""


class Accepted(Answer):
    """An utterance is on its way; the same answer where it is, or was, already."""

    type: Literal["accepted"] = "accepted"
    session_id: SessionId
    utterance: MessageId
    repeated: bool = False
    """It was sent before."""
    done: bool = False
    """And nothing more of it comes."""
    failed: bool = False
    """It was given up."""
    resend: tuple[Again, ...] = ()
    """Others that were lost."""


class Pong(Answer):
    """The connection is alive."""

    type: Literal["pong"] = "pong"
    resend: tuple[Again, ...] = ()
    done: tuple[MessageId, ...] = ()
    """Utterances of the session whose end was reached, the last ones."""
    failed: tuple[MessageId, ...] = ()
    """Those of them that were given up."""


class Closed(Answer):
    """The session is closed."""

    type: Literal["closed"] = "closed"
    session_id: SessionId


class DirectAddress(Answer):
    """Where to stream to."""

    type: Literal["direct"] = "direct"
    url: str
    expires_seconds: int


class CaptionMessage(Message):
    """A line of captions: one with the same `resultId` replaces what was shown before."""

    type: Literal["caption"] = "caption"
    session_id: SessionId
    utterance: MessageId
    sequence: int
    result_id: str
    revision: int
    """Grows with each change of this line."""
    text: str
    final: bool
    start_ms: int
    """Within the utterance."""
    end_ms: int
    stability: float | None = None
    orphan: bool = False
    """Its final never came: this is the last that was heard."""


class Retract(Message):
    """Takes a line of captions away: it turned out to repeat another, or has to be said again."""

    type: Literal["retract"] = "retract"
    session_id: SessionId
    utterance: MessageId
    result_id: str
    revision: int
    """A line that has changed since then stays."""


class Done(Message):
    """An utterance is transcribed; nothing more of it comes."""

    type: Literal["done"] = "done"
    session_id: SessionId
    utterance: MessageId
    sequence: int
    finals: int
    """Final captions of its last attempt, without those that another utterance has shown."""
    fallback: str | None = None
    """Why there were no partial captions, where there were meant to be."""


class Failed(Message):
    """An utterance that is given up: Amazon Transcribe refuses it, or it failed three times."""

    type: Literal["error"] = "error"
    code: str
    message: str
    session_id: SessionId
    utterance: MessageId


class Resend(Message):
    """Utterances of a session that were lost on the way: the client sends them again."""

    type: Literal["resend"] = "resend"
    session_id: SessionId
    utterances: tuple[Again, ...]


class ProcessorEvent(BaseModel):
    """One utterance to transcribe, as the router hands it to the processor: the only place where audio travels."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    schema_version: Literal[1] = 1
    session_id: SessionId
    utterance: MessageId
    attempt: Annotated[int, Field(ge=1)]
    """Which of the session's attempts this is."""
    sequence: int
    from_ms: Annotated[int, Field(ge=0)] = 0
    """How far its captions hold since an earlier attempt."""
    attempts: Annotated[int, Field(ge=1)] = 1
    """Which attempt at this utterance it is. After the first, none takes a risk: finals only."""
    accepted_ms: int | None = None
    """When this attempt was taken in: its captions' lateness counts from there. Routers of before do not say."""
    audio: str
    """Base64."""


REQUESTS: dict[str, type[Request]] = {"open": Open, "audio": Audio, "ping": Ping, "close": Close, "direct": Direct}
"""By route."""

RESPONSES: tuple[type[Message], ...] = (
    Opened,
    Accepted,
    Pong,
    Closed,
    DirectAddress,
    CaptionMessage,
    Retract,
    Done,
    Resend,
    Failed,
    ErrorMessage,
)
"""What a client may hear."""
