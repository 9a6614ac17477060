"""Tests of the names that Step Functions gives to parameters and errors.

A state machine writes the parameters of every service in PascalCase, whatever their names are in the service's API.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from local.drivers.service_shapes import service_model
from local.emulation.step_functions.parameter_name_conversion import (
    UnknownField,
    error_name,
    to_api_parameters,
    to_state_result,
)

pytestmark = pytest.mark.unit


def test_an_error_has_the_name_with_which_a_workflow_catches_it() -> None:
    operation = service_model("transcribe").operation_model("StartTranscriptionJob")
    assert error_name(operation, "ConflictException") == "Transcribe.ConflictException"
    assert error_name(operation, "AccessDeniedException") == "Transcribe.TranscribeException", "it is not in the model"


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


def test_a_response_is_converted_to_json_for_the_state() -> None:
    """A map keeps its keys."""
    shape = service_model("batch").operation_model("DescribeJobs").output_shape
    response: Any = {
        "jobs": [{"jobName": "one", "tags": {"not-a-member": "1"}, "statusReason": None}],
        "ResponseMetadata": {},
    }
    assert to_state_result(response, shape) == {"Jobs": [{"JobName": "one", "Tags": {"not-a-member": "1"}}]}
    shape = service_model("transcribe").operation_model("GetTranscriptionJob").output_shape
    response = {"TranscriptionJob": {"CreationTime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}}
    assert to_state_result(response, shape) == {"TranscriptionJob": {"CreationTime": "2026-01-02T03:04:05.000Z"}}
