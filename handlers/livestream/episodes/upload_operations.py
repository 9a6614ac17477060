"""API operations on uploads: a presigned form for most files, a multipart upload for large videos.

A track is the processing of an episode's video or transcript. Its stored state names the upload that it expects, and is
written before the client gets a URL. A new request replaces the expected upload, and an object of the earlier upload is
then ignored. S3's event about the object advances the track, so the operation that completes a multipart upload changes
nothing in the table.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime

from handlers.common.errors import FieldProblem, HandlerError
from handlers.common.ids import timestamp
from handlers.common.rest import RestAnswer, RestRequest
from handlers.livestream.api_models import (
    MAX_PARTS,
    CompleteUpload,
    EpisodePath,
    MultipartUpload,
    SignParts,
    UploadCompleted,
    UploadForm,
    UploadPath,
    UploadReady,
    UploadRequest,
)
from handlers.livestream.episode_table import EpisodeConflict, EpisodeTable
from handlers.livestream.episodes.upload_bucket import CompletionResult, UploadBucket, UploadTarget
from handlers.livestream.error_codes import LivestreamErrorCode
from handlers.livestream.s3_prefixes import TRANSCRIPTS, VIDEOS
from handlers.livestream.track_processing_states import ContentType, ExpectedUpload, TrackKind, TrackState

MEBIBYTE = 1024**2
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
    TrackKind.TRANSCRIPT: {
        ContentType.SUBRIP: "srt",
        ContentType.VTT: "vtt",
        ContentType.JSON: "json",
    },
}
"""Content types that each track accepts, and for each content type the suffix of the object's key."""


@dataclass(frozen=True)
class UploadLimits:
    max_video_bytes: int
    max_transcript_bytes: int
    max_form_bytes: int
    """Maximum size of a video that is uploaded by form. A larger video is uploaded in parts."""

    def max_bytes(self, kind: TrackKind) -> int:
        return self.max_video_bytes if kind is TrackKind.VIDEO else self.max_transcript_bytes


class CompletedObjectMissing(Exception):
    """S3 completed a multipart upload, but HeadObject does not find the object."""


