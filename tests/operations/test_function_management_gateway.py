"""Tests of the gateway through which the operator's commands call Lambda, with moto and with the fake in memory."""

import pytest

from operations.command_errors import InvalidInput
from operations.function_management_gateway import AliasRouting, FunctionGateway
from tests.operations.fake_lambda_cloud import ENVIRONMENT, FUNCTION, SECRET, FakeLambdaCloud


def test_a_version_is_read_with_its_frozen_settings(moto: FunctionGateway) -> None:
    live = moto.get_configuration(FUNCTION, "2")
    assert (live.state, live.update_status, live.environment) == ("Active", "Successful", ENVIRONMENT)
    assert live.frozen_settings == moto.get_configuration(FUNCTION).frozen_settings
    assert live.frozen_settings != moto.get_configuration(FUNCTION, "1").frozen_settings


def test_publishing_fails_if_the_code_has_changed(cloud: FakeLambdaCloud) -> None:
    gateway = FunctionGateway(cloud)
    configuration = gateway.get_configuration(FUNCTION)
    cloud.functions[FUNCTION].latest["CodeSha256"] = "code-3"
    with pytest.raises(InvalidInput):
        gateway.publish(FUNCTION, configuration, "description")


def test_a_share_is_rounded_to_the_value_that_was_set(cloud: FakeLambdaCloud) -> None:
    cloud.move_alias("1", **{"2": 0.10000000149011612})
    assert FunctionGateway(cloud).get_alias(FUNCTION).routing == AliasRouting("1", {"2": 0.1})


def test_a_configuration_does_not_show_its_environment(cloud: FakeLambdaCloud) -> None:
    assert SECRET not in repr(FunctionGateway(cloud).get_configuration(FUNCTION))


def test_an_environment_that_cannot_be_decrypted_is_read_as_none(cloud: FakeLambdaCloud) -> None:
    cloud.functions[FUNCTION].latest["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException"}}
    assert FunctionGateway(cloud).get_configuration(FUNCTION).environment is None
    del cloud.functions[FUNCTION].latest["Environment"]
    assert FunctionGateway(cloud).get_configuration(FUNCTION).environment == {}
