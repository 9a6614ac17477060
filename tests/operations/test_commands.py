"""Tests of the operator's command line: arguments, exit status and errors."""

from collections.abc import Callable

import pytest

from operations.__main__ import main
from tests.operations.conftest import PATH, SECRET, client_error


class FailingClient:
    """AWS client whose calls all fail."""

    def __getattr__(self, _operation: str) -> Callable[..., None]:
        def fail(*_: object, **__: object) -> None:
            raise client_error("ExpiredToken")

        return fail


@pytest.mark.parametrize(
    "arguments",
    [["flag", PATH], ["alias", PATH], ["rollout", PATH], ["redrive", "0" * 26], ["announce"]],
)
def test_no_command_repeats_an_error_message_of_aws(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main([arguments[0], "--stack", "dev", *arguments[1:]], clients=lambda _: FailingClient()) == 2
    error = capsys.readouterr().err
    assert "(ExpiredToken): the credentials are expired or invalid. Log in and run the command again." in error
    assert error.count("\n") == 1
    assert SECRET not in error


@pytest.mark.parametrize(
    "arguments", [[], ["alias", PATH], ["alias", "--stack", "dev"], ["undo"], ["rollout", "--stack", "dev"]]
)
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
