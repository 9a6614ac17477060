"""Answers that are whole, kept in the audio bucket: as they were sent, and the spoken part as one file.

`responses/<identity>/<queryId>.<attempt>.jsonl` has one message a line; the same name with `.ogg` or `.mp3` has the
pieces' audio joined. Each attempt has names of its own: whoever was taken for lost may keep its answer last, and the
question's record says which one was given. What is read back is held to the form that it was written in, and to a
length, before it is said again. When answers go is the bucket's business.
"""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from botocore.exceptions import ClientError
from pydantic import Field, TypeAdapter, ValidationError

from handlers.voice_qa.client_messages import AudioPiece, CitationPiece, Piece, TextPiece, TranscriptPiece
from handlers.voice_qa.environment import RESPONSES_PREFIX
from handlers.voice_qa.query_worker.agent.agent_types import AnswerAudioFormat
from handlers.voice_qa.query_worker.answer_forwarding import MAX_PIECES

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MAX_BYTES = 64 * 1024 * 1024
"""Of a kept answer: more than the agent's own limits let one grow to."""
EXTENSIONS = {AnswerAudioFormat.OGG_OPUS: "ogg", AnswerAudioFormat.MP3: "mp3"}
CONTENT_TYPES = {AnswerAudioFormat.OGG_OPUS: "audio/ogg", AnswerAudioFormat.MP3: "audio/mpeg"}
GONE = "NoSuchKey"
_LINE: TypeAdapter[Piece] = TypeAdapter(
    Annotated[TextPiece | AudioPiece | CitationPiece | TranscriptPiece, Field(discriminator="type")]
)


class AnswerNotStored(Exception):
    """There is no such answer any more, or none that can be read."""


class AnswerStore:
    """Whole answers."""

    def __init__(self, client: "S3Client", bucket: str, *, url_seconds: int) -> None:
        """Addresses hold for `url_seconds`."""
        self._client = client
        self._bucket = bucket
        self._url_seconds = url_seconds

    def keep(self, identity: str, query_id: str, attempt: int, messages: Sequence[Piece]) -> None:
        """Keeps an answer."""
        spoken = _spoken(messages)
        if spoken:
            kind = AnswerAudioFormat(spoken[0].format)
            self._put(
                _key(identity, query_id, attempt, EXTENSIONS[kind]),
                b"".join(base64.b64decode(one.audio) for one in spoken),
                CONTENT_TYPES[kind],
            )
        lines = "".join(f"{one.model_dump_json(by_alias=True, exclude_none=True)}\n" for one in messages)
        self._put(_key(identity, query_id, attempt, "jsonl"), lines.encode(), "application/jsonl")

    def kept(self, identity: str, query_id: str, attempt: int) -> tuple[Piece, ...]:
        """An answer as it was sent; raises NotKept."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=_key(identity, query_id, attempt, "jsonl"))
        except ClientError as error:
            if error.response["Error"]["Code"] == GONE:
                raise AnswerNotStored from None
            raise
        with answer["Body"] as body:
            data = body.read(MAX_BYTES + 1)
        return _parsed(query_id, attempt, data)

    def audio_url(self, identity: str, query_id: str, attempt: int, messages: Sequence[Piece]) -> str | None:
        """Where the spoken answer can be fetched for a while; none where nothing was spoken."""
        spoken = _spoken(messages)
        if not spoken:
            return None
        key = _key(identity, query_id, attempt, EXTENSIONS[AnswerAudioFormat(spoken[0].format)])
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=self._url_seconds
        )

    def _put(self, key: str, data: bytes, content_type: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type)


def _key(identity: str, query_id: str, attempt: int, extension: str) -> str:
    return f"{RESPONSES_PREFIX}{identity}/{query_id}.{attempt}.{extension}"


def _spoken(messages: Sequence[Piece]) -> list[AudioPiece]:
    return [one for one in messages if isinstance(one, AudioPiece)]


def _parsed(query_id: str, attempt: int, data: bytes) -> tuple[Piece, ...]:
    lines = data.splitlines()
    if len(data) > MAX_BYTES or len(lines) > MAX_PIECES:
        raise AnswerNotStored
    try:
        pieces = tuple(_LINE.validate_json(line) for line in lines)
        formats = {AnswerAudioFormat(one.format) for one in _spoken(pieces)}
    except (ValidationError, ValueError):
        raise AnswerNotStored from None
    told = [(one.query_id, one.attempt, one.number) for one in pieces]
    if told != [(query_id, attempt, number) for number in range(len(pieces))] or len(formats) > 1:
        raise AnswerNotStored
    return pieces
