"""Messages of voice Q&A's WebSocket API, in both directions, with one model per message.

A guest is a browser user who asks questions about a lecture, and a client is the program of a guest. The WebSocket
handler replies to every message of a client at once. Its reply to a question (the client's message `query`) is
only a confirmation. The query worker passes the question to the agent, the external service that answers questions. The
worker sends the answer to the client in numbered pieces. If an answer fails, it may be started again as another answer
attempt.
"""

import base64
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictInt, StringConstraints, TypeAdapter

from handlers.common.errors import ErrorCode, HandlerError
from handlers.common.ids import LanguageCode, Ulid
from handlers.common.json_models import Message, TextForm
from handlers.common.text import VISIBLE_TEXT, remove_hidden_characters
from handlers.common.websocket import ClientMessage, ErrorMessage, ReplyMessage

QueryId = Annotated[str, TextForm(r"^[A-Za-z0-9_-]{8,64}$", "must have 8 to 64 characters of A-Z, a-z, 0-9, _ and -")]
"""A client's name for a question. It is unique among the questions of one guest."""


class VoiceQaErrorCode(ErrorCode):
    """Error codes of voice Q&A. `WebSocketErrorCode` has the codes for malformed messages."""

    UNAUTHENTICATED = (
        "UNAUTHENTICATED",
        "The handshake was not signed as a guest of this stack, or the connection is unknown.",
        "Get credentials from the identity pool, sign the URL with them, and connect again.",
        401,  # HTTP status, which only a handshake has
    )
    LECTURE_UNKNOWN = (
        "LECTURE_UNKNOWN",
        "There is no lecture with this id, or `lecture` asked for a lecture that this guest did not upload.",
        "Check the id.",
    )
    LECTURE_NOT_READY = (
        "LECTURE_NOT_READY",
        "The lecture is not validated yet.",
        "Ask again later.",
    )
    LECTURE_REJECTED = (
        "LECTURE_REJECTED",
        "The lecture is not valid. `message` states the reason.",
        "Ask about another lecture, or upload a corrected recording.",
    )
    AUDIO_REFUSED = (
        "AUDIO_REFUSED",
        "The recording of the question is not uploaded yet, or is not this guest's upload.",
        "Ask again when the upload has ended.",
    )
    QUERY_FAILED = (
        "QUERY_FAILED",
        "The question was asked before and cannot be answered.",
        "Ask another question.",
    )
    TOO_MANY_QUERIES = (
        "TOO_MANY_QUERIES",
        (
            "The guest asks too many questions in an hour. Asking a question again counts if it is answered again. "
            "`message` names the limit."
        ),
        "Wait for the next hour.",
    )
    UPLOAD_REFUSED = (
        "UPLOAD_REFUSED",
        "The guest's daily limit of lectures is reached, or the stack accepts no lectures from guests.",
        "Try again on the next day (UTC), or let an operator upload the lecture.",
    )
    AGENT_FAILED = (
        "AGENT_FAILED",
        "The agent failed or was too slow, or the worker ended unexpectedly.",
        "Ask again if `retryable` is true.",
    )


class QuestionNotAnswered(HandlerError):
    """The question is refused, or its answer has failed. Code and message are sent to the client."""

    def __init__(
        self, code: VoiceQaErrorCode, message: str, *, retryable: bool = False, cause: StrEnum | None = None
    ) -> None:
        """`cause` is logged in place of the code, as a more exact reason."""
        super().__init__(code, message)
        self.retryable = retryable
        self.cause = cause or code


UploadKind = Literal["query", "lecture"]
"""Audio that a client can upload: a spoken question or a lecture."""


class Upload(ClientMessage):
    """Request for a form with which the client uploads audio."""

    action: Literal["upload"]
    kind: UploadKind
    content_type: Literal[
        "audio/webm", "audio/ogg", "audio/wav", "audio/mpeg", "audio/mp4", "audio/flac", "video/mp4", "video/webm"
    ]


class Query(ClientMessage):
    """A question about a lecture, either spoken (`audioKey`) or written (`text`). A message with both or neither is refused."""

    action: Literal["query"]
    query_id: QueryId
    """The client's name for the question. A question that is sent again with the same name gets the same answer."""
    lecture_id: Ulid
    session_id: Ulid | None = None
    """The conversation that the question continues. Without it, a new conversation begins."""
    audio_key: str | None = None
    """`key` from the `uploadReady` message of the recording."""
    text: Annotated[str, StringConstraints(min_length=1, max_length=2_000), VISIBLE_TEXT] | None = None
    language: LanguageCode = "en-US"


class LectureRequest(ClientMessage):
    """Request for the state of a lecture that this guest uploads, repeated every few seconds until it is validated."""

    action: Literal["lecture"]
    lecture_id: Ulid


class Ping(ClientMessage):
    """Request that keeps the connection open."""

    action: Literal["ping"]


class UploadReady(ReplyMessage):
    """Form for the upload: POST `fields` and then the file to `url`.

    If S3 refuses the file with status 403, or with 400 and the code `ExpiredToken`, send `upload` again for a new form.
    """

    type: Literal["uploadReady"] = "uploadReady"
    kind: UploadKind
    url: str
    fields: dict[str, str]
    key: str
    """Key of the object that the upload creates. A spoken question names it as `audioKey`."""
    lecture_id: Ulid | None = None
    """Id of the new lecture, if `kind` is `lecture`."""
    max_bytes: int
    expires_seconds: int
    """Maximum lifetime of the form. It expires earlier if the credentials that signed it expire."""


