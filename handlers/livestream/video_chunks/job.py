"""Request for the MediaConvert job that cuts one video into chunks.

The job has one HLS output group. An HLS segment contains audio and video in one MPEG-TS file, so a player needs one
presigned URL for each chunk, and a video without sound needs no other job. MediaConvert cannot split an MP4 group into
segments, and an output of a CMAF group contains either audio or video. Browsers play MPEG-TS with a player for HLS, not
alone. With `SegmentLengthControl: EXACT`, every chunk except the last has the same length, and each chunk starts with a
key frame.

The same object version and chunk length always give the same request token and the same output prefix.
MediaConvert creates one job for all requests with the same token within a minute. After that minute, a repeated request
creates the same job again, which writes the same chunks.
"""

import hashlib
from typing import Annotated, Any

from pydantic import Field

from handlers.common.events import VERSION_ID_PATTERN
from handlers.common.json_models import Message
from handlers.livestream.keys import CHUNKS, VIDEOS, UploadedObject, parse_upload

AUDIO_SELECTOR = "Audio Selector 1"
"""Name by which the output refers to the audio of the input."""


class VideoVersion(Message):
    """One version of an uploaded video, as the event `Video Upload Completed` names it."""

    key: str
    version_id: Annotated[str, Field(pattern=f"^{VERSION_ID_PATTERN}$")]

    def to_upload(self) -> UploadedObject | None:
        """Return the uploaded object, or None if the key is not that of an upload below `videos/`."""
        return parse_upload(VIDEOS, self.key, self.version_id)


class JobMetadata(VideoVersion):
    """User metadata of a job, which each event about the job contains. MediaConvert stores the values as strings."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9.-]{3,63}$")]
    """Bucket of the stack that submitted the job. Several stacks may share an account."""
    chunk_seconds: int

    @property
    def token(self) -> str:
        """Request token of the job. It has 64 characters, the maximum that MediaConvert accepts."""
        identity = (self.bucket, self.key, self.version_id, str(self.chunk_seconds))
        return hashlib.sha256("\n".join(identity).encode()).hexdigest()


def chunk_prefix(video: UploadedObject, job: JobMetadata) -> str:
    """Return the key prefix below which a job writes the chunks of a video."""
    return f"{CHUNKS}{video.owner}/{video.episode_id}/{job.token[:16]}/"


def job_request(bucket: str, video: UploadedObject, *, chunk_seconds: int, role_arn: str) -> dict[str, Any]:
    """Return the parameters of CreateJob. `role_arn` is the role with which MediaConvert reads and writes the bucket."""
    job = JobMetadata(bucket=bucket, key=video.key, version_id=video.version_id, chunk_seconds=chunk_seconds)
    return {
        "ClientRequestToken": job.token,
        "Role": role_arn,
        "UserMetadata": {name: str(value) for name, value in job.model_dump(by_alias=True).items()},
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
            "OutputGroups": [_output_group(f"s3://{bucket}/{chunk_prefix(video, job)}", chunk_seconds)],
        },
    }


def _output_group(destination: str, chunk_seconds: int) -> dict[str, Any]:
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
                "NameModifier": "_chunk",  # distinguishes the chunks and their playlist from the main playlist
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
                            "AacSettings": {
                                "Bitrate": 96_000,
                                "CodingMode": "CODING_MODE_2_0",
                                "SampleRate": 48_000,
                            },
                        },
                    }
                ],
            }
        ],
    }
