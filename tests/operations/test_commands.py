"""The command line: what it understands, how it ends, and that the whole of it runs on moto."""

import itertools
import signal
from collections.abc import Iterator

import boto3
import pytest

from operations.__main__ import main, stop_cleanly
from operations.gateway import Gateway
from tests.operations.cloud import FUNCTION, PATH, SECRET, Cloud, refusal


@pytest.fixture
def signals() -> Iterator[None]:
    kept = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for one, handler in kept.items():
        signal.signal(one, handler)


def test_by_flag_by_alias_and_out_again_on_moto(moto: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    clock = itertools.count(0.0, 4.0).__next__
    for command in (
        ["flag", "--stack", "dev", PATH, "PARTIAL_RESULTS_ENABLED=false"],
        ["alias", "--stack", "dev", PATH, "--to", "2"],
        ["rollout", "--stack", "dev", PATH, "--to", "3", "--minutes", "0.1", "--every", "6"],
        ["alias", "--stack", "dev", PATH],
    ):
        assert main(command, clock=clock, wait=lambda _: None) == 0
    assert moto.alias(FUNCTION).routing.version == "3"
    variables = moto.configuration(FUNCTION, "3").environment
    assert variables is not None
    assert (variables["PARTIAL_RESULTS_ENABLED"], variables["PRIVATE_TOKEN"]) == ("false", SECRET)
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err


@pytest.mark.parametrize("command", [["alias"], ["flag", "A=b"], ["rollout"]])
def test_an_unknown_function_is_said_with_what_to_check(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert cloud.run(*command, path="transcription/audio-procesor") == 2
    assert capsys.readouterr().err == (
        "there is no function polyphony-dev-transcription-audio-procesor in us-east-1: check --stack, the path "
        "transcription/audio-procesor, the account and the region\n"
    )


def test_a_function_without_the_alias_is_said_so(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.functions[FUNCTION].live = None
    assert cloud.run("alias") == 2
    assert "has no alias live: deploy the stack dev first" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["alias"], ["flag", "A=b"], ["rollout"]])
def test_a_denied_access_names_what_is_missing(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    cloud.before["get_alias"] = [refusal("AccessDeniedException", SECRET, 403)]
    assert cloud.run(*command) == 2
    assert capsys.readouterr().err == (
        f"access denied: these credentials may not lambda:GetAlias on {FUNCTION}; use a role that may\n"
    )


@pytest.mark.parametrize("command", ["alias", "rollout"])
@pytest.mark.parametrize("version", ["$LATEST", "live", "9"])
def test_a_version_that_cannot_be_is_refused(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], command: str, version: str
) -> None:
    assert cloud.run(command, "--to", version) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert "update_alias" not in cloud.calls


def test_a_path_of_another_form_is_refused_before_any_call(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.run("alias", path=FUNCTION) == 2
    assert "give <subsystem>/<function>" in capsys.readouterr().err
    assert cloud.calls == []


@pytest.mark.parametrize("arguments", [[], ["alias", PATH], ["alias", "--stack", "dev"], ["undo"], ["flag", PATH]])
def test_what_is_not_a_command_ends_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_without_a_region_it_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert main(["alias", "--stack", "dev", PATH]) == 2
    assert "NoRegionError" in capsys.readouterr().err


@pytest.mark.parametrize("one", [signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_job_and_a_closed_terminal_take_the_share_back(
    cloud: Cloud, signals: None, one: signal.Signals
) -> None:
    stop_cleanly()
    cloud.somebody_moves_the_alias("1")
    cloud.schedule = [(60.0, lambda: signal.raise_signal(one))]
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == ("1", {})
    assert cloud.said[-1] == "the share was taken back: version 1 has all traffic"
