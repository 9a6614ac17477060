"""The gateway speaks Lambda and CloudWatch as moto plays them, and as the cloud in memory does; its errors are one line."""

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from operations.aws_gateway import AliasRouting, FunctionGateway
from operations.command_errors import CommandRefused, ConcurrentChange, InvalidInput, ResourceNotFound, UnknownOutcome
from tests.operations.fake_cloud import ENVIRONMENT, FUNCTION, SECRET, Cloud, refusal, unanswered


@pytest.fixture(params=["moto", "memory"])
def gateway(request: pytest.FixtureRequest, cloud: Cloud) -> FunctionGateway:
    """What holds on one holds on the other, so that the commands' tests run on behaviour that is Lambda's."""
    if request.param == "moto":
        found: FunctionGateway = request.getfixturevalue("moto")
        return found
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


def test_versions_are_numbers_newest_first(gateway: FunctionGateway) -> None:
    assert [one.version for one in gateway.list_versions(FUNCTION)] == ["2", "1"]


def test_the_alias_gets_and_loses_a_share(gateway: FunctionGateway) -> None:
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


def test_only_the_code_that_was_read_is_published(cloud: Cloud) -> None:
    gateway = FunctionGateway(cloud)
    seen = gateway.get_configuration(FUNCTION)
    cloud.functions[FUNCTION].latest["CodeSha256"] = "code-3"
    with pytest.raises(InvalidInput):
        gateway.publish(FUNCTION, seen, "why")


def test_a_share_is_read_as_it_was_given_however_the_service_counts(cloud: Cloud) -> None:
    cloud.somebody_moves_the_alias("1", **{"2": 0.10000000149011612})
    assert FunctionGateway(cloud).get_alias(FUNCTION).routing == AliasRouting("1", {"2": 0.1})


def test_alarms_are_found_by_how_their_names_begin(gateway: FunctionGateway) -> None:
    (alarm,) = gateway.list_alarms("polyphony-dev-transcription-")
    assert (alarm.name, alarm.state) == ("polyphony-dev-transcription-a", "OK")


def test_what_is_not_there_is_not_found(gateway: FunctionGateway) -> None:
    for call in (gateway.get_alias, gateway.get_configuration):
        with pytest.raises(ResourceNotFound):
            call("polyphony-dev-transcription-none")
    with pytest.raises(ResourceNotFound):
        gateway.get_configuration(FUNCTION, "9")


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (refusal("AccessDeniedException", status=403), CommandRefused, "do not allow lambda:GetAlias on"),
        (refusal("ExpiredTokenException", status=403), CommandRefused, "Log in"),
        (refusal("KMSAccessDeniedException", status=502), CommandRefused, "the KMS key is disabled"),
        (refusal("PreconditionFailedException", status=412), ConcurrentChange, "Nothing was overwritten"),
        (refusal("ResourceConflictException", status=409), CommandRefused, "another update is in progress"),
        (refusal("InvalidParameterValueException"), InvalidInput, "does not accept"),
        (refusal("TooManyRequestsException", status=429), CommandRefused, "This call changed nothing"),
        (refusal("ServiceException", status=500), UnknownOutcome, "Run the command again"),
        (unanswered(), UnknownOutcome, "no answer (ReadTimeoutError)"),
        (NoCredentialsError(), UnknownOutcome, "Check credentials"),
    ],
)
def test_every_error_is_one_line_of_ours(
    cloud: Cloud, error: BaseException, kind: type[CommandRefused], says: str
) -> None:
    """None repeats what the service said: its text may hold an environment."""
    if isinstance(error, ClientError):
        error.response["Error"]["Message"] = f"String measured: {SECRET}"
    cloud.before["get_alias"] = [error]
    with pytest.raises(kind) as caught:
        FunctionGateway(cloud).get_alias(FUNCTION)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_record_does_not_show_its_environment(cloud: Cloud) -> None:
    assert SECRET not in repr(FunctionGateway(cloud).get_configuration(FUNCTION))


def test_an_environment_that_could_not_be_decrypted_is_none_and_not_empty(cloud: Cloud) -> None:
    cloud.functions[FUNCTION].latest["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException"}}
    assert FunctionGateway(cloud).get_configuration(FUNCTION).environment is None
    del cloud.functions[FUNCTION].latest["Environment"]
    assert FunctionGateway(cloud).get_configuration(FUNCTION).environment == {}
