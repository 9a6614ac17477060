"""Tests of the names that Step Functions gives to parameters and errors, with examples of its guide.

A state machine writes the parameters of every service in PascalCase, whatever their names are in the service's API.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from local.drivers.service_shapes import service_model
from local.emulation.step_functions.parameter_name_conversion import (
    UnknownField,
    error_name,
    service_prefix,
    to_api_parameters,
    to_pascal_case,
    to_state_result,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "pascal_case"),
    [("jobQueue", "JobQueue"), ("JobName", "JobName"), ("DBClusterArn", "DbClusterArn"), ("ETag", "ETag")],
)
def test_member_names_are_converted_to_pascal_case(name: str, pascal_case: str) -> None:
    assert to_pascal_case(name) == pascal_case


@pytest.mark.parametrize(
    ("service", "prefix"), [("transcribe", "Transcribe"), ("dynamodb", "DynamoDb"), ("logs", "CloudWatchLogs")]
)
def test_the_prefix_of_error_names_comes_from_the_service(service: str, prefix: str) -> None:
    assert service_prefix(service_model(service)) == prefix


@pytest.mark.parametrize(
    ("service", "operation", "code", "name"),
    [
        ("transcribe", "StartTranscriptionJob", "ConflictException", "Transcribe.ConflictException"),
        ("transcribe", "StartTranscriptionJob", "AccessDeniedException", "Transcribe.TranscribeException"),
        ("s3", "GetObject", "NoSuchKey", "S3.NoSuchKeyException"),
    ],
    ids=["error of the operation", "error outside the model", "code without the suffix"],
)
def test_an_error_has_the_name_with_which_a_workflow_catches_it(
    service: str, operation: str, code: str, name: str
) -> None:
    assert error_name(service_model(service).operation_model(operation), code) == name


def test_the_arguments_of_a_state_are_converted_to_api_names() -> None:
    shape = service_model("batch").operation_model("SubmitJob").input_shape
    arguments = {
        "JobName": "one",
        "ContainerOverrides": {"Environment": [{"Name": "A", "Value": "1"}]},
        "Parameters": {"Not-A-Member": "2"},
        "Timeout": {"AttemptDurationSeconds": 60},
    }
    assert to_api_parameters(arguments, shape, "Arguments") == {
        "jobName": "one",
        "containerOverrides": {"environment": [{"name": "A", "value": "1"}]},
        "parameters": {"Not-A-Member": "2"},
        "timeout": {"attemptDurationSeconds": 60},
    }


@pytest.mark.parametrize("arguments", [{"jobName": "x"}, {"Nothing": 1}, {"Timeout": {"Seconds": 1}}])
def test_an_unknown_argument_is_an_error(arguments: dict[str, Any]) -> None:
    shape = service_model("batch").operation_model("SubmitJob").input_shape
    with pytest.raises(UnknownField, match="is not supported by Step Functions"):
        to_api_parameters(arguments, shape, "Arguments")


def test_a_map_in_a_response_keeps_its_keys() -> None:
    shape = service_model("batch").operation_model("DescribeJobs").output_shape
    response = {"jobs": [{"jobName": "one", "tags": {"not-a-member": "1"}}]}
    assert to_state_result(response, shape) == {"Jobs": [{"JobName": "one", "Tags": {"not-a-member": "1"}}]}


def test_a_response_is_converted_to_json_for_the_state() -> None:
    shape = service_model("transcribe").operation_model("GetTranscriptionJob").output_shape
    response = {
        "TranscriptionJob": {"CreationTime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "FailureReason": None},
        "ResponseMetadata": {"HTTPStatusCode": 200},
    }
    assert to_state_result(response, shape) == {"TranscriptionJob": {"CreationTime": "2026-01-02T03:04:05.000Z"}}
