"""Request for the MediaConvert job that cuts one video into chunks.

The job has one HLS output group, because MediaConvert cannot split an MP4 group into segments. HLS is used instead of
CMAF, because an HLS segment contains audio and video in one file, so each chunk can be played separately. With
`SegmentLengthControl: EXACT`, every chunk except the last has the same length, and each chunk starts with a key frame.

The same object version and chunk length always give the same request token and the same output prefix.
MediaConvert creates one job for all requests with the same token within a minute. After that minute, a repeated request
creates the same job again, which writes the same chunks.
"""

import hashlib
from typing import Any

from handlers.livestream.keys import CHUNKS, UploadedObject
from handlers.livestream.video_chunks.video_and_job_events import JobMetadata

AUDIO_SELECTOR = "Audio Selector 1"
"""Name by which the output refers to the audio of the input."""
CHUNK_MODIFIER = "_chunk"
"""Suffix that distinguishes the chunks and their playlist from the master playlist."""
JOB_FOLDER_CHARACTERS = 16
"""Number of token characters in the output prefix of a job."""
WIDTH, HEIGHT = 1280, 720
"""Maximum size of the chunks' picture. Smaller videos keep their size."""
MAX_BITRATE = 3_000_000
"""Maximum bits per second of the video."""
QVBR_QUALITY = 7
"""MediaConvert's quality level, from 1 to 10."""
AUDIO_BITRATE = 96_000
"""Bits per second of the audio."""
AUDIO_RATE = 48_000
"""Samples per second of the audio."""
STATUS_UPDATES = "SECONDS_60"
"""Interval of MediaConvert's events about the progress of a job."""


def job_token(bucket: str, video: UploadedObject, chunk_seconds: int) -> str:
    """Return the request token of the job that cuts this object version in this way.

    The token has 64 characters, the maximum that MediaConvert accepts.
    """
    identity = (bucket, video.key, video.version_id, str(chunk_seconds))
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()


def chunk_prefix(video: UploadedObject, token: str) -> str:
    """Return the key prefix of the chunks of the job with this request token."""
    return f"{CHUNKS}{video.key_parts.owner}/{video.key_parts.episode_id}/{token[:JOB_FOLDER_CHARACTERS]}/"


def job_request(bucket: str, video: UploadedObject, *, chunk_seconds: int, role_arn: str) -> dict[str, Any]:
    """Return the parameters of CreateJob. `role_arn` is the role with which MediaConvert reads and writes the bucket."""
    token = job_token(bucket, video, chunk_seconds)
    upload = video.key_parts
    metadata = JobMetadata(
        bucket=bucket,
        owner=upload.owner,
        episode_id=upload.episode_id,
        upload_id=upload.upload_id,
        key=video.key,
        version_id=video.version_id,
        chunk_seconds=chunk_seconds,
    )
    values = metadata.model_dump(by_alias=True)
    return {
        "ClientRequestToken": token,
        "Role": role_arn,
        "StatusUpdateInterval": STATUS_UPDATES,
        "UserMetadata": {name: str(value) for name, value in values.items()},
        "Settings": {
            "TimecodeConfig": {"Source": "ZEROBASED"},
            "Inputs": [_input(f"s3://{bucket}/{video.key}")],
            "OutputGroups": [_output_group(f"s3://{bucket}/{chunk_prefix(video, token)}", chunk_seconds)],
        },
    }


def _input(uri: str) -> dict[str, Any]:
    return {
        "FileInput": uri,
        "TimecodeSource": "ZEROBASED",
        "VideoSelector": {"Rotate": "AUTO"},
        "AudioSelectors": {AUDIO_SELECTOR: {"DefaultSelection": "DEFAULT"}},
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
                "MinFinalSegmentLength": 0,
                "DirectoryStructure": "SINGLE_DIRECTORY",
                "OutputSelection": "MANIFESTS_AND_SEGMENTS",
                "ManifestDurationFormat": "FLOATING_POINT",
            },
        },
        "Outputs": [
            {
                "NameModifier": CHUNK_MODIFIER,
                "ContainerSettings": {"Container": "M3U8", "M3u8Settings": {}},
                "VideoDescription": {
                    "Width": WIDTH,
                    "Height": HEIGHT,
                    "ScalingBehavior": "FIT_NO_UPSCALE",
                    "CodecSettings": {
                        "Codec": "H_264",
                        "H264Settings": {
                            "RateControlMode": "QVBR",
                            "QvbrSettings": {"QvbrQualityLevel": QVBR_QUALITY},
                            "MaxBitrate": MAX_BITRATE,
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
                                "Bitrate": AUDIO_BITRATE,
                                "CodingMode": "CODING_MODE_2_0",
                                "SampleRate": AUDIO_RATE,
                            },
                        },
                    }
                ],
            }
        ],
    }
