"""Storage of the query worker: questions, lectures and answers in the audio bucket, and conversations in the table.

The agent gets audio as presigned URLs. Each URL names an object version: of a lecture, the one that the lecture
validator checked, and of a spoken question, the one that the worker found. So a guest cannot replace the audio after
that by uploading to the same key again. This protection needs a bucket with versioning.

The object `responses/<guestId>/<queryId>.<attempt>.jsonl` contains the messages of an answer as they were sent, one per
line, for a client whose connection broke. The object with the same name and `.ogg` or `.mp3` contains the spoken answer
as one file. Each attempt has its own names, because an attempt that exceeded its time limit may still store its answer.
The question's record has the keys of the valid attempt. The bucket's lifecycle rules delete old answers.

A conversation consists of turns: a guest's question about a lecture, and its answer. The latest turns are stored in the
table, and the agent gets some of them as the context of a new question. Guests may read and, in some stacks, write these
items directly in the table. An item that does not have the worker's form is ignored, and the next turn replaces it. But if
the guest has written the attribute `revision`, which every item of the worker has, it cannot be replaced. Turns are then lost.

A conversation expires a fixed number of days after its first turn. Further turns do not postpone this, so that the
words of a guest who asks regularly are deleted too. A turn after the expiry begins a new conversation, even if DynamoDB
has not deleted the old item yet.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from botocore.exceptions import ClientError
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from handlers.common.aws import PRESIGNED_SECONDS
from handlers.common.events import NULL_VERSION_ID
from handlers.common.ids import timestamp
from handlers.common.json_models import Message
from handlers.common.records import Record, Records
from handlers.common.text import remove_hidden_characters
from handlers.voice_qa.environment import RESPONSES
from handlers.voice_qa.messages import (
    AnswerAudioFormat,
    AudioPiece,
    Piece,
    QueryId,
    QuestionNotAnswered,
    VoiceQaErrorCode,
)
from handlers.voice_qa.query_worker.agent import ContextTurn, SpokenQuery
from handlers.voice_qa.records import DAY_SECONDS, Key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_s3.client import S3Client

EXTENSIONS = {AnswerAudioFormat.OGG_OPUS: "ogg", AnswerAudioFormat.MP3: "mp3"}
"""Extensions of the keys of spoken answers."""
CONTENT_TYPES = {"ogg": "audio/ogg", "mp3": "audio/mpeg", "jsonl": "application/jsonl"}
"""Content types of stored answers, by the extension of their keys."""
NOT_FOUND = "404"
"""Error code of HeadObject, whose response has no body, if the object does not exist."""


@dataclass
class AudioBucket:
    """Gateway for the audio bucket."""

    client: "S3Client"
    name: str

    def find_spoken_query(self, key: str) -> SpokenQuery:
        """Return the audio of a spoken question. The form for its upload has limited its size and content type.

        Raises QuestionNotAnswered if it does not exist.
        """
        try:
            head = self.client.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_FOUND:
                raise
            raise QuestionNotAnswered(
                VoiceQaErrorCode.AUDIO_REFUSED, "The audio has not been uploaded yet.", retryable=True
            ) from None
        url = self.presign_url(key, head.get("VersionId", NULL_VERSION_ID))
        subtype = head["ContentType"].partition("/")[2]  # of `audio/webm`, for example
        return SpokenQuery(url=url, format="mp3" if subtype == "mpeg" else subtype)

    def presign_url(self, key: str, version_id: str) -> str:
        params = {"Bucket": self.name, "Key": key, "VersionId": version_id}
        return self.client.generate_presigned_url("get_object", Params=params, ExpiresIn=PRESIGNED_SECONDS)

    def put_answer(self, name: str, pieces: Sequence[Piece]) -> tuple[str, str | None]:
        """Store an answer as `<guestId>/<queryId>.<attempt>`. Return the keys of the pieces and of the spoken answer, if any.

        The audio pieces have one format, and joined they are an audio file.
        """
        audio = [piece for piece in pieces if isinstance(piece, AudioPiece)]
        spoken_key = None
        if audio:
            data = b"".join(base64.b64decode(piece.audio) for piece in audio)
            spoken_key = self._put_object(name, EXTENSIONS[audio[0].format], data)
        lines = "".join(f"{piece.model_dump_json(by_alias=True)}\n" for piece in pieces)
        return self._put_object(name, "jsonl", lines.encode()), spoken_key

    def _put_object(self, name: str, extension: str, data: bytes) -> str:
        key = f"{RESPONSES}{name}.{extension}"
        self.client.put_object(Bucket=self.name, Key=key, Body=data, ContentType=CONTENT_TYPES[extension])
        return key


KEPT_TURNS = 20
"""Maximum number of turns of a conversation that are stored."""
MAX_QUESTION_BYTES, MAX_ANSWER_BYTES = 2_000, 16_000
"""Maximum sizes of the question and of the answer in a turn, so that all turns fit into an item. DynamoDB allows 400 KB.
The whole answer is in the bucket."""
CONTEXT_TURNS = 10
"""Maximum number of turns that an agent gets as context."""
CONTEXT_CHARACTERS = 2_000
"""Maximum length of each question, and of each answer, in these turns."""

_StoredText = Annotated[str, AfterValidator(remove_hidden_characters), Field(repr=False)]
"""Question or answer. It is cleaned because a guest may have written it, and agents read it."""


class StoredTurn(Message):
    """A stored turn: a question and its answer."""

    query_id: QueryId
    question: _StoredText
    answer: _StoredText
    at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    """Time at which the turn was stored, after its answer was complete."""


class Conversation(Record):
    """The item of a conversation."""

    conversation: tuple[StoredTurn, ...]
    """The latest turns."""
    total_turns: int
    """Number of all turns, also of those that are not stored any more."""
    created_at: str
    """Time of the first turn."""
    expires_at: int
    """Time in seconds since the epoch. DynamoDB deletes the item some time after it."""


class Conversations(Records[Conversation]):
    """Gateway for conversations in voice Q&A's table."""

    def __init__(self, client: "DynamoDBClient", table: str, kept_days: int, clock_ms: Callable[[], int]) -> None:
        """A conversation expires `kept_days` after its first turn."""
        super().__init__(client, table, Conversation)
        self._kept_seconds = kept_days * DAY_SECONDS
        self._clock_ms = clock_ms

    def read(self, key: Mapping[str, str]) -> Conversation | None:
        """Return a conversation, or None if the item does not exist or has another form than the worker's."""
        try:
            stored = super().read(key)
        except ValidationError:
            return None
        return stored if stored is not None and stored.revision else None  # the worker's items have a revision

    def read_context(self, key: Key) -> tuple[ContextTurn, ...]:
        """Return the turns that an agent gets as context."""
        stored = self.read(key)
        return tuple(
            ContextTurn(question=turn.question[:CONTEXT_CHARACTERS], answer=turn.answer[:CONTEXT_CHARACTERS])
            for turn in (stored.conversation[-CONTEXT_TURNS:] if stored and not self._has_expired(stored) else ())
        )

    def append(self, key: Key, query_id: str, question: str, answer: str) -> None:
        """Append a turn with the current time, unless the conversation has one for this question. Raises TooManyWriters."""
        now_ms = self._clock_ms()
        turn = StoredTurn(
            query_id=query_id,
            question=_truncate(question, MAX_QUESTION_BYTES),
            answer=_truncate(answer, MAX_ANSWER_BYTES),
            at=timestamp(datetime.fromtimestamp(now_ms / 1000, UTC)),
        )
        expires_at = now_ms // 1000 + self._kept_seconds

        def add_turn(stored: Conversation | None) -> Conversation:
            if stored is None or self._has_expired(stored):
                return Conversation(conversation=(turn,), total_turns=1, created_at=turn.at, expires_at=expires_at)
            if any(known.query_id == query_id for known in stored.conversation):
                return stored
            turns = (*stored.conversation, turn)[-KEPT_TURNS:]
            return stored.model_copy(update={"conversation": turns, "total_turns": stored.total_turns + 1})

        self.change(key, add_turn)

    def _has_expired(self, conversation: Conversation) -> bool:
        return conversation.expires_at <= self._clock_ms() // 1000


def _truncate(text: str, max_bytes: int) -> str:
    """Return the longest start of a text that has at most `max_bytes` bytes in UTF-8."""
    return text.encode()[:max_bytes].decode(errors="ignore")
