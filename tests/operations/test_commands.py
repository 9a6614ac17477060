"""Tests of the operator's command line: arguments, exit status and errors."""

from unittest.mock import Mock

import pytest

from operations.__main__ import main
from tests.operations.conftest import PATH, SECRET, client_error


@pytest.mark.parametrize(
    "arguments", [["flag", PATH, "A=b"], ["alias", PATH], ["rollout", PATH], ["redrive", "0" * 26], ["announce"]]
)
def test_no_command_repeats_an_error_message_of_aws(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    fail = Mock(side_effect=client_error("ExpiredToken"))
    client = Mock(get_alias=fail, get_caller_identity=fail, get_provisioned_concurrency_config=fail)
    assert main([arguments[0], "--stack", "dev", *arguments[1:]], clients=lambda _: client) == 2
    error = capsys.readouterr().err
    assert error.startswith("AnOperation on ")
    assert error.endswith("(ExpiredToken): the credentials are expired or invalid. Log in and run the command again.\n")
    assert error.count("\n") == 1
    assert SECRET not in error


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("alias --stack dev", "the following arguments are required: function"),
        ("rollout --stack dev", "one of the arguments function --all is required"),
        *(
            (f"rollout --stack dev {PATH} --{option} {value}", f"argument --{option}: {value}: give a number from")
            for option, values in {"share": "0 100 ten", "minutes": "0 nan 1441"}.items()
            for value in values.split()
        ),
        ("announce --stack dev --since yesterday", "argument --since: yesterday: give a date, or a date and a time"),
    ],
)
def test_arguments_that_are_missing_or_out_of_range_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: str, expected: str
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments.split())
    assert exited.value.code == 2
    assert expected in capsys.readouterr().err


def test_the_error_for_a_missing_region_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    assert main(["alias", "--stack", "dev", PATH]) == 2
    assert "NoRegionError" in capsys.readouterr().err
