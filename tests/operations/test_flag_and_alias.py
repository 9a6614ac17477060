"""Tests of the commands `flag` and `alias`: one variable for all callers, and versions of a function."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.operations.conftest import ENVIRONMENT, FUNCTION, PATH, SECRET, Cloud

Refuse = Callable[..., str]
DISABLE = "PARTIAL_RESULTS_ENABLED=false"


def change_latest(cloud: Cloud, **variables: str) -> None:
    """Change `$LATEST`, as another user would do."""
    environment = {"Variables": {**ENVIRONMENT, **variables}}
    cloud.functions.update_function_configuration(FunctionName=FUNCTION, Environment=environment)


def test_the_new_live_version_has_the_new_value_and_all_others_unchanged(cloud: Cloud) -> None:
    assert cloud.run("flag", DISABLE) == 0
    assert cloud.traffic() == ("3", {})
    assert cloud.variables() == {**ENVIRONMENT, "PARTIAL_RESULTS_ENABLED": "false"}
    output = "\n".join(cloud.printed)
    assert f"{DISABLE}; version 3 has all traffic; before: version 2" in output
    assert f"To undo: .venv/bin/python -m operations alias --stack dev {PATH} --to 2" in output
    assert "Commit the setting that PARTIAL_RESULTS_ENABLED is made from to Pulumi.dev.yaml" in output
    assert "the next deployment that changes this function can write" in output
    assert SECRET not in output
    assert cloud.run("flag", DISABLE) == 0
    assert cloud.traffic() == ("3", {}), "the callers have the value already"


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("UNKNOWN=1", "has no variable UNKNOWN, only: LAST_RESULTS_MS, LOG_LEVEL"),
        ("PARTIAL_RESULTS_ENABLED=perhaps", "every call of the function would fail"),
        (f"LOG_LEVEL {SECRET}", "must be given as KEY=VALUE"),
    ],
)
def test_an_unknown_variable_or_a_value_that_the_handler_rejects_changes_nothing(
    cloud: Cloud, refuse: Refuse, assignment: str, expected: str
) -> None:
    assert expected in refuse("flag", assignment)
    assert cloud.variables("$LATEST") == ENVIRONMENT


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda cloud: change_latest(cloud, LOG_LEVEL="DEBUG"), "differs from the live version 2 in: LOG_LEVEL."),
        (lambda cloud: cloud.functions.update_function_code(FunctionName=FUNCTION, ZipFile=b"3"), "in: CodeSha256."),
        (lambda cloud: cloud.move_alias("1", {"2": 0.1}), "in progress (version 1 has 90%, version 2 has 10%)"),
    ],
)
def test_a_change_of_anything_else_or_during_a_rollout_is_refused(
    cloud: Cloud, refuse: Refuse, change: Callable[[Cloud], object], expected: str
) -> None:
    change(cloud)
    assert expected in refuse("flag", DISABLE)


def test_an_environment_that_cannot_be_read_is_never_replaced(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = {"Version": "2", "Environment": {"Error": {"ErrorCode": "AccessDeniedException"}}}
    with monkeypatch.context() as patch:
        patch.setattr(cloud.functions, "get_function_configuration", lambda **_: hidden)
        assert cloud.run("flag", DISABLE) == 2
    assert "kms:Decrypt" in capsys.readouterr().err
    assert (cloud.traffic(), cloud.variables("$LATEST")) == (("2", {}), ENVIRONMENT)


@pytest.mark.parametrize(
    ("operation", "change", "traffic"),
    [
        ("update_function_configuration", lambda cloud: change_latest(cloud, NEW="x"), ("2", {})),
        ("publish_version", lambda cloud: change_latest(cloud, NEW="x"), ("2", {})),
        ("update_alias", lambda cloud: cloud.move_alias("1"), ("1", {})),
    ],
)
def test_a_concurrent_change_by_another_user_is_not_overwritten(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], operation: str, change: Callable[[Cloud], object], traffic: Any
) -> None:
    cloud.before[operation] = [lambda: change(cloud)]
    assert cloud.run("flag", DISABLE) == 2
    assert "another user changed it meanwhile" in capsys.readouterr().err
    assert (cloud.traffic(), cloud.variables()) == (traffic, ENVIRONMENT)


def test_the_alias_is_listed_and_moved(cloud: Cloud) -> None:
    assert cloud.run("alias", "--to", "1") == 0
    assert cloud.traffic() == ("1", {})
    assert cloud.printed[0] == f"{FUNCTION}: version 1 has all traffic; before: version 2 has all traffic"
    assert 'Commit `liveVersion: "1"`' in cloud.printed[1]
    cloud.move_alias("1", {"2": 0.25})
    cloud.printed.clear()
    assert cloud.run("alias") == 0
    assert cloud.printed[0] == f"{FUNCTION}: version 1 has 75%, version 2 has 25%"
    assert [line.split()[:2] for line in cloud.printed[1:]] == [["2", "25%"], ["1", "live"]]
    assert cloud.run("alias", "--to", "1") == 0
    assert cloud.traffic() == ("1", {}), "the command ends a rollout"


def test_a_version_that_cannot_be_called_gets_no_traffic(cloud: Cloud, refuse: Refuse) -> None:
    cloud.states = {"1": "Failed", "3": "Failed"}
    for command, argument in (("flag", DISABLE), ("alias", "--to=1")):
        assert "Callers still use the old version" in refuse(command, argument)


def test_the_error_for_an_unknown_function_or_version_names_what_to_check(refuse: Refuse) -> None:
    for arguments, path, expected in (
        (["--to", "9"], PATH, f"{FUNCTION} has no version 9, only: 2, 1."),
        (["--to", "$LATEST"], PATH, "'$LATEST' is not a version"),
        ([], "transcription/audio-procesor", "does not exist. Check --stack"),
        ([], "Audio", "'Audio' must be <subsystem>/<function>"),
        ([], "transcription/" + "a" * 60, "at most 64 are allowed"),
    ):
        assert expected in refuse("alias", *arguments, path=path)
