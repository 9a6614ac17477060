"""Models of the messages of transcription's WebSocket API, and of the event with which the router invokes the audio
processor.

A client opens a session, and then sends utterances: a few seconds of speech each. The session has a language, an audio
format, and `settings`: the caption thresholds, which decide which captions the client gets, and when.

The router is the Lambda function that answers each message of a client. It invokes the audio processor, which sends the
captions of one utterance. A lost utterance is sent again by its client.

An answer has the `id` of the client's message. Unknown fields are ignored, except in `settings`, so a newer client can
use an older platform.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from handlers.common.errors import ErrorCode
from handlers.common.ids import LanguageCode
from handlers.common.json_models import Message
from handlers.common.websocket import ClientMessage, ErrorMessage, MessageId, ReplyMessage
from handlers.transcription.audio import SAMPLE_RATES, Encoding
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.session_utterance_state import MAX_REMEMBERED_UTTERANCES

TOKEN_PREFIX = "bearer."  # noqa: S105 - a prefix, not a token
"""Prefix of the token, which the client offers as a WebSocket subprotocol."""
USER_PREFIX = "user."
"""Prefix of the user name that a client offers as a subprotocol. It is used only with the setting `auth: none`, without
tokens."""

SessionId = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
SampleRate = Literal[8000, 16000, 24000, 32000, 44100, 48000]


class TranscriptionErrorCode(ErrorCode):
    """Error codes of transcription. `WebSocketErrorCode` has those for errors of the message format."""

    UNAUTHENTICATED = (
        "UNAUTHENTICATED",
        "The handshake has no valid token, or the connection is unknown.",
        "Get a new token from the identity provider, and connect again.",
        401,
    )
    SESSION_UNKNOWN = ("SESSION_UNKNOWN", "The user has no such session.", "Open another session.")
    SESSION_CLOSED = (
        "SESSION_CLOSED",
        "The session is closed, or older than `sessionHours` of the stack output.",
        "Open another session.",
    )
    SESSION_ELSEWHERE = (
        "SESSION_ELSEWHERE",
        "The session was opened on another connection.",
        "Send `open` with its `sessionId`.",
    )
    BUSY = (
        "BUSY",
        "As many utterances are in progress as `inFlight` allows, or the utterance's `waitMs` is not over.",
        "Wait for a `done`, or until the wait is over.",
    )
    BAD_AUDIO = (
        "BAD_AUDIO",
        "The audio of the utterance is not valid. `message` states the problem and the rule.",
        "Correct the client.",
    )
    LANGUAGE_UNKNOWN = (
        "LANGUAGE_UNKNOWN",
        "The stack does not support the language.",
        "Use a language that `message` names.",
    )
    NOT_TRANSCRIBED = (
        "NOT_TRANSCRIBED",
        (
            "Amazon Transcribe refused the utterance that `utterance` names, or at least three attempts to transcribe it "
            "failed."
        ),
        "Do not send the utterance again.",
    )
    UNAVAILABLE = (
        "UNAVAILABLE",
        "A transient failure: a service is busy or does not answer.",
        "Send the message again, or connect again if the handshake failed.",
        503,
    )


class SpeechRequest(ClientMessage):
    """Language and audio format of speech, with defaults."""

    language: LanguageCode = "en-US"
    encoding: Encoding = Encoding.PCM
    sample_rate: SampleRate = 16000

    @field_validator("sample_rate")
    @classmethod
    def _encoding_supports_rate(cls, value: int, info: ValidationInfo) -> int:
        rates = SAMPLE_RATES.get(info.data.get("encoding", Encoding.PCM), ())
        if value not in rates:
            raise PydanticCustomError("sample_rate", "must be one of {rates} for this encoding", {"rates": list(rates)})
        return value


class Open(SpeechRequest):
    """Request to open a new session, or to go on with a session of the same user on this connection."""

    action: Literal["open"]
    session_id: SessionId | None = None
    """The session to go on with. Without it, a new session is opened."""
    settings: SessionSettings = SessionSettings()
    """Caption thresholds of a new session, which replace those of the stack."""
    unfinished: Annotated[tuple[MessageId, ...], Field(max_length=MAX_REMEMBERED_UTTERANCES)] = ()
    """Utterances of the session whose end the client has not received. If the session was last used on another
    connection, `resend` in the answer lists those whose captions may be lost."""


class Audio(ClientMessage):
    """One utterance: speech up to a pause."""

    action: Literal["audio"]
    session_id: SessionId
    utterance: MessageId
    """The client's name for the utterance. If the client sends it again under the same name, it is transcribed once."""
    sequence: Annotated[int, Field(ge=0, le=10_000_000)]
    """Position of the utterance in the session's speech. Captions of overlapping utterances are ordered by it."""
    audio: Annotated[str, StringConstraints(min_length=1, max_length=129_024)]
    """Base64. The maximum length is the length in base64 of `MAX_BYTES` bytes (see `audio`)."""


class Ping(ClientMessage):
    """Request that keeps the connection open. With a session id, it also asks which utterances must be sent again."""

    action: Literal["ping"]
    session_id: SessionId | None = None


class Close(ClientMessage):
    """Request to close a session. Captions of utterances in progress are still delivered."""

    action: Literal["close"]
    session_id: SessionId


