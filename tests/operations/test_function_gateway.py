"""Tests of the gateway against moto and against the in-memory cloud."""

import pytest

from operations.command_errors import InvalidInput, ResourceNotFound
from operations.function_gateway import AliasRouting, FunctionGateway
from tests.operations.fake_lambda_cloud import (
    ENVIRONMENT,
    FUNCTION,
    SECRET,
    FakeLambdaCloud,
)


@pytest.fixture(params=["moto", "memory"])
def gateway(request: pytest.FixtureRequest, cloud: FakeLambdaCloud) -> FunctionGateway:
    """Return a gateway to moto and, in a second run, to the in-memory cloud. Both must behave like Lambda."""
    if request.param == "moto":
        result: FunctionGateway = request.getfixturevalue("moto")
        return result
    cloud.alarm_states.clear()
    for name in ("polyphony-dev-transcription-a", "polyphony-dev-ingestion-b"):
        cloud.alarm(name, "OK")
    return FunctionGateway(cloud)


def test_the_alias_and_its_version_are_read(gateway: FunctionGateway) -> None:
    assert gateway.get_alias(FUNCTION).routing == AliasRouting("2")
    live = gateway.get_configuration(FUNCTION, "2")
    assert (live.version, live.state, live.update_status, live.environment) == (
        "2",
        "Active",
        "Successful",
        ENVIRONMENT,
    )
    assert live.frozen_settings == gateway.get_configuration(FUNCTION).frozen_settings
    assert live.frozen_settings != gateway.get_configuration(FUNCTION, "1").frozen_settings


def test_versions_are_listed_newest_first_without_latest(gateway: FunctionGateway) -> None:
    assert [version.version for version in gateway.list_versions(FUNCTION)] == ["2", "1"]


def test_the_alias_can_get_and_lose_a_share(gateway: FunctionGateway) -> None:
    shared = gateway.update_alias(FUNCTION, AliasRouting("1", {"2": 0.1}), gateway.get_alias(FUNCTION).revision)
    assert shared.routing == gateway.get_alias(FUNCTION).routing == AliasRouting("1", {"2": 0.1})
    gateway.update_alias(FUNCTION, AliasRouting("2"), shared.revision)
    assert gateway.get_alias(FUNCTION).routing == AliasRouting("2")


def test_a_new_environment_is_published_and_old_versions_keep_theirs(moto: FunctionGateway) -> None:
    changed = {**ENVIRONMENT, "LOG_LEVEL": "DEBUG"}
    moto.set_environment(FUNCTION, changed, "")
    latest = moto.get_configuration(FUNCTION)
    assert latest.environment == changed
    assert moto.publish(FUNCTION, latest, "why") == "3"
    assert moto.publish(FUNCTION, latest, "why") == "3"
    assert moto.get_configuration(FUNCTION, "3").environment == changed
    assert moto.get_configuration(FUNCTION, "3").description == "why"
    assert moto.get_configuration(FUNCTION, "2").environment == ENVIRONMENT


def test_publishing_fails_if_the_code_has_changed(cloud: FakeLambdaCloud) -> None:
    gateway = FunctionGateway(cloud)
    result = gateway.get_configuration(FUNCTION)
    cloud.functions[FUNCTION].latest["CodeSha256"] = "code-3"
    with pytest.raises(InvalidInput):
        gateway.publish(FUNCTION, result, "why")


def test_a_share_is_rounded_to_the_given_value(cloud: FakeLambdaCloud) -> None:
    cloud.move_alias_concurrently("1", **{"2": 0.10000000149011612})
    assert FunctionGateway(cloud).get_alias(FUNCTION).routing == AliasRouting("1", {"2": 0.1})


def test_alarms_are_listed_by_name_prefix(gateway: FunctionGateway) -> None:
    (alarm,) = gateway.list_alarms("polyphony-dev-transcription-")
    assert (alarm.name, alarm.state) == ("polyphony-dev-transcription-a", "OK")


def test_a_missing_function_or_version_raises_resource_not_found(gateway: FunctionGateway) -> None:
    for call in (gateway.get_alias, gateway.get_configuration):
        with pytest.raises(ResourceNotFound):
            call("polyphony-dev-transcription-none")
    with pytest.raises(ResourceNotFound):
        gateway.get_configuration(FUNCTION, "9")


def test_a_record_does_not_show_its_environment(cloud: FakeLambdaCloud) -> None:
    assert SECRET not in repr(FunctionGateway(cloud).get_configuration(FUNCTION))


def test_an_undecryptable_environment_is_none(cloud: FakeLambdaCloud) -> None:
    cloud.functions[FUNCTION].latest["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException"}}
    assert FunctionGateway(cloud).get_configuration(FUNCTION).environment is None
    del cloud.functions[FUNCTION].latest["Environment"]
    assert FunctionGateway(cloud).get_configuration(FUNCTION).environment == {}
