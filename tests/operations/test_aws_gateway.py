"""The gateway speaks Lambda and CloudWatch as moto plays them, and as the cloud in memory does; its errors are one line."""

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from operations.aws_gateway import Gateway, Routing
from operations.command_errors import Changed, Invalid, NotFound, Refused, Unclear
from tests.operations.fake_cloud import ENVIRONMENT, FUNCTION, SECRET, Cloud, refusal, unanswered


@pytest.fixture(params=["moto", "memory"])
def gateway(request: pytest.FixtureRequest, cloud: Cloud) -> Gateway:
    """What holds on one holds on the other, so that the commands' tests run on behaviour that is Lambda's."""
    if request.param == "moto":
        found: Gateway = request.getfixturevalue("moto")
        return found
    cloud.alarm_states.clear()
    for name in ("polyphony-dev-transcription-a", "polyphony-dev-ingestion-b"):
        cloud.alarm(name, "OK")
    return Gateway(cloud)


def test_the_alias_and_its_version_are_read(gateway: Gateway) -> None:
    assert gateway.alias(FUNCTION).routing == Routing("2")
    live = gateway.configuration(FUNCTION, "2")
    assert (live.version, live.state, live.update, live.environment) == ("2", "Active", "Successful", ENVIRONMENT)
    assert live.shape == gateway.configuration(FUNCTION).shape
    assert live.shape != gateway.configuration(FUNCTION, "1").shape


def test_versions_are_numbers_newest_first(gateway: Gateway) -> None:
    assert [one.version for one in gateway.versions(FUNCTION)] == ["2", "1"]


def test_the_alias_gets_and_loses_a_share(gateway: Gateway) -> None:
    shared = gateway.point(FUNCTION, Routing("1", {"2": 0.1}), gateway.alias(FUNCTION).revision)
    assert shared.routing == gateway.alias(FUNCTION).routing == Routing("1", {"2": 0.1})
    gateway.point(FUNCTION, Routing("2"), shared.revision)
    assert gateway.alias(FUNCTION).routing == Routing("2")


def test_a_new_environment_is_published_and_old_versions_keep_theirs(moto: Gateway) -> None:
    changed = {**ENVIRONMENT, "LOG_LEVEL": "DEBUG"}
    moto.set_environment(FUNCTION, changed, "")
    latest = moto.configuration(FUNCTION)
    assert latest.environment == changed
    assert moto.publish(FUNCTION, latest, "why") == "3"
    assert moto.publish(FUNCTION, latest, "why") == "3"
    assert moto.configuration(FUNCTION, "3").environment == changed
    assert moto.configuration(FUNCTION, "3").description == "why"
    assert moto.configuration(FUNCTION, "2").environment == ENVIRONMENT


def test_only_the_code_that_was_read_is_published(cloud: Cloud) -> None:
    gateway = Gateway(cloud)
    seen = gateway.configuration(FUNCTION)
    cloud.functions[FUNCTION].latest["CodeSha256"] = "code-3"
    with pytest.raises(Invalid):
        gateway.publish(FUNCTION, seen, "why")


def test_a_share_is_read_as_it_was_given_however_the_service_counts(cloud: Cloud) -> None:
    cloud.somebody_moves_the_alias("1", **{"2": 0.10000000149011612})
    assert Gateway(cloud).alias(FUNCTION).routing == Routing("1", {"2": 0.1})


def test_alarms_are_found_by_how_their_names_begin(gateway: Gateway) -> None:
    (alarm,) = gateway.alarms("polyphony-dev-transcription-")
    assert (alarm.name, alarm.state) == ("polyphony-dev-transcription-a", "OK")


def test_what_is_not_there_is_not_found(gateway: Gateway) -> None:
    for call in (gateway.alias, gateway.configuration):
        with pytest.raises(NotFound):
            call("polyphony-dev-transcription-none")
    with pytest.raises(NotFound):
        gateway.configuration(FUNCTION, "9")


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (refusal("AccessDeniedException", status=403), Refused, "may not lambda:GetAlias on"),
        (refusal("ExpiredTokenException", status=403), Refused, "log in"),
        (refusal("KMSAccessDeniedException", status=502), Refused, "its key is disabled or not for"),
        (refusal("PreconditionFailedException", status=412), Changed, "nothing was overwritten"),
        (refusal("ResourceConflictException", status=409), Refused, "another update is under way"),
        (refusal("InvalidParameterValueException"), Invalid, "does not accept"),
        (refusal("TooManyRequestsException", status=429), Refused, "nothing was changed by this call"),
        (refusal("ServiceException", status=500), Unclear, "run it again"),
        (unanswered(), Unclear, "no answer (ReadTimeoutError)"),
        (NoCredentialsError(), Unclear, "check credentials"),
    ],
)
def test_every_error_is_one_line_of_ours(cloud: Cloud, error: BaseException, kind: type[Refused], says: str) -> None:
    """None repeats what the service said: its text may hold an environment."""
    if isinstance(error, ClientError):
        error.response["Error"]["Message"] = f"String measured: {SECRET}"
    cloud.before["get_alias"] = [error]
    with pytest.raises(kind) as caught:
        Gateway(cloud).alias(FUNCTION)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_record_does_not_show_its_environment(cloud: Cloud) -> None:
    assert SECRET not in repr(Gateway(cloud).configuration(FUNCTION))


def test_an_environment_that_could_not_be_decrypted_is_none_and_not_empty(cloud: Cloud) -> None:
    cloud.functions[FUNCTION].latest["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException"}}
    assert Gateway(cloud).configuration(FUNCTION).environment is None
    del cloud.functions[FUNCTION].latest["Environment"]
    assert Gateway(cloud).configuration(FUNCTION).environment == {}
