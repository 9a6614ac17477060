"""API operations on uploads: a presigned form for most files, a multipart upload for large videos.

The Lambda function `episodes` binds the methods of `UploadOperations` to the API's routes. An episode has two tracks:
the processing of its video and of its transcript. Its record names the upload that each track expects, and is written
before the client gets a URL. A new request replaces the expected upload, and an object of the earlier upload is then
ignored. S3's event about the uploaded object advances the track, so `complete` changes nothing in the table.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.aws import PRESIGNED_SECONDS
from handlers.common.errors import HandlerError
from handlers.common.ids import timestamp
from handlers.common.json_models import WrongField
from handlers.common.rest import RestAnswer, RestRequest
from handlers.livestream.environment import EpisodesApiEnvironment
from handlers.livestream.episode_table import EpisodeRecord, EpisodeTable
from handlers.livestream.episodes.routes import LivestreamErrorCode
from handlers.livestream.keys import TRANSCRIPTS, VIDEOS
from handlers.livestream.models import (
    CompleteUpload,
    EpisodePath,
    MultipartUpload,
    UploadForm,
    UploadPath,
    UploadReady,
    UploadRequest,
)
from handlers.livestream.tracks import ContentType, ExpectedUpload, TrackKind, TrackState, request_upload

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MEGABYTE, GIGABYTE, MEBIBYTE = 1000**2, 1000**3, 1024**2
MAX_PARTS = 100
"""Maximum number of parts of a multipart upload."""
MIN_PART_BYTES = 8 * MEBIBYTE
"""Smallest part size that the API chooses. S3 requires at least 5 MiB."""
PREFIXES = {TrackKind.VIDEO: VIDEOS, TrackKind.TRANSCRIPT: TRANSCRIPTS}
"""Key prefix of the uploads of each track."""
SUFFIXES = {
    TrackKind.VIDEO: {
        ContentType.MP4: "mp4",
        ContentType.QUICKTIME: "mov",
        ContentType.WEBM: "webm",
        ContentType.MATROSKA: "mkv",
    },
    TrackKind.TRANSCRIPT: {ContentType.SUBRIP: "srt", ContentType.VTT: "vtt", ContentType.JSON: "json"},
}
"""Content types that each track accepts, and for each content type the suffix of the object's key."""
NOT_FOUND_CODES = frozenset({"403", "404"})
"""Error codes of HeadObject for a missing object. The response has no body, so the code is the HTTP status: 403 if
the role may not list the bucket, otherwise 404."""
REFUSED_PARTS_CODES = frozenset({"InvalidPart", "InvalidRequest"})
"""Error codes of CompleteMultipartUpload for parts that differ from those that were uploaded, and for a total size that
is not the announced one."""


