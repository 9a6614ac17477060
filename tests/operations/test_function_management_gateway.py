"""Tests of the gateway with moto and with the in-memory cloud."""

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
    result = gateway.get_configuration(FUNCTION)
    cloud.functions[FUNCTION].latest["CodeSha256"] = "code-3"
    with pytest.raises(InvalidInput):
        gateway.publish(FUNCTION, result, "why")


def test_a_share_is_rounded_to_the_given_value(cloud: FakeLambdaCloud) -> None:
    cloud.move_alias_concurrently("1", **{"2": 0.10000000149011612})
    assert FunctionGateway(cloud).get_alias(FUNCTION).routing == AliasRouting("1", {"2": 0.1})


def test_a_record_does_not_show_its_environment(cloud: FakeLambdaCloud) -> None:
    assert SECRET not in repr(FunctionGateway(cloud).get_configuration(FUNCTION))


def test_an_undecryptable_environment_is_none(cloud: FakeLambdaCloud) -> None:
    cloud.functions[FUNCTION].latest["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException"}}
    assert FunctionGateway(cloud).get_configuration(FUNCTION).environment is None
    del cloud.functions[FUNCTION].latest["Environment"]
    assert FunctionGateway(cloud).get_configuration(FUNCTION).environment == {}
