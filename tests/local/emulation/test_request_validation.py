"""Tests of the validation of requests to local services against botocore's models."""

from typing import Any

import pytest

from local.emulation.request_validation import InvalidRequest, validate_request

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
        ({"messages": "Hi"}, r"^\.messages must be of type list"),
        ({"messages": [{**CONVERSE_MESSAGE, "role": "guest"}]}, r"^\.messages\[0\]\.role must be one of"),
        ({"messages": [{"role": "user"}]}, r"^\.messages\[0\]\.content is required"),
        ({"messages": [{**CONVERSE_MESSAGE, "more": 1}]}, r"^\.messages\[0\]\.more is unknown"),
        ({"modelId": "a b"}, r"^\.modelId must match"),
        ({"inferenceConfig": {"maxTokens": 0}}, "must be from 1"),
        ({"inferenceConfig": {"maxTokens": True}}, "must be of type integer"),
        ({"requestMetadata": {"key": 1}}, r"^\.requestMetadata\.key must be of type string"),
    ],
)
def test_an_error_names_the_member_that_violates_the_model(invalid_members: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        validate_request("bedrock-runtime", "Converse", {**CONVERSE_REQUEST, **invalid_members})


def test_a_request_that_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="the request must be of type structure"):
        validate_request("bedrock-runtime", "Converse", [])