@dataclass(frozen=True)
class UploadOperations:
    """Functions that perform the API operations on uploads."""

    table: EpisodeTable
    s3: "S3Client"
    """Client that was created with `build_presigning_config()`. Presigning is a local computation."""
    environment: EpisodesApiEnvironment
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    """Function that returns a new ULID."""

    def request(self, call: RestRequest[EpisodePath, None, UploadRequest]) -> RestAnswer[UploadReady]:
        """Store the upload that the track now expects, and return its form or the URLs of its parts."""
        request, now = call.body, timestamp(self.clock())
        self._check_type_and_size(request)
        upload = ExpectedUpload(upload_id=self.new_id(), content_type=request.content_type, size=request.bytes)

        def expect_upload(episode: EpisodeRecord) -> EpisodeRecord:
            """Return the episode whose track expects `upload`, to which the multipart id may be added below."""
            track = request_upload(episode.track(request.kind), upload, now)
            if track.upload != upload:  # the track is unchanged, because its state accepts no other upload
                raise HandlerError(
                    LivestreamErrorCode.UPLOAD_NOT_EXPECTED,
                    f"The {request.kind} of this episode is already uploaded or being processed. It cannot be replaced.",
                )
            return episode.with_track(request.kind, track, now)

        if request.kind is TrackKind.VIDEO and upload.size > self.environment.multipart_megabytes * MEGABYTE:
            # A request that is refused must not start a multipart upload, so the stored episode is checked before.
            # If `change` fails below, a lifecycle rule of the bucket removes the started upload.
            episode = expect_upload(self.table.get(call.owner, call.parameters.episode_id))
            started = self.s3.create_multipart_upload(
                Bucket=self.environment.bucket_name,
                Key=_key(episode, request.kind, upload),
                ContentType=upload.content_type,
            )
            upload = upload.model_copy(update={"multipart_id": started["UploadId"]})
        episode = self.table.change(call.owner, call.parameters.episode_id, expect_upload)
        return RestAnswer(content=self._upload_ready(episode, request.kind, upload), status=201)

    def sign(self, call: RestRequest[UploadPath]) -> RestAnswer[UploadReady]:
        """Return new URLs for the parts of a multipart upload."""
        episode, upload = self._find_multipart_upload(call)
        if episode.video.state is not TrackState.REQUESTED:
            message = "This upload is already complete, or has failed. Read the episode to see its state."
            raise HandlerError(LivestreamErrorCode.UPLOAD_NOT_EXPECTED, message)
        return RestAnswer(self._upload_ready(episode, TrackKind.VIDEO, upload))

    def complete(self, call: RestRequest[UploadPath, None, CompleteUpload]) -> RestAnswer[None]:
        """Complete a multipart upload. A repeated request gets the same response.

        If the total size differs from the announced one, S3 refuses and creates no object.
        """
        episode, upload = self._find_multipart_upload(call)
        etags, count = call.body.etags, _part_count(upload)
        if len(etags) != count:
            raise _incomplete(
                [WrongField(field="etags", rule=f"must be the ETags of the {count} parts of this upload")]
            )
        key = _key(episode, TrackKind.VIDEO, upload)
        try:
            self.s3.complete_multipart_upload(
                Bucket=self.environment.bucket_name,
                Key=key,
                UploadId=str(upload.multipart_id),
                MultipartUpload={
                    "Parts": [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
                },
                MpuObjectSize=upload.size,
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in REFUSED_PARTS_CODES:
                raise _incomplete() from None
            # If S3 does not know the upload, an earlier request may have completed it.
            if code != "NoSuchUpload":
                raise
            self._check_object_exists(key)
        return RestAnswer(content=None, status=204)

    def _check_type_and_size(self, request: UploadRequest) -> None:
        """Raise HandlerError if the content type or the size is not accepted."""
        if request.content_type not in SUFFIXES[request.kind]:
            accepted = ", ".join(SUFFIXES[request.kind])
            raise HandlerError(
                LivestreamErrorCode.TYPE_UNSUPPORTED,
                f"This content type is not accepted for a {request.kind}.",
                fields=[WrongField(field="contentType", rule=f"must be one of {accepted}")],
            )
        max_bytes = {
            TrackKind.VIDEO: self.environment.max_video_gigabytes * GIGABYTE,
            TrackKind.TRANSCRIPT: self.environment.max_transcript_megabytes * MEGABYTE,
        }[request.kind]
        if request.bytes > max_bytes:
            raise HandlerError(
                LivestreamErrorCode.UPLOAD_TOO_LARGE,
                f"This {request.kind} is too large.",
                fields=[WrongField(field="bytes", rule=f"must be at most {max_bytes}")],
            )

    def _find_multipart_upload(self, call: RestRequest[UploadPath, Any, Any]) -> tuple[EpisodeRecord, ExpectedUpload]:
        """Return the episode and its video's upload, or raise HandlerError if the path names another upload."""
        episode = self.table.get(call.owner, call.parameters.episode_id)
        upload = episode.video.upload
        if upload is None or upload.upload_id != call.parameters.upload_id or upload.multipart_id is None:
            raise HandlerError(
                LivestreamErrorCode.UPLOAD_UNKNOWN,
                "This episode has no upload in parts with this id. Use the uploadId of the latest request for the upload.",
            )
        return episode, upload

    def _upload_ready(self, episode: EpisodeRecord, kind: TrackKind, upload: ExpectedUpload) -> UploadReady:
        """Return the upload with the form, or with the URLs of its parts."""
        key, multipart_id = _key(episode, kind, upload), upload.multipart_id
        return UploadReady(
            upload_id=upload.upload_id,
            expires_seconds=PRESIGNED_SECONDS,
            form=self._create_form(key, upload) if multipart_id is None else None,
            multipart=None if multipart_id is None else self._sign_parts(key, upload, multipart_id),
        )

    def _create_form(self, key: str, upload: ExpectedUpload) -> UploadForm:
        """Return a presigned form that accepts only this key, content type and exact size."""
        content_type = {"Content-Type": upload.content_type.value}
        post = self.s3.generate_presigned_post(
            self.environment.bucket_name,
            key,
            Fields=dict(content_type),
            Conditions=[content_type, ["content-length-range", upload.size, upload.size]],
            ExpiresIn=PRESIGNED_SECONDS,
        )
        return UploadForm(url=post["url"], fields=post["fields"])

    def _sign_parts(self, key: str, upload: ExpectedUpload, multipart_id: str) -> MultipartUpload:
        """Return presigned URLs for the parts of a multipart upload. Each accepts only a part of the exact size.

        The signature of a URL contains the header Content-Length. S3 answers 403 `SignatureDoesNotMatch` if a signed
        header has another value (IAM user guide, "Troubleshoot Signature Version 4 signing for AWS API requests").
        Browsers compute this header from the body, and scripts cannot set it (MDN, "Forbidden request header").
        """
        size = part_bytes(upload.size)
        urls = [
            self.s3.generate_presigned_url(
                "upload_part",
                Params={
                    "Bucket": self.environment.bucket_name,
                    "Key": key,
                    "UploadId": multipart_id,
                    "PartNumber": number,
                    "ContentLength": min(size, upload.size - (number - 1) * size),
                },
                ExpiresIn=PRESIGNED_SECONDS,
            )
            for number in range(1, _part_count(upload) + 1)
        ]
        return MultipartUpload(part_bytes=size, urls=tuple(urls))

    def _check_object_exists(self, key: str) -> None:
        """Raise HandlerError if the upload has no object, so it was aborted or has expired."""
        try:
            self.s3.head_object(Bucket=self.environment.bucket_name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOT_FOUND_CODES:
                raise
            message = "This upload no longer exists. Request a new upload."
            raise HandlerError(LivestreamErrorCode.UPLOAD_UNKNOWN, message) from None


def _key(episode: EpisodeRecord, kind: TrackKind, upload: ExpectedUpload) -> str:
    suffix = SUFFIXES[kind][upload.content_type]
    return f"{PREFIXES[kind]}{episode.owner}/{episode.episode_id}/{upload.upload_id}.{suffix}"


def part_bytes(size: int) -> int:
    """Return the size of each part except the last, in bytes, for a file of `size` bytes.

    It is a whole number of mebibytes, and large enough that the file has at most `MAX_PARTS` parts.
    """
    return max(MIN_PART_BYTES, math.ceil(size / (MAX_PARTS * MEBIBYTE)) * MEBIBYTE)


def _part_count(upload: ExpectedUpload) -> int:
    return math.ceil(upload.size / part_bytes(upload.size))


def _incomplete(fields: list[WrongField] | None = None) -> HandlerError:
    message = (
        "The parts do not match this upload, or their total size differs from the announced one. "
        "Upload the missing parts, then complete the upload with the ETags of all parts, in the order of the file."
    )
    return HandlerError(LivestreamErrorCode.UPLOAD_INCOMPLETE, message, fields or ())
