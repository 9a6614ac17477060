"""MediaConvert job that cuts one video into chunks: its request, and the events that start it and report its state.

The Lambda function `video-chunks` submits the job and receives the events. The job has one HLS output group, whose
segments are the chunks. A segment contains audio and video in one MPEG-TS file, so a client needs only one presigned URL
for each chunk, and the same job serves videos without sound. Other groups of MediaConvert were no alternative: it cannot
split an MP4 group into segments, and an output of a CMAF group contains either audio or video. The disadvantage is that
browsers need a player for HLS. With `SegmentLengthControl: EXACT`, every chunk except the last has the same length, and
each chunk starts with a key frame.

The request token is the id of the upload. MediaConvert creates one job for all requests with the same token within a
minute. After that minute, a repeated request creates the same job again, which writes the same chunks.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from handlers.common.events import VERSION_ID_PATTERN, EventModel, InvalidEvent
from handlers.common.json_models import Message
from handlers.livestream.keys import CHUNK_NAME_MODIFIER, VIDEOS, UploadedObject, chunk_folder, parse_upload
from handlers.livestream.tracks import TrackState

SOURCE_SUFFIX: Final = ".livestream"
"""End of the source of livestream's own events. The source begins with the name of the stack, because several stacks
may use the same bus."""
UPLOAD_COMPLETED: Final = "Video Upload Completed"
"""Detail type of the event that makes livestream cut the uploaded video into chunks."""
MEDIACONVERT: Final = "aws.mediaconvert"
"""Source of MediaConvert's events."""
JOB_STATE_CHANGE: Final = "MediaConvert Job State Change"
"""Detail type of MediaConvert's events about jobs."""
JOB_FAILED: Final = "ERROR"
JOB_STATES = {
    "PROGRESSING": TrackState.CHUNKING,
    "COMPLETE": TrackState.CHUNKED,
    JOB_FAILED: TrackState.FAILED,
    "CANCELED": TrackState.FAILED,
}
"""State of a video's track (its processing) by the state of its job. The event rule matches no other states."""
AUDIO_SELECTOR = "Audio Selector 1"
"""Name by which the output refers to the audio of the input."""


class VideoVersion(Message):
    """Detail of the event `Video Upload Completed`: one version of an uploaded video."""

    key: str
    version_id: Annotated[str, Field(pattern=f"^{VERSION_ID_PATTERN}$")]

    def to_upload(self) -> UploadedObject:
        """Return the uploaded object. Raise InvalidEvent if the key is not that of an upload below `videos/`."""
        video = parse_upload(VIDEOS, self.key, self.version_id)
        if video is None:
            raise InvalidEvent("the key is not the key of a video")
        return video


class JobMetadata(VideoVersion):
    """User metadata of a job, which each event about the job repeats. So the event names the video whose job it is."""

    bucket: str
    """Bucket of the stack that submitted the job. Several stacks may share an account."""


class JobChange(EventModel):
    """Detail of MediaConvert's event about a job: the new state of the job."""

    status: str
    error_code: Annotated[int, Field(validation_alias="errorCode")] = 0
    """MediaConvert's code if the job failed; 0 if it gave none."""
    metadata: Annotated[JobMetadata, Field(validation_alias="userMetadata")]


def job_request(bucket: str, video: UploadedObject, *, chunk_seconds: int, role_arn: str) -> dict[str, Any]:
    """Return the parameters of CreateJob. `role_arn` is the role with which MediaConvert reads and writes the bucket."""
    destination = chunk_folder(video.owner, video.episode_id, video.upload_id)
    metadata = JobMetadata(bucket=bucket, key=video.key, version_id=video.version_id)
    return {
        "ClientRequestToken": video.upload_id,
        "Role": role_arn,
        "UserMetadata": metadata.model_dump(by_alias=True),
        "Settings": {
            "TimecodeConfig": {"Source": "ZEROBASED"},
            "Inputs": [
                {
                    "FileInput": f"s3://{bucket}/{video.key}",
                    "TimecodeSource": "ZEROBASED",
                    "VideoSelector": {"Rotate": "AUTO"},
                    "AudioSelectors": {AUDIO_SELECTOR: {"DefaultSelection": "DEFAULT"}},
                }
            ],
            "OutputGroups": [_output_group(f"s3://{bucket}/{destination}", chunk_seconds)],
        },
    }


def _output_group(destination: str, chunk_seconds: int) -> dict[str, Any]:
    """Return the HLS output group, with one output of at most 720 lines. `destination` is the S3 URI of a folder."""
    return {
        "Name": "Chunks",
        "OutputGroupSettings": {
            "Type": "HLS_GROUP_SETTINGS",
            "HlsGroupSettings": {
                "Destination": destination,
                "SegmentLength": chunk_seconds,
                "SegmentControl": "SEGMENTED_FILES",
                "SegmentLengthControl": "EXACT",
                "MinSegmentLength": 0,
                "DirectoryStructure": "SINGLE_DIRECTORY",
                "OutputSelection": "MANIFESTS_AND_SEGMENTS",
                "ManifestDurationFormat": "FLOATING_POINT",
            },
        },
        "Outputs": [
            {
                "NameModifier": CHUNK_NAME_MODIFIER,
                "ContainerSettings": {"Container": "M3U8", "M3u8Settings": {}},
                "VideoDescription": {
                    "Width": 1280,
                    "Height": 720,
                    "ScalingBehavior": "FIT_NO_UPSCALE",
                    "CodecSettings": {
                        "Codec": "H_264",
                        "H264Settings": {
                            "RateControlMode": "QVBR",
                            "MaxBitrate": 3_000_000,
                            "QualityTuningLevel": "SINGLE_PASS_HQ",
                            "FramerateControl": "INITIALIZE_FROM_SOURCE",
                            "GopSizeUnits": "AUTO",
                        },
                    },
                },
                "AudioDescriptions": [
                    {
                        "AudioSourceName": AUDIO_SELECTOR,
                        "CodecSettings": {
                            "Codec": "AAC",
                            "AacSettings": {"Bitrate": 96_000, "CodingMode": "CODING_MODE_2_0", "SampleRate": 48_000},
                        },
                    }
                ],
            }
        ],
    }
