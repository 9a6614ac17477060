"""Tests of the validation of requests to local services against botocore's models."""

from typing import Any

import pytest

from local.emulation.request_validation import validate_request

CONVERSE_MESSAGE = {"role": "user", "content": [{"text": "Hi"}]}
CONVERSE_REQUEST: dict[str, Any] = {"modelId": "anthropic.claude-3-haiku", "messages": [CONVERSE_MESSAGE]}
JOB_REQUEST = {"TranscriptionJobName": "one", "Media": {"MediaFileUri": "s3://b/k"}, "MediaSampleRateHertz": 16_000}


def test_members_get_the_names_of_the_model_and_null_members_are_removed() -> None:
    http_body = {"role": "r", "settings": {"inputs": [{"fileInput": "s3://b/k", "inputClippings": None}]}}
    assert validate_request("mediaconvert", "CreateJob", http_body) == {
        "Role": "r",
        "Settings": {"Inputs": [{"FileInput": "s3://b/k"}]},
    }
    assert validate_request("bedrock-runtime", "Converse", CONVERSE_REQUEST) == CONVERSE_REQUEST
    assert validate_request("transcribe", "StartTranscriptionJob", JOB_REQUEST) == JOB_REQUEST


@pytest.mark.parametrize(
    ("invalid_members", "message"),
    [
        ({"messages": "Hi"}, "Invalid type for parameter messages"),
        ({"messages": [{"role": "user"}]}, "Missing required parameter in messages"),
        ({"messages": [{**CONVERSE_MESSAGE, "more": 1}]}, "Unknown parameter in messages"),
        ({"messages": [{**CONVERSE_MESSAGE, "role": "guest"}]}, r"request\.messages\[0\]\.role must be one of"),
        ({"modelId": "a b"}, r"request\.modelId must match"),
        ({"inferenceConfig": {"temperature": 1.5}}, "temperature must be at most 1"),
    ],
)
def test_an_error_names_the_member_that_violates_the_model(invalid_members: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate_request("bedrock-runtime", "Converse", {**CONVERSE_REQUEST, **invalid_members})
