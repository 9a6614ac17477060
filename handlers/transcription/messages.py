"""Models of the messages of transcription's WebSocket API, and of the event with which the router invokes the audio
processor. The router is the function that answers clients, and the audio processor transcribes one utterance.

A client opens the session of its connection, and then sends utterances: a few seconds of speech each. It keeps each
utterance, and sends it again as a further attempt if an attempt fails. The session has a language, an audio format, and
`settings`, which decide which captions the client gets, and when.

An answer has the `id` of the client's message. Unknown fields are ignored, except in `settings`, so a newer client can
use an older platform.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from handlers.common.errors import ErrorCode
from handlers.common.ids import LanguageCode
from handlers.common.json_models import Message
from handlers.common.websocket import ClientMessage, ErrorMessage, MessageId, ReplyMessage
from handlers.transcription.audio import OPUS_SAMPLE_RATES, Encoding
from handlers.transcription.environment import SessionSettings

TOKEN_PREFIX = "bearer."  # noqa: S105 - a prefix, not a token
"""Prefix of the token, which the client offers as a WebSocket subprotocol."""

SampleRate = Literal[8000, 16000, 24000, 32000, 44100, 48000]
"""Sample rate in Hz. At each of them, a chunk of the audio (`audio.CHUNK_MS`) has a whole number of samples."""


class TranscriptionErrorCode(ErrorCode):
    """Error codes of transcription. `WebSocketErrorCode` has those for errors of the message format."""

    UNAUTHENTICATED = (
        "UNAUTHENTICATED",
        "The handshake has no valid token.",
        "Get a new token from the identity provider, and connect again.",
        401,  # HTTP status, which only a handshake has
    )
    NO_SESSION = ("NO_SESSION", "The connection has no session.", "Send `open` first.")
    SESSION_OPEN = (
        "SESSION_OPEN",
        "The connection has a session already.",
        "Use it, or connect again to open another session.",
    )
    BUSY = (
        "BUSY",
        "As many utterances are in progress as `inFlight` allows, or an earlier attempt at the utterance is in progress.",
        "Send the utterance again a second later.",
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


class Open(ClientMessage):
    """Request to open the session of this connection."""

    action: Literal["open"]
    language: LanguageCode = "en-US"
    encoding: Encoding = Encoding.PCM
    sample_rate: SampleRate = 16000
    settings: SessionSettings = SessionSettings()
    """Caption thresholds of the session, which replace those of the stack."""

    @field_validator("sample_rate")
    @classmethod
    def _encoding_supports_rate(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("encoding") is Encoding.OGG_OPUS and value not in OPUS_SAMPLE_RATES:
            rates = list(OPUS_SAMPLE_RATES)
            raise PydanticCustomError("sample_rate", "must be one of {rates} for this encoding", {"rates": rates})
        return value


class Audio(ClientMessage):
    """One utterance: speech up to a pause."""

    action: Literal["audio"]
    utterance: MessageId
    """The client's name for the utterance, unique in its session."""
    attempt: Annotated[int, Field(ge=1, le=1_000_000)]
    """Number of this attempt. It must be higher each time that the client sends the utterance."""
    sequence: Annotated[int, Field(ge=0)]
    """Position of the utterance in the session's speech. Captions of overlapping utterances are ordered by it."""
    audio: Annotated[str, StringConstraints(max_length=129_024)]
    """Base64. The maximum length is the length in base64 of `MAX_BYTES` bytes (see `audio`)."""


class Ping(ClientMessage):
    """Request that keeps the connection open."""

    action: Literal["ping"]


class Opened(ReplyMessage):
    """Answer to `open`: the session is open until the connection ends."""

    type: Literal["opened"] = "opened"
    in_flight: int
    """Maximum number of utterances in progress at the same time."""


class Accepted(ReplyMessage):
    """Answer to `audio`: this attempt or a higher one was accepted before or now, or `done` is true."""

    type: Literal["accepted"] = "accepted"
    utterance: MessageId
    attempt: int
    done: bool
    """True if the utterance has ended, so no attempt at it starts any more."""
    failed: bool
    """True if the utterance has ended because it was given up."""


class Pong(ReplyMessage):
    """Answer to `ping`."""

    type: Literal["pong"] = "pong"


class AttemptMessage(Message):
    """Base of the messages about an attempt. A client that gets one with a higher `attempt` than before removes the lines
    of the utterance's lower attempts, and ignores later messages about them.
    """

    utterance: MessageId
    attempt: int


class CaptionMessage(AttemptMessage):
    """A line of text to show. A result is a piece of speech as Amazon Transcribe recognises it, and its line replaces
    the earlier line with the same `resultId`.
    """

    type: Literal["caption"] = "caption"
    sequence: int
    result_id: str
    text: str
    """Empty if the client must remove the line."""
    final: bool
    """True if the line will not change any more, unless a higher attempt replaces it."""
    start_ms: int
    """Position within the utterance."""
    end_ms: int
    """Position within the utterance."""
    stability: float | None = None
    """Share of the result's words and punctuation marks that Amazon Transcribe marks as stable. Absent if it marks no
    word or punctuation mark as stable or unstable."""
    orphan: bool = False
    """True if the result never became final, so the text is its last partial version."""


class Done(AttemptMessage):
    """The utterance is transcribed. No more captions follow."""

    type: Literal["done"] = "done"
    sequence: int
    finals: int
    """Number of final lines of this attempt."""
    fallback: str | None = None
    """Reason for showing only final captions, other than the settings: `retried` if an earlier attempt failed, or
    `no_stability` if Amazon Transcribe reported no stability. Absent otherwise."""


class Failed(AttemptMessage):
    """The attempt failed. Unlike other messages, this message leaves lines of lower attempts on the screen."""

    type: Literal["failed"] = "failed"
    code: str
    """`UNAVAILABLE` if the client must send the utterance again, or `NOT_TRANSCRIBED` if it is given up."""
    message: str
    retryable: bool
    """True if the client must send the utterance again, with a higher `attempt`. If false, Amazon Transcribe refuses the
    utterance, or several attempts failed. The client then removes its lines that are not final."""
    wait_ms: int | None = None
    """Minimum time to wait before the utterance is sent again, or absent for no wait. The client waits up to twice as
    long, so that clients do not all send at the same time."""


class ProcessorEvent(Message):
    """Event with which the router invokes the audio processor for one attempt at an utterance. Audio is never stored, so
    a failed event is not stored either.
    """

    schema_version: Literal[1] = 1
    session_id: str
    """Id of the session, which is also the id of its connection."""
    utterance: MessageId
    attempt: int
    sequence: int
    accepted_ms: int
    """Time at which the router accepted this attempt, from which the latency of captions is measured."""
    audio: str = Field(repr=False)
    """Base64."""


REQUESTS: dict[str, type[ClientMessage]] = {"open": Open, "audio": Audio, "ping": Ping}
"""Request models by their `action`."""

RESPONSES: tuple[type[Message], ...] = (Opened, Accepted, Pong, CaptionMessage, Done, Failed, ErrorMessage)
"""Models of all messages that a client can receive."""