class ResendRequest(Message):
    """An utterance that the client must send again, for example because it was lost."""

    utterance: MessageId
    from_ms: int
    """Position in the utterance. Final captions up to it remain valid, and the client removes all other lines of the
    utterance."""
    wait_ms: int | None = None
    """Minimum time to wait before the utterance is sent again. The client waits up to twice as long, so that clients do
    not all send at the same time."""


class Opened(ReplyMessage):
    """Answer to `open`: the session is open on this connection."""

    type: Literal["opened"] = "opened"
    session_id: SessionId
    expires_at: str
    """End of the session: UTC in ISO 8601 with milliseconds, as in `2026-01-31T12:00:00.000Z`."""
    in_flight: int
    """Maximum number of utterances in progress at the same time."""
    resend: tuple[ResendRequest, ...] = ()
    """Utterances of the session that the client must send again."""
    done: tuple[MessageId, ...] = ()
    """The session's most recent utterances that have ended. The messages about their ends may be lost."""
    failed: tuple[MessageId, ...] = ()
    """Utterances in `done` that were given up."""


class Accepted(ReplyMessage):
    """Answer to `audio`: the utterance is being transcribed or, if `done` is true, has ended."""

    type: Literal["accepted"] = "accepted"
    session_id: SessionId
    utterance: MessageId
    repeated: bool = False
    """True if the utterance was sent before, so this message does not start another transcription."""
    done: bool = False
    """True if the utterance has ended."""
    failed: bool = False
    """True if the utterance was given up."""
    resend: tuple[ResendRequest, ...] = ()
    """Other utterances of the session that the client must send again."""


class Pong(ReplyMessage):
    """Answer to `ping`. If the message names no session, the lists are empty."""

    type: Literal["pong"] = "pong"
    resend: tuple[ResendRequest, ...] = ()
    """Utterances of the session that the client must send again."""
    done: tuple[MessageId, ...] = ()
    """The session's most recent utterances that have ended."""
    failed: tuple[MessageId, ...] = ()
    """Utterances in `done` that were given up."""


class Closed(ReplyMessage):
    """Answer to `close`: the session is closed."""

    type: Literal["closed"] = "closed"
    session_id: SessionId


class CaptionMessage(Message):
    """A line of text to show. A result is a piece of speech as Amazon Transcribe recognises it, and its line replaces
    the earlier line with the same `resultId`.
    """

    type: Literal["caption"] = "caption"
    session_id: SessionId
    utterance: MessageId
    sequence: int
    result_id: str
    revision: int
    """Number that increases with each change of the line."""
    text: str
    final: bool
    """True if the line will not change any more."""
    start_ms: int
    """Position within the utterance."""
    end_ms: int
    """Position within the utterance."""
    stability: float | None = None
    """Share of the result's words and punctuation marks that Amazon Transcribe marks as stable. Absent if it marks no
    word or punctuation mark as stable or unstable."""
    orphan: bool = False
    """True if the result never became final, so the text is its last partial version."""


class Retract(Message):
    """Request to the client to remove a line, because it repeats another line or will be transcribed again."""

    type: Literal["retract"] = "retract"
    session_id: SessionId
    utterance: MessageId
    result_id: str
    revision: int
    """Revision of the line to remove. A line with a higher revision stays."""


class Done(Message):
    """The utterance is transcribed. No more captions follow."""

    type: Literal["done"] = "done"
    session_id: SessionId
    utterance: MessageId
    sequence: int
    finals: int
    """Number of final lines that the last attempt at the utterance has shown."""
    fallback: str | None = None
    """Reason for showing only final captions: Amazon Transcribe reported no stability, a stream failed, or this was not
    the first attempt. Absent otherwise, and for a first attempt if the settings disable partial captions."""


class Failed(Message):
    """The utterance is given up. Amazon Transcribe refuses it, or at least three attempts to transcribe it failed."""

    type: Literal["error"] = "error"
    code: str
    message: str
    session_id: SessionId
    utterance: MessageId


class Resend(Message):
    """Request to the client to send utterances again, because they were lost or could not be transcribed."""

    type: Literal["resend"] = "resend"
    session_id: SessionId
    utterances: tuple[ResendRequest, ...]


class ProcessorEvent(BaseModel):
    """Event of the audio processor: one attempt to transcribe one utterance. No other event or stored item contains
    audio.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        hide_input_in_errors=True,
    )

    schema_version: Literal[1] = 1
    session_id: SessionId
    utterance: MessageId
    attempt: Annotated[int, Field(ge=1)]
    """Number of this attempt, counted over all utterances of the session."""
    sequence: int
    from_ms: Annotated[int, Field(ge=0)] = 0
    """Position in the utterance up to which the captions of earlier attempts remain valid."""
    utterance_attempt: Annotated[int, Field(ge=1)] = Field(default=1, alias="attempts")
    """Number of this attempt, counted over the attempts at this utterance that had a free stream. Attempts after the
    first show only final captions."""
    accepted_ms: int | None = None
    """Time at which the router accepted this attempt. Caption latency is measured from it. None from a router of an
    older release."""
    audio: str
    """Base64."""


REQUESTS: dict[str, type[ClientMessage]] = {
    "open": Open,
    "audio": Audio,
    "ping": Ping,
    "close": Close,
}
"""Request models by their `action`."""

RESPONSES: tuple[type[Message], ...] = (
    Opened,
    Accepted,
    Pong,
    Closed,
    CaptionMessage,
    Retract,
    Done,
    Resend,
    Failed,
    ErrorMessage,
)
"""Models of all messages that a client can receive."""
