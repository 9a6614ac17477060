"""What client and voice Q&A say to each other over the WebSocket: one model a message, in both directions."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from handlers.common.name_patterns import LanguageCode, Ulid
from handlers.common.websocket.messages import Answer, ErrorMessage, Message, Request

QueryId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]


class VoiceQaErrorCode(StrEnum):
    """What can be wrong with a message that is one, or with a question."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    LECTURE_UNKNOWN = "LECTURE_UNKNOWN"
    LECTURE_NOT_READY = "LECTURE_NOT_READY"
    LECTURE_REJECTED = "LECTURE_REJECTED"
    AUDIO_FOREIGN = "AUDIO_FOREIGN"
    AUDIO_MISSING = "AUDIO_MISSING"
    AUDIO_EMPTY = "AUDIO_EMPTY"
    AUDIO_TOO_LARGE = "AUDIO_TOO_LARGE"
    QUERY_FAILED = "QUERY_FAILED"
    """It was asked, and cannot be answered; asking the same again would not help."""
    TOO_MANY_QUERIES = "TOO_MANY_QUERIES"
    UPLOAD_REFUSED = "UPLOAD_REFUSED"
    UNAVAILABLE = "UNAVAILABLE"
    AGENT_FAILED = "AGENT_FAILED"


class UnanswerableQuestion(Exception):
    """The question cannot be put to an agent; why is for the client."""

    def __init__(self, code: VoiceQaErrorCode, message: str, *, retryable: bool = False) -> None:
        super().__init__(code.value)
        self.code = code
        self.message = message
        self.retryable = retryable


class UploadKind(StrEnum):
    """What is uploaded."""

    QUERY = "query"
    LECTURE = "lecture"


class Upload(Request):
    """Asks for an address to upload audio to."""

    action: Literal["upload"]
    kind: UploadKind
    content_type: Literal[
        "audio/webm", "audio/ogg", "audio/wav", "audio/mpeg", "audio/mp4", "audio/flac", "video/mp4", "video/webm"
    ]


class Query(Request):
    """A question about a lecture: spoken (`audioKey`, from `upload`), or written."""

    action: Literal["query"]
    query_id: QueryId
    """The client's name for the question: asked again under the same name, it is answered once."""
    lecture_id: Ulid
    session_id: Ulid | None = None
    """The conversation that it goes on; without one, a new one begins."""
    audio_key: Annotated[str, StringConstraints(max_length=300)] | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=2_000)] | None = None
    language: LanguageCode = "en-US"
    attempt: Annotated[int, Field(ge=1, le=100_000)] = 1
    """The attempt at an answer that `resumeFrom` counts in, as its pieces say."""
    resume_from: Annotated[int, Field(ge=0, le=100_000)] = 0
    """The first piece that the client has not got yet. Of another attempt everything comes, from 0."""


class Ping(Request):
    """Keeps the connection open."""

    action: Literal["ping"]


class UploadReady(Answer):
    """Where to POST the audio, as a form: `fields`, then the file."""

    type: Literal["uploadReady"] = "uploadReady"
    kind: UploadKind
    url: str
    fields: dict[str, str]
    key: str
    lecture_id: Ulid | None = None
    max_bytes: int
    expires_seconds: int


class QueryAccepted(Answer):
    """The question is being answered, or was: pieces follow."""

    type: Literal["queryAccepted"] = "queryAccepted"
    query_id: QueryId
    session_id: Ulid
    repeated: bool = False


class Pong(Answer):
    """The connection is alive."""

    type: Literal["pong"] = "pong"


class Piece(Message):
    """Base of the pieces of an answer: numbered without gaps, in order.

    An answer that breaks may begin anew, as a higher attempt: pieces of lower ones are put by then.
    """

    query_id: QueryId
    attempt: int
    number: int


class TextPiece(Piece):
    """Some words of the answer."""

    type: Literal["text"] = "text"
    text: str


class AudioPiece(Piece):
    """Some of the spoken answer. Where `more` is set the next audio piece belongs to the same file."""

    type: Literal["audio"] = "audio"
    audio: str
    """Base64."""
    format: str
    more: bool = False


class CitationPiece(Piece):
    """Where in the lecture the answer is from."""

    type: Literal["citation"] = "citation"
    start_ms: int
    end_ms: int
    quote: str


class TranscriptPiece(Piece):
    """What was understood of the question; a later one takes its place."""

    type: Literal["transcript"] = "transcript"
    text: str


class Answered(Message):
    """The answer is whole: so many pieces it had. `audioUrl` gives the spoken answer as one file."""

    type: Literal["answered"] = "answered"
    query_id: QueryId
    attempt: int
    pieces: int
    audio_url: str | None = None


class QueryFailed(Message):
    """The question was not answered; pieces that came stand. Asked again under the same name where `retryable`."""

    type: Literal["error"] = "error"
    code: str
    message: str
    query_id: QueryId
    retryable: bool


REQUESTS: dict[str, type[Request]] = {"upload": Upload, "query": Query, "ping": Ping}
"""By route."""
RESPONSES: tuple[type[Message], ...] = (
    *(UploadReady, QueryAccepted, Pong),
    *(TextPiece, AudioPiece, CitationPiece, TranscriptPiece, Answered, QueryFailed, ErrorMessage),
)
"""What a client may hear."""
