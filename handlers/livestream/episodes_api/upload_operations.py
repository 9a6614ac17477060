"""Where clients upload videos and transcripts to: a form for what is small, parts for what is large.

First the track says for which upload it waits, then is told where it goes: so an object never arrives that nobody
expects. What arrives, the events tell; completing an upload in parts changes nothing in the table.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime

from handlers.common.errors import FieldProblem, HandlerError
from handlers.common.http.rest_dispatch import RestAnswer, RestRequest
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.livestream.api_models import (
    MAX_PARTS,
    CompleteUpload,
    MultipartUpload,
    SignParts,
    UploadCompleted,
    UploadForm,
    UploadReady,
    UploadRequest,
)
from handlers.livestream.episode_table import EpisodeStands, EpisodeTable
from handlers.livestream.episodes_api.upload_bucket import Completion, Place, UploadBucket
from handlers.livestream.error_codes import Code
from handlers.livestream.s3_prefixes import TRANSCRIPTS, VIDEOS
from handlers.livestream.tracks import ContentType, TrackKind, TrackState, Upload

MEBIBYTE = 1024**2
SMALLEST_PART = 8 * MEBIBYTE
PREFIXES = {TrackKind.VIDEO: VIDEOS, TrackKind.TRANSCRIPT: TRANSCRIPTS}
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
        ContentType.TEXT: "txt",
    },
}
"""The content types that each track accepts, and the suffix that each gives an object's key."""


@dataclass(frozen=True)
class UploadLimits:
    """What may be uploaded, and how."""

    max_video_bytes: int
    max_transcript_bytes: int
    form_bytes: int
    """What is larger goes in parts."""

    def most(self, kind: TrackKind) -> int:
        """Bytes of one upload."""
        return self.max_video_bytes if kind is TrackKind.VIDEO else self.max_transcript_bytes


class ObjectNotSeen(Exception):
    """An object was put together, and cannot be looked at."""


@dataclass(frozen=True)
class Uploads:
    """Does what operations ask."""

    table: EpisodeTable
    bucket: UploadBucket
    _: KW_ONLY
    limits: UploadLimits
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    """Gives ULIDs."""

    def request(self, call: RestRequest) -> RestAnswer:
        """Where to upload to."""
        asked: UploadRequest = call.body
        self._check(asked)
        episode_id = call.parameters.episode_id
        parts = self._parts(asked)
        upload = Upload(upload_id=self.new_id(), content_type=asked.content_type, size=asked.bytes, parts=parts)
        try:
            self.table.request(call.owner, episode_id, asked.kind, upload, timestamp(self.clock()))
        except EpisodeStands:
            raise _not_expected(f"The {asked.kind} of this episode is there already, or being worked on.") from None
        place = _place(call.owner, episode_id, asked.kind, upload)
        if parts:
            multipart = self.bucket.in_parts(place, _part_bytes(upload.size), parts)
            return RestAnswer(self._ready(asked.kind, upload, place, multipart=multipart), 201)
        return RestAnswer(self._ready(asked.kind, upload, place, form=self.bucket.form(place)), 201)

    def sign(self, call: RestRequest) -> RestAnswer:
        """Where to upload the parts of an upload to, for as long again."""
        asked: SignParts = call.body
        kind, upload, state = self._expected(call)
        if state is not TrackState.REQUESTED:
            raise _not_expected("This upload has come already.")
        place = _place(call.owner, call.parameters.episode_id, kind, upload)
        multipart = self.bucket.signed(place, asked.multipart_id, _part_bytes(upload.size), upload.parts)
        return RestAnswer(self._ready(kind, upload, place, multipart=multipart))

    def complete(self, call: RestRequest) -> RestAnswer:
        """What the parts of an upload make; the same when it is asked again."""
        asked: CompleteUpload = call.body
        kind, upload, _ = self._expected(call)
        place = _place(call.owner, call.parameters.episode_id, kind, upload)
        if len(asked.parts) != upload.parts:
            raise _incomplete([FieldProblem("parts", f"there are {upload.parts} parts")])
        completion = self.bucket.complete(place, asked.multipart_id, asked.parts)
        if completion is Completion.REFUSED:
            raise _incomplete()
        size = self.bucket.size(place.key)
        if size is None and completion is Completion.DONE:
            raise ObjectNotSeen
        if size is None:
            raise HandlerError(Code.UPLOAD_UNKNOWN, "There is no such upload, or no longer. Ask for another.", 404)
        if size != place.size:
            raise _incomplete()
        return RestAnswer(UploadCompleted(upload_id=upload.upload_id, key=place.key, bytes=size))

    def _check(self, asked: UploadRequest) -> None:
        """Refuses what no track takes."""
        if asked.content_type not in SUFFIXES[asked.kind]:
            known = ", ".join(SUFFIXES[asked.kind])
            raise HandlerError(
                Code.TYPE_UNSUPPORTED,
                f"This is no type of a {asked.kind}.",
                fields=[FieldProblem("contentType", f"one of {known}")],
            )
        most = self.limits.most(asked.kind)
        if asked.bytes > most:
            raise HandlerError(
                Code.UPLOAD_TOO_LARGE,
                f"A {asked.kind} of so many bytes is not taken.",
                fields=[FieldProblem("bytes", f"at most {most}")],
            )

    def _ready(
        self,
        kind: TrackKind,
        upload: Upload,
        place: Place,
        *,
        form: UploadForm | None = None,
        multipart: MultipartUpload | None = None,
    ) -> UploadReady:
        return UploadReady(
            upload_id=upload.upload_id,
            kind=kind,
            key=place.key,
            max_bytes=place.size,
            expires_seconds=self.bucket.url_seconds,
            form=form,
            multipart=multipart,
        )

    def _parts(self, asked: UploadRequest) -> int:
        """How many parts; none of a form."""
        size = asked.bytes
        if asked.kind is TrackKind.TRANSCRIPT or size <= self.limits.form_bytes:
            return 0
        return -(-size // _part_bytes(size))

    def _expected(self, call: RestRequest) -> tuple[TrackKind, Upload, TrackState]:
        """The upload in parts that a track waits for, or has got, and where the track is."""
        episode = self.table.get(call.owner, call.parameters.episode_id)
        for kind in TrackKind:
            track = episode.track(kind)
            if track.upload is not None and track.upload.upload_id == call.parameters.upload_id:
                if track.upload.parts == 0:
                    raise _not_expected("This upload is a form: it is complete when it is sent.")
                if track.state is TrackState.FAILED:
                    raise _not_expected("This upload has failed. Ask for another.")
                return kind, track.upload, track.state
        raise HandlerError(Code.UPLOAD_UNKNOWN, "No track of this episode waits for such an upload.", 404)


def _part_bytes(size: int) -> int:
    """How large the parts of so many bytes are, but for the last."""
    return max(SMALLEST_PART, -(-size // MAX_PARTS // MEBIBYTE) * MEBIBYTE)


def _place(owner: str, episode_id: str, kind: TrackKind, upload: Upload) -> Place:
    suffix = SUFFIXES[kind][upload.content_type]
    key = f"{PREFIXES[kind]}{owner}/{episode_id}/{upload.upload_id}.{suffix}"
    return Place(key, upload.content_type.value, upload.size)


def _not_expected(message: str) -> HandlerError:
    return HandlerError(Code.UPLOAD_NOT_EXPECTED, message, 409)


def _incomplete(fields: list[FieldProblem] | None = None) -> HandlerError:
    message = "The parts are not those of this upload, or do not have the size that was promised."
    return HandlerError(Code.UPLOAD_INCOMPLETE, message, 409, fields or ())