@dataclass(frozen=True)
class UploadOperations:
    table: EpisodeTable
    bucket: UploadBucket
    _: KW_ONLY
    limits: UploadLimits
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    """Function that returns a new ULID."""

    def request(self, call: RestRequest[EpisodePath, None, UploadRequest]) -> RestAnswer[UploadReady]:
        """Store the upload that the track now expects, and return its form or the URLs of its parts."""
        request = call.body
        self._validate(request)
        episode_id = call.parameters.episode_id
        part_count = self._part_count(request)
        upload = ExpectedUpload(
            upload_id=self.new_id(), content_type=request.content_type, size=request.bytes, parts=part_count
        )
        try:
            self.table.request_upload(call.owner, episode_id, request.kind, upload, timestamp(self.clock()))
        except EpisodeConflict:
            raise _not_expected(
                f"The {request.kind} of this episode is already uploaded or being processed. It cannot be replaced."
            ) from None
        target = _upload_target(call.owner, episode_id, request.kind, upload)
        if part_count:
            multipart = self.bucket.start_multipart(target, _part_bytes(upload.size), part_count)
            return RestAnswer(self._upload_ready(request.kind, upload, target, multipart=multipart), 201)
        return RestAnswer(self._upload_ready(request.kind, upload, target, form=self.bucket.create_form(target)), 201)

    def sign(self, call: RestRequest[UploadPath, None, SignParts]) -> RestAnswer[UploadReady]:
        """Return new URLs for the parts of a multipart upload."""
        kind, upload, state = self._find_multipart_upload(call.owner, call.parameters)
        if state is not TrackState.REQUESTED:
            raise _not_expected("This upload is already complete.")
        target = _upload_target(call.owner, call.parameters.episode_id, kind, upload)
        multipart = self.bucket.sign_parts(target, call.body.multipart_id, _part_bytes(upload.size), upload.parts)
        return RestAnswer(self._upload_ready(kind, upload, target, multipart=multipart))

    def complete(self, call: RestRequest[UploadPath, None, CompleteUpload]) -> RestAnswer[UploadCompleted]:
        """Complete a multipart upload. A repeated request with the same parts gets the same response."""
        request = call.body
        kind, upload, _ = self._find_multipart_upload(call.owner, call.parameters)
        target = _upload_target(call.owner, call.parameters.episode_id, kind, upload)
        if len(request.parts) != upload.parts:
            raise _incomplete([FieldProblem("parts", f"this upload has {upload.parts} parts")])
        completion = self.bucket.complete(target, request.multipart_id, request.parts)
        if completion is CompletionResult.REFUSED:
            raise _incomplete()
        # If S3 does not know the multipart upload (UNKNOWN), an earlier request may have completed it.
        size = self.bucket.object_size(target.key)
        if size is None and completion is CompletionResult.DONE:
            raise CompletedObjectMissing
        if size is None:
            raise HandlerError(
                LivestreamErrorCode.UPLOAD_UNKNOWN,
                "This upload does not exist, or no longer exists. Request a new upload.",
            )
        if size != target.size:
            raise _incomplete()
        return RestAnswer(UploadCompleted(upload_id=upload.upload_id, key=target.key, bytes=size))

    def _validate(self, request: UploadRequest) -> None:
        """Raise HandlerError if the content type or the size is not accepted."""
        if request.content_type not in SUFFIXES[request.kind]:
            accepted = ", ".join(SUFFIXES[request.kind])
            raise HandlerError(
                LivestreamErrorCode.TYPE_UNSUPPORTED,
                f"This content type is not accepted for a {request.kind}.",
                fields=[FieldProblem("contentType", f"one of {accepted}")],
            )
        max_bytes = self.limits.max_bytes(request.kind)
        if request.bytes > max_bytes:
            raise HandlerError(
                LivestreamErrorCode.UPLOAD_TOO_LARGE,
                f"This {request.kind} is too large.",
                fields=[FieldProblem("bytes", f"at most {max_bytes}")],
            )

    def _upload_ready(
        self,
        kind: TrackKind,
        upload: ExpectedUpload,
        target: UploadTarget,
        *,
        form: UploadForm | None = None,
        multipart: MultipartUpload | None = None,
    ) -> UploadReady:
        return UploadReady(
            upload_id=upload.upload_id,
            kind=kind,
            key=target.key,
            max_bytes=target.size,  # S3 accepts only exactly this size
            expires_seconds=self.bucket.url_seconds,
            form=form,
            multipart=multipart,
        )

    def _part_count(self, request: UploadRequest) -> int:
        """Return the number of parts, or 0 for an upload by form."""
        size = request.bytes
        if request.kind is TrackKind.TRANSCRIPT or size <= self.limits.max_form_bytes:
            return 0
        return -(-size // _part_bytes(size))  # rounded up

    def _find_multipart_upload(self, owner: str, path: UploadPath) -> tuple[TrackKind, ExpectedUpload, TrackState]:
        """Return the track kind, the multipart upload that the path names, and the state of its track.

        Raise HandlerError if there is no such upload, if it has no parts, or if it has failed.
        """
        episode = self.table.get(owner, path.episode_id)
        for kind in TrackKind:
            track = episode.track(kind)
            if track.upload is not None and track.upload.upload_id == path.upload_id:
                if track.upload.parts == 0:
                    raise _not_expected(
                        "This upload uses a form, so it has no parts. It is complete when the form is sent."
                    )
                if track.state is TrackState.FAILED:
                    raise _not_expected("This upload has failed. Request a new upload.")
                return kind, track.upload, track.state
        raise HandlerError(LivestreamErrorCode.UPLOAD_UNKNOWN, "This episode has no such upload. Request a new upload.")


def _part_bytes(size: int) -> int:
    """Return the size of each part except the last, in bytes.

    It is a whole number of mebibytes, and large enough that the file has at most `MAX_PARTS` parts.
    """
    # `-(-a // b)` rounds up.
    return max(MIN_PART_BYTES, -(-size // MAX_PARTS // MEBIBYTE) * MEBIBYTE)


def _upload_target(owner: str, episode_id: str, kind: TrackKind, upload: ExpectedUpload) -> UploadTarget:
    suffix = SUFFIXES[kind][upload.content_type]
    key = f"{PREFIXES[kind]}{owner}/{episode_id}/{upload.upload_id}.{suffix}"
    return UploadTarget(key, upload.content_type.value, upload.size)


def _not_expected(message: str) -> HandlerError:
    return HandlerError(LivestreamErrorCode.UPLOAD_NOT_EXPECTED, message)


def _incomplete(fields: list[FieldProblem] | None = None) -> HandlerError:
    message = (
        "The parts do not match this upload, or their total size differs from the announced one. "
        "Upload the missing parts, then complete the upload with the ETags of all parts."
    )
    return HandlerError(LivestreamErrorCode.UPLOAD_INCOMPLETE, message, fields or ())
