"""The job that has one video cut. Pure.

One HLS group, because a group of MP4 files cannot be cut; and HLS rather than CMAF, because its segments have sound and
pictures in one file: each chunk can be looked at by itself. `EXACT` gives every chunk its full length, with a key frame
where it begins.

The same version of the same object, cut to the same length and the same end, is the same job: the same token, under which
MediaConvert keeps repeats of a minute apart, and the same place for its chunks, so that a repeat after that writes the same
again.

MediaConvert is paid by the minute, and a still picture plays for a day in a megabyte or two. So a job ends at a time that
is counted from the video's first frame, whatever the container says of itself: no length that somebody wrote there is
believed. Only where MediaConvert finds no such time in a video is it cut to its own end.
"""

import hashlib
from typing import Any

from handlers.livestream.s3_prefixes import CHUNKS
from handlers.livestream.upload_keys import UploadedObject
from handlers.livestream.video_chunks.video_events import JobMetadata

AUDIO_SELECTOR = "Audio Selector 1"
CHUNK_MODIFIER = "_chunk"
"""What tells the chunks and their playlist from the playlist above it."""
JOB_FOLDER_CHARACTERS = 16
"""Characters of the token that name a job's folder."""
WIDTH, HEIGHT = 1280, 720
MAX_BITRATE = 3_000_000
QVBR_QUALITY = 7
AUDIO_BITRATE = 96_000
AUDIO_RATE = 48_000
STATUS_UPDATES = "SECONDS_60"
CLIP_MARGIN_MINUTES = 30
"""How much longer than it may be a video is cut: by that, one that was cut off is told from one that is just short
enough, also where its frames are counted as a few more or less a second than they are. With it, the longest clip stays
below the 12 hours that MediaConvert takes."""


def job_token(bucket: str, video: UploadedObject, seconds: int, clip_hours: int | None) -> str:
    """The name of the one job that cuts this version of this object in this way: 64 characters, no more may be."""
    named = (bucket, video.key, video.version_id, str(seconds), str(clip_hours))
    return hashlib.sha256("\n".join(named).encode()).hexdigest()


def chunk_prefix(video: UploadedObject, job: str) -> str:
    """Of the keys of a job's chunks."""
    return f"{CHUNKS}{video.key_parts.owner}/{video.key_parts.episode_id}/{job[:JOB_FOLDER_CHARACTERS]}/"


def job_request(
    bucket: str,
    video: UploadedObject,
    *,
    seconds: int,
    role_arn: str,
    max_hours: int | None = None,
    to_its_end: bool = False,
) -> dict[str, Any]:
    """What CreateJob is asked; without `max_hours`, and where it is asked for, a video is cut to its end."""
    clip_hours = None if to_its_end else max_hours
    job = job_token(bucket, video, seconds, clip_hours)
    named = video.key_parts
    metadata = JobMetadata(
        bucket=bucket,
        owner=named.owner,
        episode_id=named.episode_id,
        upload_id=named.upload_id,
        key=video.key,
        version_id=video.version_id,
        chunk_seconds=seconds,
        max_hours=max_hours,
        to_its_end=to_its_end or None,
    )
    carried = metadata.model_dump(by_alias=True, exclude_none=True)
    return {
        "ClientRequestToken": job,
        "Role": role_arn,
        "StatusUpdateInterval": STATUS_UPDATES,
        "UserMetadata": {name: str(value) for name, value in carried.items()},
        "Settings": {
            "TimecodeConfig": {"Source": "ZEROBASED"},
            "Inputs": [_input(f"s3://{bucket}/{video.key}", clip_hours)],
            "OutputGroups": [_output_group(f"s3://{bucket}/{chunk_prefix(video, job)}", seconds)],
        },
    }


def _input(uri: str, clip_hours: int | None) -> dict[str, Any]:
    # Of a clip with an end alone, everything up to there is taken; most videos end before. Should MediaConvert not take
    # that, it says so, and the video is known to end before: `JobChanged.shorter`.
    clips = [] if clip_hours is None else [{"EndTimecode": f"{clip_hours:02}:{CLIP_MARGIN_MINUTES}:00:00"}]
    return {
        "FileInput": uri,
        "TimecodeSource": "ZEROBASED",
        **({"InputClippings": clips} if clips else {}),
        "VideoSelector": {"Rotate": "AUTO"},
        "AudioSelectors": {AUDIO_SELECTOR: {"DefaultSelection": "DEFAULT"}},
    }


def _output_group(destination: str, seconds: int) -> dict[str, Any]:
    return {
        "Name": "Chunks",
        "OutputGroupSettings": {
            "Type": "HLS_GROUP_SETTINGS",
            "HlsGroupSettings": {
                "Destination": destination,
                "SegmentLength": seconds,
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
