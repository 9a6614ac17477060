"""Tests of the operator's command line: arguments, exit status and errors, and the main commands on moto."""

import itertools
import signal
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from operations.__main__ import main, stop_cleanly
from operations.function_management_gateway import FunctionGateway
from tests.operations.fake_lambda_cloud import FUNCTION, PATH, SECRET, FakeLambdaCloud, RunRefused


@pytest.fixture
def _restored_signal_handlers() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_flag_an_alias_and_a_rollout_work_on_moto(moto: FunctionGateway, capsys: pytest.CaptureFixture[str]) -> None:
    clock = itertools.count(0.0, 4.0).__next__  # each time is four seconds later, so that waits end without a pause
    for command in (
        ["flag", "--stack", "dev", PATH, "PARTIAL_RESULTS_ENABLED=false"],
        ["alias", "--stack", "dev", PATH, "--to", "2"],
        ["rollout", "--stack", "dev", PATH, "--to", "3", "--minutes", "0.1", "--every", "6"],
        ["alias", "--stack", "dev", PATH],
    ):
        assert main(command, clock=clock, wait=lambda _: None) == 0
    assert moto.get_alias(FUNCTION).routing.version == "3"
    variables = moto.get_configuration(FUNCTION, "3").environment
    assert variables is not None
    assert (variables["PARTIAL_RESULTS_ENABLED"], variables["PRIVATE_TOKEN"]) == ("false", SECRET)
    output = capsys.readouterr()
    assert SECRET not in output.out + output.err


@pytest.mark.parametrize("command", [["alias"], ["flag", "A=b"], ["rollout"]])
def test_the_error_for_an_unknown_function_names_what_to_check(run_refused: RunRefused, command: list[str]) -> None:
    assert run_refused(*command, path="transcription/audio-procesor") == (
        "The function polyphony-dev-transcription-audio-procesor does not exist in us-east-1. Check --stack, the path "
        "transcription/audio-procesor, the account and the Region.\n"
    )


class FailingClients:
    """AWS clients whose calls all fail."""

    meta = SimpleNamespace(region_name="us-east-1")

    def __call__(self, _service: str) -> "FailingClients":
        return self

    def __getattr__(self, _operation: str) -> Callable[..., None]:
        def fail(*_: object, **__: object) -> None:
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": SECRET}}, "AnOperation")

        return fail


@pytest.mark.parametrize(
    "arguments",
    [
        ["flag", PATH, "A=b"],
        ["alias", PATH],
        ["rollout", PATH],
        ["redrive", "0" * 26],
        ["announce"],
        ["backfill", "tags"],
    ],
)
def test_no_command_repeats_an_error_message_of_aws(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main([arguments[0], "--stack", "dev", *arguments[1:]], clients=FailingClients()) == 2
    error = capsys.readouterr().err
    assert "the credentials are expired or invalid (ExpiredToken). Log in and run the command again." in error
    assert error.count("\n") == 1
    assert SECRET not in error


def test_the_error_for_a_function_without_the_alias_names_the_stack_to_deploy(
    cloud: FakeLambdaCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.functions[FUNCTION].live = None
    assert cloud.run("alias") == 2
    assert "has no alias live. Deploy the stack dev first" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["alias", PATH], ["alias", "--stack", "dev"], ["undo"], ["flag", PATH]])
def test_an_unknown_or_incomplete_command_exits_with_status_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 2


def test_the_error_for_a_missing_region_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    assert main(["alias", "--stack", "dev", PATH]) == 2
    assert "NoRegionError" in capsys.readouterr().err


@pytest.mark.usefixtures("_restored_signal_handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_rollout_returns_all_traffic_to_the_old_version(
    cloud: FakeLambdaCloud, number: signal.Signals
) -> None:
    stop_cleanly()
    cloud.move_alias("1")
    cloud.schedule = [(60.0, lambda: signal.raise_signal(number))]
    assert cloud.run("rollout") == 2
    assert cloud.routing() == ("1", {})
    assert cloud.printed[-1] == "the share was returned: version 1 has all traffic"
