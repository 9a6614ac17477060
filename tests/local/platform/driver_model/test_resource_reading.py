"""Tests of reading a resource's inputs with one to three calls of a fake service."""

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
            paths_in_result={"layers": lambda result: [layer["Arn"] for layer in result.get("Layers", ())]},
            fingerprints={"code": ("hash", "CodeSha256")},
        ),
        ReadCall(
            "GetFunctionConcurrency",
            {"FunctionName": "name"},
            paths_in_result={"concurrency": "ReservedConcurrentExecutions"},
            unset_by_default=("concurrency",),
        ),
        ReadCall("ListTags", {"Resource": "arn"}, paths_in_result={"tags": "Tags"}),
    ),
    not_read={"publish": "for tests"},
)
ALARM = Driver(
    type="test:index/alarm:Alarm",
    service="cloudwatch",
    create=(DriverCall("PutMetricAlarm", {"AlarmName": "name", "Threshold": "limit"}),),
    id="name",
    read=(ReadCall("DescribeAlarms", {"AlarmNames": "name"}, "MetricAlarms", item=("AlarmName", "name")),),
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
    """Client that answers each operation with a response, or with an error of the given code."""

    def __init__(self, responses: Mapping[str, Props | str]) -> None:
        self._responses = responses
        self.parameters: dict[str, Props] = {}

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


def read(driver: Driver = DRIVER, inputs: Props = INPUTS, **responses: Props | str) -> Props | None:
    given: dict[str, Props | str] = {
        "get_function_configuration": CONFIGURATION,
        "get_function_concurrency": {"ResponseMetadata": {}},
        "list_tags": {"Tags": {"a": "1"}},
        **responses,
    }
    return read_inputs(driver, FakeService(given), ResourceValues(inputs, "f", {"arn": "arn", "hash": "one"}))


def changed(**properties: Any) -> Props:
    return {name: value for name, value in {**INPUTS, **properties}.items() if value is not None}


def test_an_unchanged_resource_has_the_inputs_of_the_program() -> None:
    assert read() == INPUTS


def test_the_reading_calls_find_the_resource_by_its_properties() -> None:
    service = FakeService({"get_function_configuration": "ResourceNotFoundException"})
    assert read_inputs(DRIVER, service, ResourceValues(INPUTS, "f")) is None
    assert service.parameters == {"get_function_configuration": {"FunctionName": "f"}}


@pytest.mark.parametrize(
    ("responses", "expected"),
    [
        ({"get_function_configuration": {**CONFIGURATION, "MemorySize": 256}}, changed(memory=256)),
        (
            {"get_function_configuration": {**CONFIGURATION, "Environment": {"Variables": {"KEY": "new"}}}},
            changed(environment={"variables": {"KEY": Secret("new")}}),
        ),
        ({"get_function_configuration": {**CONFIGURATION, "Layers": []}}, changed(layers=None)),
        (
            {"get_function_configuration": {**CONFIGURATION, "CodeSha256": "two"}},
            changed(code=Archive(hash="two")),
        ),
        ({"get_function_concurrency": {"ReservedConcurrentExecutions": 0}}, changed(concurrency=0)),
        ({"list_tags": {"Tags": {"a": "2"}}}, changed(tags={"a": "2"})),
        ({"list_tags": "NoSuchTagSet"}, changed(tags=None)),
    ],
    ids=[
        "number",
        "secret",
        "removed",
        "content",
        "not set by the program",
        "second call",
        "second call finds nothing",
    ],
)
def test_a_change_is_seen_in_exactly_its_property(responses: dict[str, Any], expected: Props) -> None:
    assert read(**responses) == expected


def test_a_property_that_the_program_does_not_give_is_a_default_unless_the_driver_says_otherwise() -> None:
    inputs = {"name": "f"}
    assert read(inputs=inputs) == inputs
    assert read(inputs=inputs, get_function_concurrency={"ReservedConcurrentExecutions": 5}) == {
        "name": "f",
        "concurrency": 5,
    }


@pytest.mark.parametrize("response", ["ResourceNotFoundException", {"ResponseMetadata": {}}])
def test_a_resource_that_the_first_call_does_not_find_is_gone(response: Props | str) -> None:
    assert read(get_function_configuration=response) is None


def test_an_item_of_a_list_is_found_by_its_name() -> None:
    def read_alarm(*alarms: Props) -> Props | None:
        return read(ALARM, {"name": "a", "limit": 1}, describe_alarms={"MetricAlarms": list(alarms)})

    assert read_alarm({"AlarmName": "ab", "Threshold": 5.0}, {"AlarmName": "a", "Threshold": 1.0}) == {
        "name": "a",
        "limit": 1,
    }
    assert read_alarm({"AlarmName": "a", "Threshold": 5.0}) == {"name": "a", "limit": 5}
    assert read_alarm({"AlarmName": "ab", "Threshold": 5.0}) is None


def test_another_error_is_raised() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        read(get_function_configuration="AccessDeniedException")
    with pytest.raises(ClientError, match="Throttling"):
        read(list_tags="ThrottlingException")


def test_content_without_a_known_hash_is_not_compared() -> None:
    service = FakeService(
        {
            "get_function_configuration": {**CONFIGURATION, "CodeSha256": "two"},
            "get_function_concurrency": {},
            "list_tags": {"Tags": {"a": "1"}},
        }
    )
    assert read_inputs(DRIVER, service, ResourceValues(INPUTS, "f", {"arn": "arn"})) == INPUTS


def test_a_type_without_reading_calls_keeps_its_inputs() -> None:
    service = FakeService({})
    without = Driver(type="t", service="lambda", create=DRIVER.create, id="name")
    recorded = RecordedOnly(type="t", service="lambda", reason="for tests", create=DRIVER.create)
    assert read_inputs(without, service, ResourceValues(INPUTS, "f")) == INPUTS
    assert read_inputs(recorded, service, ResourceValues(INPUTS, "f")) == INPUTS
    assert service.parameters == {}
