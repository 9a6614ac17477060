"""API operation for playing a video: it lists the video's chunks, each with a presigned URL.

The Lambda function `episodes` binds it to the API's route. MediaConvert cut the video into chunks, and wrote an HLS
playlist with their names and durations. A browser cannot play that playlist itself, because each chunk needs its own
presigned URL. So the client plays the listed chunks in turn.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from handlers.common.errors import HandlerError
from handlers.common.rest import RestAnswer, RestRequest
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.episodes.routes import LivestreamErrorCode
from handlers.livestream.keys import CHUNK_NAME_MODIFIER, chunk_folder
from handlers.livestream.models import EpisodePath, PlayableChunk, Playback, PlaybackQuery
from handlers.livestream.tracks import TrackState

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PLAYBACK_SECONDS = 300
"""Validity of the URL of a video chunk, unless the function's credentials expire earlier. Clients list the chunks again
when they need later chunks."""
_NOT_FOUND_CODES = frozenset({"NoSuchKey", "AccessDenied"})
"""Error codes of GetObject for a missing object. S3 returns `AccessDenied` if the role may not list the bucket."""
_CHUNK = re.compile(r"#EXTINF:([0-9]+(?:\.[0-9]+)?),[^\n]*\n(?:#[^\n]*\n)*([A-Za-z0-9_-]+\.ts)\s*(?:\n|$)")
"""One chunk in a playlist: its duration in seconds, and its file name. A name with a folder does not match."""


class PlaylistChunk(NamedTuple):
    start_ms: int
    duration_ms: int
    name: str


@dataclass(frozen=True)
class PlaybackOperations:
    """Function that performs the API operation `listChunks`."""

    table: EpisodeTable
    s3: "S3Client"
    """Client that was created with `build_presigning_config()`."""
    bucket_name: str

    def list_chunks(self, call: RestRequest[EpisodePath, PlaybackQuery]) -> RestAnswer[Playback]:
        """Return a page of chunks, beginning with the chunk that contains the position `fromMs`."""
        episode = self.table.get(call.owner, call.parameters.episode_id)
        upload = episode.video.upload
        if upload is None or episode.video.state is not TrackState.CHUNKED:
            raise HandlerError(
                LivestreamErrorCode.VIDEO_NOT_READY,
                "This episode has no video that was cut into chunks. Ask again when the state of its video is chunked.",
            )
        folder = chunk_folder(call.owner, episode.episode_id, upload.upload_id)
        # MediaConvert names the playlist after the video, whose name is the upload id.
        playlist = parse_playlist(self._read_playlist(f"{folder}{upload.upload_id}{CHUNK_NAME_MODIFIER}.m3u8"))
        following = [chunk for chunk in playlist if chunk.start_ms + chunk.duration_ms > call.query.from_ms]
        page, rest = following[: call.query.limit], following[call.query.limit :]
        return RestAnswer(
            Playback(
                chunks=tuple(
                    PlayableChunk(
                        start_ms=chunk.start_ms,
                        duration_ms=chunk.duration_ms,
                        url=self.s3.generate_presigned_url(
                            "get_object",
                            Params={"Bucket": self.bucket_name, "Key": f"{folder}{chunk.name}"},
                            ExpiresIn=PLAYBACK_SECONDS,
                        ),
                    )
                    for chunk in page
                ),
                expires_seconds=PLAYBACK_SECONDS,
                next_ms=rest[0].start_ms if rest else None,
            )
        )

    def _read_playlist(self, key: str) -> str:
        """Return a playlist. Raise HandlerError if it does not exist any more."""
        try:
            response = self.s3.get_object(Bucket=self.bucket_name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NOT_FOUND_CODES:
                raise
            message = "The chunks of this video have expired. To watch it again, upload it to a new episode."
            raise HandlerError(LivestreamErrorCode.VIDEO_GONE, message) from None
        with response["Body"] as body:
            return body.read().decode()


def parse_playlist(playlist: str) -> Iterator[PlaylistChunk]:
    """Yield the chunks of an HLS playlist, in order."""
    start = 0.0
    for match in _CHUNK.finditer(playlist):
        end = start + float(match[1])
        # Durations in playlists have fractions of milliseconds. Start and end are rounded and the duration follows from
        # them, so there are no gaps between the chunks.
        yield PlaylistChunk(round(start * 1000), round(end * 1000) - round(start * 1000), match[2])
        start = end
