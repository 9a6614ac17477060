"""Protocol between the query worker and the agent, the external service that answers questions.

Request, by `POST <endpoint>/answer` or AgentCore's `InvokeAgentRuntime`: an `AgentQuestion` as JSON.

Response, with status 200: one object per line, each line ended by a line feed:

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
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, StrictInt, Tag, TypeAdapter, ValidationError

from handlers.common.json_models import Message
from handlers.common.text import remove_hidden_characters
from handlers.voice_qa.environment import AgentCode

LASTING_FAILURES = frozenset([AgentCode.REFUSED, AgentCode.MALFORMED, AgentCode.REJECTED])
"""Failures after which asking again does not help, unless the agent states that it helps. The worker itself determines
REFUSED (no access to the agent) and MALFORMED (a response that violates this protocol)."""
AGENT_CODES = frozenset([AgentCode.REJECTED, AgentCode.THROTTLED, AgentCode.UNAVAILABLE, AgentCode.FAILED])
"""Failure codes that an agent can send."""


class AgentFailed(Exception):
    """The answer is not complete. Pieces that were received remain valid."""

    def __init__(self, code: AgentCode, *, retryable: bool | None = None) -> None:
        """`retryable` states if asking again may help. If it is None, the code decides."""
        super().__init__(code.value)
        self.code = code
        self.retryable = code not in LASTING_FAILURES if retryable is None else retryable


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
    conversation: tuple[ContextTurn, ...] = ()
    language: str = "en-US"


def opaque_session_id(session_id: str) -> str:
    """Return the hash that agents get instead of a conversation's id.

    The conversation's id contains the id of the guest (the user who asks), which agents must not know. The hash has 64
    characters. Bedrock AgentCore accepts session ids of 33 to 256 characters.
    """
    return hashlib.sha256(session_id.encode()).hexdigest()


CleanText = Annotated[str, AfterValidator(remove_hidden_characters), Field(repr=False)]


class AnswerAudioFormat(StrEnum):
    """Format of a spoken answer."""

    OGG_OPUS = "ogg-opus"
    MP3 = "mp3"


class AgentText(Message):
    """The next part of the answer's text. The joined parts are the text."""

    text: CleanText


class AgentAudio(Message):
    """The next part of the spoken answer. Each part can be played alone, and the joined parts can be played too."""

    model_config = ConfigDict(val_json_bytes="base64")

    audio: Annotated[bytes, Field(repr=False)]
    format: AnswerAudioFormat


class AgentCitation(Message):
    """The section of the lecture that supports the answer. Citations outside the lecture are dropped."""

    start_ms: StrictInt
    end_ms: StrictInt
    quote: CleanText


class AgentTranscript(Message):
    """The agent's transcript of the question. It replaces an earlier one."""

    text: CleanText


class _Done(Message):
    pass


class _Failure(Message):
    code: Any = None
    retryable: Any = None


class _Unknown(Message):
    pass


AgentPiece = AgentText | AgentAudio | AgentCitation | AgentTranscript
_TYPES = frozenset(["text", "audio", "citation", "transcript", "done", "error"])


def _find_type(message: Any) -> str | None:
    """Return the type of an object, `unknown` for a type that this version does not read, or None without a type."""
    if not isinstance(message, dict):
        return None
    kind = message.get("type", "error" if isinstance(message.get("error"), str) else None)
    if not isinstance(kind, str):
        return None
    return kind if kind in _TYPES else "unknown"


_LINE: TypeAdapter[AgentPiece | _Done | _Failure | _Unknown] = TypeAdapter(
    Annotated[
        Annotated[AgentText, Tag("text")]
        | Annotated[AgentAudio, Tag("audio")]
        | Annotated[AgentCitation, Tag("citation")]
        | Annotated[AgentTranscript, Tag("transcript")]
        | Annotated[_Done, Tag("done")]
        | Annotated[_Failure, Tag("error")]
        | Annotated[_Unknown, Tag("unknown")],
        Discriminator(_find_type),
    ]
)
_EVENT_FIELDS = (b":", b"event:", b"id:", b"retry:")
"""Prefixes of the lines of server-sent events that contain no object."""


class AnswerReader:
    """Parser that converts the lines of a response to the pieces of an answer."""

    def __init__(self, duration_ms: int) -> None:
        """`duration_ms` is the duration of the lecture."""
        self.done = False
        """True once the agent has sent `done`."""
        self._duration_ms = duration_ms
        self._format: AnswerAudioFormat | None = None

    def read_line(self, line: bytes) -> AgentPiece | None:
        """Return the piece of a line, or None if it has none. Raises AgentFailed."""
        line = line.strip()
        if not line or line.startswith(_EVENT_FIELDS):
            return None
        match _parse_line(line.removeprefix(b"data:")):
            case AgentText(text="") | AgentAudio(audio=b"") | _Unknown():
                return None
            case AgentCitation() as citation:
                return citation if 0 <= citation.start_ms < citation.end_ms <= self._duration_ms else None
            case AgentAudio() as audio:
                if self._format is not None and audio.format != self._format:
                    raise AgentFailed(AgentCode.MALFORMED)
                self._format = audio.format
                return audio
            case _Done():
                self.done = True
                return None
            case _Failure() as failure:
                code = next((known for known in AGENT_CODES if known == failure.code), AgentCode.FAILED)
                retryable = failure.retryable if isinstance(failure.retryable, bool) else None
                raise AgentFailed(code, retryable=retryable)
            case piece:
                return piece


def _parse_line(line: bytes) -> AgentPiece | _Done | _Failure | _Unknown:
    try:
        return _LINE.validate_json(line)
    except ValidationError:
        pass  # the error may quote the line, so AgentFailed is raised below, without the error as its context
    raise AgentFailed(AgentCode.MALFORMED)
