"""Protocol between the query worker and the agent, the external service that answers questions.

Request, by `POST <endpoint>/answer` or AgentCore's `InvokeAgentRuntime`: an `AgentQuestion` as JSON.

Response, with status 200: one object per line. A line has at most 120,000 bytes and is ended by a line feed:

- `text` {`text`}: the next part of the answer
- `audio` {`audio` (base64), `format`}: the next part of the spoken answer, all of one format
- `citation` {`startMs`, `endMs`, `quote`}: the section of the lecture that supports the answer
- `transcript` {`text`}: the transcript of the question, which replaces an earlier one
- `done` {}: the answer is complete; nothing after it is read
- `error` {`code`, `retryable`}: there is no complete answer; `code` is `rejected` (the agent does not accept this
  question), `throttled` (too many questions), `unavailable` (for a short time) or `failed` (any other error)

The field `type` names the type of an object. Other types and fields are ignored, so that agents can send more than this
version reads. The lines may also be server-sent events, with `data:` before the object. An object that has no `type`,
but a text in the field `error`, means that the agent failed. The server of AgentCore Runtime sends such an object if
the agent raised an exception.

No exception contains anything that the agent sent.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_core import from_json

from handlers.common.json_models import Message
from handlers.voice_qa.environment import AgentCode
from handlers.voice_qa.messages import (
    PIECES,
    AudioPiece,
    CitationPiece,
    Piece,
    TextPiece,
    UnanswerableQuestion,
    VoiceQaErrorCode,
)

LASTING_FAILURES = frozenset([AgentCode.REFUSED, AgentCode.MALFORMED, AgentCode.REJECTED])
"""Failures after which asking again does not help, unless the agent states that it helps. The worker itself determines
REFUSED (no access to the agent) and MALFORMED (a response that violates this protocol)."""
AGENT_CODES = frozenset([AgentCode.REJECTED, AgentCode.THROTTLED, AgentCode.UNAVAILABLE, AgentCode.FAILED])
"""Failure codes that an agent can send."""
AGENT_MESSAGES = {
    AgentCode.REFUSED: "Questions cannot be answered at the moment.",
    AgentCode.REJECTED: "This question cannot be answered.",
    AgentCode.THROTTLED: "Too many questions are being asked at the moment. Ask again later.",
    AgentCode.UNAVAILABLE: "The answer was interrupted, or the agent is not available at the moment. Ask again.",
    AgentCode.TOO_SLOW: "The answer did not start or end in time. Ask again.",
    AgentCode.MALFORMED: "The answer could not be read.",
    AgentCode.FAILED: "The question could not be answered.",
}
"""Messages for clients by failure of the agent. They contain nothing that the agent sent."""


class AgentFailed(UnanswerableQuestion):
    """The answer is not complete. Pieces that were received remain valid."""

    def __init__(self, cause: AgentCode, *, retryable: bool | None = None) -> None:
        """`retryable` states if asking again may help. If it is None, the cause decides."""
        if retryable is None:
            retryable = cause not in LASTING_FAILURES
        super().__init__(VoiceQaErrorCode.AGENT_FAILED, AGENT_MESSAGES[cause], retryable=retryable, cause=cause)


PrivateText = Annotated[str, Field(repr=False)]
"""Text or URL that must not get into a log by accident."""


class QuestionLecture(Message):
    lecture_id: str
    url: PrivateText
    """Presigned URL with which anyone can fetch the audio."""
    format: str
    """Name of the audio format, such as mp3."""
    duration_ms: int


class SpokenQuery(Message):
    url: PrivateText
    """Presigned URL with which anyone can fetch the audio."""
    format: str
    """Name of the audio format, such as webm."""


class WrittenQuery(Message):
    text: PrivateText


class ContextTurn(Message):
    """An earlier question of the conversation, and its answer."""

    question: PrivateText
    answer: PrivateText


class AgentQuestion(Message):
    """A question with its context, as an agent gets it."""

    schema_version: Literal[1] = 1
    query_id: str
    session_id: str
    """Id of the conversation for the agent. `opaque_session_id` creates it."""
    lecture: QuestionLecture
    query: SpokenQuery | WrittenQuery
    conversation: tuple[ContextTurn, ...]
    language: str


def opaque_session_id(session_id: str) -> str:
    """Return the hash that agents get instead of a conversation's id.

    The conversation's id contains the id of the guest (the user who asks), which agents must not know. The hash has 64
    characters. Bedrock AgentCore accepts session ids of 33 to 256 characters.
    """
    return hashlib.sha256(session_id.encode()).hexdigest()


_EVENT_FIELDS = (b":", b"event:", b"id:", b"retry:")
"""Prefixes of the lines of server-sent events that contain no object."""


def read_pieces(lines: Iterable[bytes], query_id: str, attempt: int, duration_ms: int) -> Iterator[Piece]:
    """Yield the numbered pieces of an answer until the line `done`. Raises AgentFailed.

    `duration_ms` is the duration of the lecture. Empty pieces, and citations of a section outside the lecture, are left
    out.
    """
    count, audio_format = 0, None
    for line in map(bytes.strip, lines):
        if not line or line.startswith(_EVENT_FIELDS):
            continue
        message = _parse_object(line.removeprefix(b"data:"))
        match message.get("type", "error" if isinstance(message.get("error"), str) else None):
            case "text" | "audio" | "citation" | "transcript":
                piece = _parse_piece({**message, "queryId": query_id, "attempt": attempt, "number": count})
                if isinstance(piece, AudioPiece):
                    if audio_format not in {None, piece.format}:
                        raise AgentFailed(AgentCode.MALFORMED)
                    audio_format = piece.format
                if not _is_void(piece, duration_ms):
                    count += 1
                    yield piece
            case "done":
                return
            case "error":
                code = next((known for known in AGENT_CODES if known == message.get("code")), AgentCode.FAILED)
                retryable = message.get("retryable")
                raise AgentFailed(code, retryable=retryable if isinstance(retryable, bool) else None)
            case str():
                pass  # a type that this version does not read
            case _:
                raise AgentFailed(AgentCode.MALFORMED)
    raise AgentFailed(AgentCode.UNAVAILABLE)


def _is_void(piece: Piece, duration_ms: int) -> bool:
    match piece:
        case TextPiece(text="") | AudioPiece(audio=""):
            return True
        case CitationPiece(start_ms=start, end_ms=end):
            return not 0 <= start < end <= duration_ms
    return False


# The errors that these functions catch may quote the agent. So AgentFailed is raised later, without them as its context.


def _parse_object(line: bytes) -> dict[str, Any]:
    try:
        message = from_json(line)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise AgentFailed(AgentCode.MALFORMED)
    return message


def _parse_piece(content: dict[str, Any]) -> Piece:
    try:
        return PIECES.validate_python(content)
    except ValidationError:
        pass
    raise AgentFailed(AgentCode.MALFORMED)