class QueryAccepted(ReplyMessage):
    """The question is accepted, and its answer follows. If the question is already answered, nothing follows, and this
    message has the URLs of the answer.

    If S3 refuses a URL with status 403, or with 400 and the code `ExpiredToken`, ask the question again under the same
    `queryId` for a new URL.
    """

    type: Literal["queryAccepted"] = "queryAccepted"
    query_id: QueryId
    session_id: Ulid
    """The conversation to which the question belongs."""
    pieces_url: str | None = None
    """URL of the complete answer: all its pieces as they were sent, one JSON object per line."""
    audio_url: str | None = None
    """URL of the spoken answer as one file, if the answer has audio."""


class LectureState(StrEnum):
    """State of a lecture."""

    PENDING = "pending"
    """The lecture is not uploaded or not validated yet."""
    READY = "ready"
    """Guests can ask about the lecture."""
    REJECTED = "rejected"
    """The recording cannot be used."""


class RejectionReason(StrEnum):
    """Reason to reject an uploaded lecture."""

    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    UNKNOWN_FORMAT = "UNKNOWN_FORMAT"
    UNREADABLE = "UNREADABLE"
    """The content is damaged, contradictory or crafted, or its sound has an unsupported encoding."""
    NO_AUDIO = "NO_AUDIO"
    NO_DURATION = "NO_DURATION"
    """The duration is 0, or cannot be read from the headers."""
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"


class LectureReport(ReplyMessage):
    """State of a lecture, for the guest who uploads it."""

    type: Literal["lecture"] = "lecture"
    lecture_id: Ulid
    state: LectureState
    code: RejectionReason | None = None
    """Reason for the rejection."""
    message: str | None = None
    """Reason for the rejection, as a sentence for people."""
    duration_ms: int | None = None
    """Duration of a lecture that is ready."""


class Pong(ReplyMessage):
    """The connection is alive."""

    type: Literal["pong"] = "pong"


class Piece(Message):
    """A part of an answer. The pieces of an answer are numbered from 0 and sent in order. A piece may be lost.

    An answer that fails may be started again with a higher number of the attempt. The client then discards the pieces
    of lower attempts.
    """

    query_id: QueryId
    attempt: int
    """Number of the answer attempt, from 1."""
    number: int
    """Number of the piece in its attempt, from 0."""


PieceText = Annotated[str, AfterValidator(remove_hidden_characters), Field(repr=False)]
"""Text from the agent. Hidden characters are removed. It is not in the model's `repr`, so that no log gets it by accident."""


class TextPiece(Piece):
    """The next part of the answer's text. The joined parts are the text."""

    type: Literal["text"] = "text"
    text: PieceText


class AnswerAudioFormat(StrEnum):
    """Format of a spoken answer."""

    OGG_OPUS = "ogg-opus"
    MP3 = "mp3"


def _check_base64(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


class AudioPiece(Piece):
    """The next part of the spoken answer. Each part can be played alone, and the joined parts can be played too."""

    type: Literal["audio"] = "audio"
    audio: Annotated[str, AfterValidator(_check_base64), Field(repr=False)]
    """Base64."""
    format: AnswerAudioFormat
    """Format of all parts of one answer."""


class CitationPiece(Piece):
    """A section of the lecture on which the answer is based, with its position in the lecture."""

    type: Literal["citation"] = "citation"
    start_ms: StrictInt
    end_ms: StrictInt
    quote: PieceText
    """Words of the lecture that support the answer, as the agent states them."""


class TranscriptPiece(Piece):
    """The agent's transcript of the question. It replaces an earlier one."""

    type: Literal["transcript"] = "transcript"
    text: PieceText


PIECES: TypeAdapter[Piece] = TypeAdapter(
    Annotated[TextPiece | AudioPiece | CitationPiece | TranscriptPiece, Field(discriminator="type")]
)
"""Parser for pieces of all types."""


class Answered(Message):
    """The answer is complete and has this number of pieces.

    If some of them have not arrived, ask the question again under the same `queryId`. `queryAccepted` then has the URLs of
    the answer.
    """

    type: Literal["answered"] = "answered"
    query_id: QueryId
    attempt: int
    pieces: int


class QueryFailed(Message):
    """An accepted question was not answered. Unlike `ErrorMessage`, which has the same type, this is no answer to a message.
    Pieces that were sent remain valid. If `retryable` is true, send the question again with the same `queryId`.
    """

    type: Literal["error"] = "error"
    code: str
    """An error code of voice Q&A, such as `AGENT_FAILED`. It is not `QUERY_FAILED`, with which a new request is refused."""
    message: str
    query_id: QueryId
    retryable: bool


REQUESTS: dict[str, type[ClientMessage]] = {"upload": Upload, "lecture": LectureRequest, "query": Query, "ping": Ping}
"""Request models by their `action`."""
RESPONSES: tuple[type[Message], ...] = (
    *(UploadReady, LectureReport, QueryAccepted, Pong),
    *(TextPiece, AudioPiece, CitationPiece, TranscriptPiece, Answered, QueryFailed, ErrorMessage),
)
"""Models of all messages that a client can receive."""
