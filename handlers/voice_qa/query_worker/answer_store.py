"""Store of complete answers in the audio bucket, so that an answer can be sent again to a client that reconnects.

The object `responses/<guestId>/<queryId>.<attempt>.jsonl` contains the messages as they were sent, one per line. The
object with the same name and `.ogg` or `.mp3` contains the spoken answer as one file. Each answer attempt (one try of a
worker to answer the question) has its own names, because an attempt that exceeded its time limit may still store its
answer. The question's record names the valid attempt.

An answer that is read is validated before it is sent. The bucket's lifecycle rules delete old answers.
"""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from botocore.exceptions import ClientError
from pydantic import Field, TypeAdapter, ValidationError

from handlers.common.aws import PRESIGNED_SECONDS
from handlers.voice_qa import s3_prefixes
from handlers.voice_qa.query_worker.agent_protocol import AnswerAudioFormat
from handlers.voice_qa.query_worker.answer_forwarding import MAX_MESSAGES
from handlers.voice_qa.websocket_messages import AudioPiece, CitationPiece, Piece, TextPiece, TranscriptPiece

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of a stored answer in bytes. The limits in `agent_protocol` only allow smaller answers."""
EXTENSIONS = {AnswerAudioFormat.OGG_OPUS: "ogg", AnswerAudioFormat.MP3: "mp3"}
"""Extensions of the keys of spoken answers, by audio format."""
CONTENT_TYPES = {AnswerAudioFormat.OGG_OPUS: "audio/ogg", AnswerAudioFormat.MP3: "audio/mpeg"}
"""Content types of the objects with spoken answers, by audio format."""
NO_SUCH_KEY = "NoSuchKey"
"""Error code of GetObject if the object does not exist."""
_LINE_ADAPTER: TypeAdapter[Piece] = TypeAdapter(
    Annotated[TextPiece | AudioPiece | CitationPiece | TranscriptPiece, Field(discriminator="type")]
)


class AnswerNotStored(Exception):
    """The answer is not stored (any more), or the stored object is invalid."""


class AnswerStore:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, guest_id: str, query_id: str, attempt: int, messages: Sequence[Piece]) -> None:
        audio_pieces = _audio_pieces(messages)
        if audio_pieces:
            kind = AnswerAudioFormat(audio_pieces[0].format)
            self._put_object(
                _key(guest_id, query_id, attempt, EXTENSIONS[kind]),
                b"".join(base64.b64decode(piece.audio) for piece in audio_pieces),
                CONTENT_TYPES[kind],
            )
        lines = "".join(f"{piece.model_dump_json(by_alias=True, exclude_none=True)}\n" for piece in messages)
        self._put_object(_key(guest_id, query_id, attempt, "jsonl"), lines.encode(), "application/jsonl")

    def get(self, guest_id: str, query_id: str, attempt: int) -> tuple[Piece, ...]:
        """Return an answer as it was sent. Raises AnswerNotStored."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=_key(guest_id, query_id, attempt, "jsonl"))
        except ClientError as error:
            if error.response["Error"]["Code"] == NO_SUCH_KEY:
                raise AnswerNotStored from None
            raise
        with answer["Body"] as body:
            data = body.read(MAX_BYTES + 1)
        return _parse(query_id, attempt, data)

    def audio_url(self, guest_id: str, query_id: str, attempt: int, messages: Sequence[Piece]) -> str | None:
        """Return a presigned URL of the spoken answer, or None if the answer has no audio."""
        audio_pieces = _audio_pieces(messages)
        if not audio_pieces:
            return None
        key = _key(guest_id, query_id, attempt, EXTENSIONS[AnswerAudioFormat(audio_pieces[0].format)])
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=PRESIGNED_SECONDS
        )

    def _put_object(self, key: str, data: bytes, content_type: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type)


def _key(guest_id: str, query_id: str, attempt: int, extension: str) -> str:
    return f"{s3_prefixes.RESPONSES}{guest_id}/{query_id}.{attempt}.{extension}"


def _audio_pieces(messages: Sequence[Piece]) -> list[AudioPiece]:
    return [piece for piece in messages if isinstance(piece, AudioPiece)]


def _parse(query_id: str, attempt: int, data: bytes) -> tuple[Piece, ...]:
    lines = data.splitlines()
    if len(data) > MAX_BYTES or len(lines) > MAX_MESSAGES:
        raise AnswerNotStored
    try:
        pieces = tuple(_LINE_ADAPTER.validate_json(line) for line in lines)
        formats = {AnswerAudioFormat(piece.format) for piece in _audio_pieces(pieces)}
    except (ValidationError, ValueError):
        raise AnswerNotStored from None
    numbering = [(piece.query_id, piece.attempt, piece.number) for piece in pieces]
    if numbering != [(query_id, attempt, number) for number in range(len(pieces))] or len(formats) > 1:
        raise AnswerNotStored
    return pieces
