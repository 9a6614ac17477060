"""Tests of the validation against botocore's models: names of the HTTP message, and each kind of invalid value."""

from typing import Any

import pytest

from local.emulation.request_validation import InvalidRequest, validate_request

TURN = {"role": "user", "content": [{"text": "Hi"}]}
CONVERSE: dict[str, Any] = {"modelId": "anthropic.claude-3-haiku", "messages": [TURN]}
JOB = {"TranscriptionJobName": "one", "Media": {"MediaFileUri": "s3://b/k"}, "MediaSampleRateHertz": 16_000}


def test_a_request_gets_the_models_names_without_null_members() -> None:
    wire = {"role": "r", "settings": {"inputs": [{"fileInput": "s3://b/k", "inputClippings": None}]}}
    assert validate_request("mediaconvert", "CreateJob", wire) == {
        "Role": "r",
        "Settings": {"Inputs": [{"FileInput": "s3://b/k"}]},
    }
    assert validate_request("bedrock-runtime", "Converse", CONVERSE) == CONVERSE
    assert validate_request("transcribe", "StartTranscriptionJob", JOB) == JOB


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"messages": "Hi"}, r"^\.messages must be of type list"),
        ({"messages": [{**TURN, "role": "somebody"}]}, r"^\.messages\[0\]\.role must be one of"),
        ({"messages": [{"role": "user"}]}, r"^\.messages\[0\]\.content is required"),
        ({"messages": [{**TURN, "more": 1}]}, r"^\.messages\[0\]\.more is unknown"),
        ({"modelId": "a b"}, r"^\.modelId must match"),
        ({"inferenceConfig": {"maxTokens": 0}}, "must be from 1"),
        ({"inferenceConfig": {"maxTokens": True}}, "must be of type integer"),
        ({"requestMetadata": {"key": 1}}, r"^\.requestMetadata\.key must be of type string"),
    ],
)
def test_the_error_names_the_member_that_violates_the_model(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        validate_request("bedrock-runtime", "Converse", {**CONVERSE, **changed})


def test_a_request_is_an_object() -> None:
    with pytest.raises(InvalidRequest, match="the request must be of type structure"):
        validate_request("bedrock-runtime", "Converse", [])
