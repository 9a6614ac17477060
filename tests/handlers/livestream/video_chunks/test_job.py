"""Requests for MediaConvert jobs that cut a video into chunks, checked with botocore's service model.

Each job has a token, with which MediaConvert recognises a repeated request.
"""

import json
from typing import Any

import boto3
from botocore.serialize import create_serializer

from handlers.livestream.video_chunks.job import job_request
from local.emulation.mediaconvert.video_cutting import parse_job
from local.emulation.request_validation import validate_request
from tests.handlers.livestream.harness import ANN, BUCKET, ROLE
from tests.handlers.livestream.video_chunks.video_events import EPISODE, NEWER, UPLOAD, video


def request(**changes: Any) -> dict[str, Any]:
    return job_request(BUCKET, video(), **{"chunk_seconds": 120, "role_arn": ROLE, **changes})


def test_mediaconvert_accepts_the_request() -> None:
    """boto3 checks names and types when it serializes the request, and the emulation also checks enums and ranges."""
    client = boto3.client("mediaconvert", "us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
    operation = client.meta.service_model.operation_model("CreateJob")
    job = request()
    http_request = create_serializer("rest-json").serialize_to_request(job, operation)
    assert validate_request("mediaconvert", "CreateJob", json.loads(http_request["body"])) == job


def test_chunks_have_exact_length_with_audio_and_video_in_one_file() -> None:
    [group] = request(chunk_seconds=77)["Settings"]["OutputGroups"]
    hls = group["OutputGroupSettings"]["HlsGroupSettings"]
    segments = (hls["SegmentLength"], hls["MinSegmentLength"], hls["SegmentControl"], hls["SegmentLengthControl"])
    assert segments == (77, 0, "SEGMENTED_FILES", "EXACT")
    [output] = group["Outputs"]
    assert output["ContainerSettings"]["Container"] == "M3U8", "segments in MPEG-TS, which hls.js plays"
    picture = output["VideoDescription"]
    assert (picture["Width"], picture["Height"]) == (1280, 720), "the estimate counts the price of HD"
    assert (
        picture["CodecSettings"]["H264Settings"].items() >= {"RateControlMode": "QVBR", "MaxBitrate": 3_000_000}.items()
    )
    [sound] = output["AudioDescriptions"]
    aac = {"Bitrate": 96_000, "CodingMode": "CODING_MODE_2_0", "SampleRate": 48_000}
    assert sound["CodecSettings"] == {"Codec": "AAC", "AacSettings": aac}


def test_the_job_reads_the_upload_and_writes_to_another_prefix() -> None:
    """S3 events of new objects start jobs, but not below `chunks/`."""
    job = request()
    parsed_job, token = parse_job(job), job["ClientRequestToken"]
    metadata = {
        "bucket": BUCKET,
        "key": f"videos/{ANN}/{EPISODE}/{UPLOAD}.mp4",
        "versionId": "v1",
        "chunkSeconds": "120",
    }
    assert job["UserMetadata"] == metadata
    assert parsed_job.input_uri == f"s3://{BUCKET}/videos/{ANN}/{EPISODE}/{UPLOAD}.mp4"
    assert (parsed_job.output_bucket, parsed_job.output_prefix) == (BUCKET, f"chunks/{ANN}/{EPISODE}/{token[:16]}/")
    assert (parsed_job.name, parsed_job.segment_name) == (UPLOAD, f"{UPLOAD}_chunk")


def test_each_version_of_a_video_with_each_chunk_length_has_its_own_job_token() -> None:
    requests = [
        job_request(bucket, video(upload, version=version), chunk_seconds=chunk_seconds, role_arn=ROLE)
        for bucket in (BUCKET, "another")
        for upload in (UPLOAD, NEWER)
        for version in ("v1", "v12")
        for chunk_seconds in (1, 2, 120)
    ]
    tokens = {request["ClientRequestToken"] for request in requests}
    assert (len(tokens), {len(token) for token in tokens}) == (24, {64}), "MediaConvert accepts no longer token"
