"""Tests of reading the current inputs of a resource from a service, to find changes that were made by hand.

A driver has calls that create a resource, and reading calls that return its current properties.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.platform.driver_model.driver import Driver, DriverCall, ReadCall, RecordedOnly, ResourceValues, constant
from local.platform.driver_model.resource_reading import read_inputs
from local.preview.property_value_conversion import Archive, Props, Secret

pytestmark = pytest.mark.unit

DRIVER = Driver(
    type="test:index/function:Function",
    service="lambda",
    create=(
        DriverCall(
            "CreateFunction",
            {
                "FunctionName": "name",
                "Role": "role",
                "MemorySize": "memory",
                "Environment": "environment",
                "Publish": "publish",
                "Code.ZipFile": "code",
                "Tags": "tags",
                "Layers": "layers",
            },
        ),
        DriverCall("PutFunctionConcurrency", {"FunctionName": "name", "ReservedConcurrentExecutions": "concurrency"}),
    ),
    id="name",
    outputs={"arn": constant("arn"), "hash": constant("one")},
    read=(
        ReadCall(
            "GetFunctionConfiguration",
            {"FunctionName": "name"},
            values_in_result={"layers": lambda result: [layer["Arn"] for layer in result.get("Layers", ())]},
            compared_by_hash={"code": ("hash", "CodeSha256")},
        ),
        ReadCall(
            "GetFunctionConcurrency",
            {"FunctionName": "name"},
            values_in_result={"concurrency": "ReservedConcurrentExecutions"},
            returned_only_if_set=("concurrency",),
        ),
        ReadCall("ListTags", {"Resource": "arn"}, values_in_result={"tags": "Tags"}),
    ),
    not_read={"publish": "for tests"},
)
"""Driver of a function. The first reading call returns most inputs. The code is compared by its hash."""
ALARM = Driver(
    type="test:index/alarm:Alarm",
    service="cloudwatch",
    create=(DriverCall("PutMetricAlarm", {"AlarmName": "name", "Threshold": "limit"}),),
    id="name",
    read=(ReadCall("DescribeAlarms", {"AlarmNames": "name"}, "MetricAlarms", matching_item=("AlarmName", "name")),),
)
INPUTS: Props = {
    "name": "f",
    "role": "arn:role",
    "memory": 128,
    "environment": {"variables": {"KEY": Secret("canary")}},
    "publish": True,
    "code": Archive("job.py"),
    "tags": {"a": "1"},
    "layers": ["layer"],
}
CONFIGURATION: Props = {
    "FunctionName": "f",
    "Role": "arn:role",
    "MemorySize": 128,
    "Environment": {"Variables": {"KEY": "canary"}},
    "CodeSha256": "one",
    "Layers": [{"Arn": "layer", "CodeSize": 1}],
    "ResponseMetadata": {},
}


class FakeService:
    """Fake client with one response for each method. If the response is a string, it is the code of a raised error."""

    def __init__(self, responses: Mapping[str, Props | str]) -> None:
        self._responses = responses
        self.parameters: dict[str, Props] = {}
        """Parameters of the last call of each method."""

    def __call__(self, _service: str) -> "FakeService":
        return self

    def __getattr__(self, method: str) -> Any:
        def call(**parameters: Any) -> Props:
            self.parameters[method] = parameters
            response = self._responses[method]
            if isinstance(response, str):
                raise ClientError({"Error": {"Code": response, "Message": ""}}, method)
            return response

        return call


RESPONSES: Mapping[str, Props | str] = {
    "get_function_configuration": CONFIGURATION,
    "get_function_concurrency": {"ResponseMetadata": {}},
    "list_tags": {"Tags": {"a": "1"}},
}
"""Responses about an unchanged resource."""


def read(driver: Driver = DRIVER, inputs: Props = INPUTS, **changed_responses: Props | str) -> Props | None:
    """Read a resource that has these inputs, and whose service returns `RESPONSES` except for some operations."""
    values = ResourceValues(inputs, id="f", outputs={"arn": "arn", "hash": "one"})
    return read_inputs(driver, FakeService({**RESPONSES, **changed_responses}), values)


def inputs_with(**changes: Any) -> Props:
    """Return `INPUTS` with some changed values. None removes an input."""
    return {name: value for name, value in {**INPUTS, **changes}.items() if value is not None}


def test_the_inputs_of_an_unchanged_resource_are_those_of_the_program() -> None:
    assert read() == INPUTS


def test_a_reading_call_gets_its_parameters_from_the_inputs() -> None:
    service = FakeService({"get_function_configuration": "ResourceNotFoundException"})
    assert read_inputs(DRIVER, service, ResourceValues(INPUTS, id="f")) is None
    assert service.parameters == {"get_function_configuration": {"FunctionName": "f"}}


def configuration(**changes: Any) -> dict[str, Props]:
    """Return the response to the first call, with changes."""
    return {"get_function_configuration": {**CONFIGURATION, **changes}}


NEW_SECRET = {"Variables": {"KEY": "new"}}


@pytest.mark.parametrize(
    ("changed_responses", "expected"),
    [
        (configuration(MemorySize=256), inputs_with(memory=256)),
        (configuration(Environment=NEW_SECRET), inputs_with(environment={"variables": {"KEY": Secret("new")}})),
        (configuration(Layers=[]), inputs_with(layers=None)),
        (configuration(CodeSha256="two"), inputs_with(code=Archive(hash="two"))),
        ({"get_function_concurrency": {"ReservedConcurrentExecutions": 0}}, inputs_with(concurrency=0)),
        ({"list_tags": {"Tags": {"a": "2"}}}, inputs_with(tags={"a": "2"})),
        ({"list_tags": "NoSuchTagSet"}, inputs_with(tags=None)),
    ],
    ids=["number", "secret", "removed", "content", "not in the program", "later call", "later call finds nothing"],
)
def test_a_change_by_hand_changes_only_its_input(changed_responses: dict[str, Any], expected: Props) -> None:
    assert read(**changed_responses) == expected


def test_an_input_that_the_program_does_not_set_is_reported_only_if_it_was_set_by_hand() -> None:
    """The service returns defaults for most inputs, for example the memory, but the concurrency only if it was set."""
    inputs = {"name": "f"}
    assert read(inputs=inputs) == inputs
    result = read(inputs=inputs, get_function_concurrency={"ReservedConcurrentExecutions": 5})
    assert result == {"name": "f", "concurrency": 5}


@pytest.mark.parametrize("response", ["ResourceNotFoundException", {"ResponseMetadata": {}}])
def test_a_resource_that_the_first_call_does_not_find_was_deleted(response: Props | str) -> None:
    assert read(get_function_configuration=response) is None


def test_an_item_of_a_list_is_found_by_its_name() -> None:
    def read_alarm(*alarms: Props) -> Props | None:
        return read(ALARM, {"name": "a", "limit": 1}, describe_alarms={"MetricAlarms": list(alarms)})

    alarms = {"AlarmName": "ab", "Threshold": 5.0}, {"AlarmName": "a", "Threshold": 1.0}
    assert read_alarm(*alarms) == {"name": "a", "limit": 1}
    assert read_alarm({"AlarmName": "a", "Threshold": 5.0}) == {"name": "a", "limit": 5}
    assert read_alarm({"AlarmName": "ab", "Threshold": 5.0}) is None


def test_an_error_other_than_not_found_is_raised() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        read(get_function_configuration="AccessDeniedException")
    with pytest.raises(ClientError, match="Throttling"):
        read(list_tags="ThrottlingException")


def test_content_is_not_compared_if_the_state_has_no_hash_of_it() -> None:
    service = FakeService({**RESPONSES, **configuration(CodeSha256="two")})
    assert read_inputs(DRIVER, service, ResourceValues(INPUTS, id="f", outputs={"arn": "arn"})) == INPUTS


def test_a_type_without_reading_calls_keeps_its_inputs() -> None:
    """A recorded-only type exists only in the state, because the emulator lacks it. Its calls are never made."""
    service = FakeService({})
    created = Driver(type="t", service="lambda", create=DRIVER.create, id="name")
    recorded_only = RecordedOnly(type="t", service="lambda", reason="for tests", create=DRIVER.create)
    for driver in (created, recorded_only):
        assert read_inputs(driver, service, ResourceValues(INPUTS, id="f")) == INPUTS
    assert service.parameters == {}
