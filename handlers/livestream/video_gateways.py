"""What video processing asks of AWS: MediaConvert, the bus, and the playlist that says what became of a video.

MediaConvert answers at the Region's own endpoint, which boto3 knows: nobody asks `DescribeEndpoints`. Throttling and
what is not the request's fault is retried by the client, and then raised: whoever delivered the event delivers again. So is
a job that it will not make at all: it has not looked at the video yet, so the deployment is at fault, and can be mended.
"""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.livestream.event_names import UPLOAD_COMPLETED
from handlers.livestream.publishing import Publisher
from handlers.livestream.video_events import CompletedDetail, Video

if TYPE_CHECKING:
    from types_boto3_events.client import EventBridgeClient
    from types_boto3_s3.client import S3Client

GONE = frozenset({"NoSuchKey", "NoSuchBucket"})
ENTRY = b"#EXTINF:"
MAX_PLAYLIST = 8 * 1024 * 1024


class Jobs:
    """Starts jobs. boto3 has types for MediaConvert, but the project does not install them for one call."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def create(self, request: dict[str, Any]) -> None:
        """Starts a job; the same job again, if the request is the same."""
        self._client.create_job(**request)


class Bus:
    """Tells everybody who listens."""

    def __init__(self, client: "EventBridgeClient", source: str) -> None:
        self._publish = Publisher(client, source)

    def upload_completed(self, video: Video) -> None:
        """A video is there, and can be cut; raises NotPublished."""
        self._publish(UPLOAD_COMPLETED, CompletedDetail.of(video).model_dump(by_alias=True))


class Playlists:
    """Counts chunks by the playlist that names them.

    By their length alone they could not be counted: a job's duration is that of its longest track, and a sound that
    ends a few milliseconds after the last picture would make one chunk too many.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def entries(self, key: str) -> int | None:
        """How many chunks a playlist names; none where it is gone."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return None
            raise
        with answer["Body"] as body:
            text = body.read(MAX_PLAYLIST)
        return sum(line.startswith(ENTRY) for line in text.splitlines())
