"""Requests for MediaConvert jobs that cut a video into chunks, checked with botocore's service model."""

import json

import boto3
from botocore.serialize import create_serializer

from handlers.livestream.keys import UploadedObject
from handlers.livestream.video_chunks.job import job_request
from local.emulation.mediaconvert.video_cutting import parse_job
from local.emulation.request_validation import validate_request

OWNER, EPISODE, UPLOAD = "everybody", "01KE1VN3KVAT25Y7H06Z6YBYC4", "01KE1VN3KV2ZWKCAX1YZZDK9JW"
KEY = f"videos/{OWNER}/{EPISODE}/{UPLOAD}.mp4"
VIDEO = UploadedObject(KEY, "v1", OWNER, EPISODE, UPLOAD)
JOB = job_request("files", VIDEO, chunk_seconds=77, role_arn="arn:aws:iam::123456789012:role/media")


def test_mediaconvert_accepts_the_request() -> None:
    """boto3 checks names and types when it serializes the request, and the emulation also checks enums and ranges."""
    client = boto3.client("mediaconvert", "us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
    operation = client.meta.service_model.operation_model("CreateJob")
    http_request = create_serializer("rest-json").serialize_to_request(JOB, operation)
    assert validate_request("mediaconvert", "CreateJob", json.loads(http_request["body"])) == JOB


def test_chunks_have_exact_length_with_audio_and_video_in_one_file() -> None:
    [group] = JOB["Settings"]["OutputGroups"]
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
    job = parse_job(JOB)
    assert JOB["UserMetadata"] == {"bucket": "files", "key": KEY, "versionId": "v1"}
    assert JOB["ClientRequestToken"] == UPLOAD, "a request that is repeated within a minute creates no other job"
    assert job.input_uri == f"s3://files/{KEY}"
    assert (job.output_bucket, job.output_prefix) == ("files", f"chunks/{OWNER}/{EPISODE}/{UPLOAD}/")
    assert (job.name, job.segment_name) == (UPLOAD, f"{UPLOAD}_chunk"), "names that the API expects"
