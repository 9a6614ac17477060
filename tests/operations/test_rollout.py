"""Tests of the command `rollout`: shares of the traffic while alarms are watched, and the return of the share."""

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.settings.base import FunctionSettings
from components.settings.stack import StackSettings
from operations import rollout
from operations.__main__ import stop_cleanly
from tests.operations.conftest import ALARM, FUNCTION, OTHER_ALARM, PATH, Cloud, client_error

ROUTER = "polyphony-dev-transcription-router"


@pytest.fixture
def cloud(cloud: Cloud) -> Cloud:
    """Version 1 is live, and version 2 can be rolled out."""
    cloud.move_alias("1")
    return cloud


def test_a_version_gets_each_share_for_its_time_and_then_all_traffic(cloud: Cloud) -> None:
    seen: list[tuple[float, tuple[str, dict[str, float]]]] = []
    cloud.before["wait"] = [lambda: seen.append((cloud.now, cloud.traffic()))] * 100
    assert cloud.run("rollout") == 0
    assert {traffic for _, (_, weights) in seen for traffic in weights.items()} == {("2", 0.1)}
    assert (len(seen), cloud.now, cloud.traffic()) == (30, 900, ("2", {}))
    cloud.move_alias("1")
    assert cloud.run("rollout", "--share", "25", "50", "--minutes", "1") == 0
    shares = [(time - 900, weights) for time, (_, weights) in seen[30:]]
    assert shares == [(0, {"2": 0.25}), (30, {"2": 0.25}), (60, {"2": 0.5}), (90, {"2": 0.5})]
    assert cloud.traffic() == ("2", {})


@pytest.mark.parametrize("check", [1, 30])
def test_an_alarm_of_the_subsystem_returns_all_traffic_to_the_previous_version(cloud: Cloud, check: int) -> None:
    cloud.before["wait"] = [*[None] * (check - 1), lambda: cloud.set_alarm(OTHER_ALARM, "ALARM")]
    assert cloud.run("rollout") == 1
    assert (cloud.traffic(), cloud.now) == (("1", {}), 30 * check)
    assert f"in state ALARM: {OTHER_ALARM}" in cloud.printed


def test_unselected_alarms_and_alarms_of_other_subsystems_or_stacks_do_not_count(cloud: Cloud) -> None:
    for name in ("polyphony-prod-transcription-a", "polyphony-dev-b-c"):
        cloud.set_alarm(name, "ALARM")
    assert cloud.run("rollout") == 0
    cloud.move_alias("1")
    cloud.set_alarm(OTHER_ALARM, "ALARM")
    assert cloud.run("rollout", "--alarms", "audio-processor") == 0


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        (lambda cloud: cloud.set_alarm(OTHER_ALARM, "ALARM"), [], f"Already in state ALARM: {OTHER_ALARM}."),
        (lambda _: None, ["--alarms", "audio-procesor"], "nothing would be watched"),
        (lambda cloud: cloud.move_alias("1", {"2": 0.5}), [], "in progress (version 1 has 50%, version 2 has 50%)"),
        (lambda cloud: cloud.allocations.append("FAILED"), [], "provisioned concurrency"),
        (lambda cloud: cloud.allocations.append("IN_PROGRESS"), [], "is IN_PROGRESS, but must be READY"),
        (
            lambda cloud: cloud.before.update(update_alias=[client_error("InvalidParameterValueException")]),
            [],
            "only if they have the same role",
        ),
    ],
)
def test_an_impossible_rollout_is_refused_before_anything_changes(
    cloud: Cloud, refuse: Callable[..., str], change: Callable[[Cloud], Any], options: list[str], expected: str
) -> None:
    change(cloud)
    assert expected in refuse("rollout", *options)


def test_a_rollout_waits_until_the_provisioned_concurrency_is_allocated(cloud: Cloud) -> None:
    """Before its start, and after the version of the alias has changed."""
    cloud.allocations += ["IN_PROGRESS", "READY", "IN_PROGRESS", "IN_PROGRESS", "READY"]
    assert cloud.run("rollout", "--minutes", "1") == 0
    assert cloud.now == 5 + 60 + 10
    assert cloud.traffic() == ("2", {})


def test_any_error_during_the_rollout_returns_the_traffic(cloud: Cloud) -> None:
    cloud.before["wait"] = [None, ValueError("a programming error")]
    with pytest.raises(ValueError, match="a programming error"):
        cloud.run("rollout")
    assert cloud.traffic() == ("1", {})
    cloud.allocations += ["READY", "IN_PROGRESS", "FAILED"]
    assert cloud.run("rollout", "--minutes", "1") == 2, "the new version has all traffic, but not its concurrency"
    assert cloud.traffic() == ("1", {})


def test_returning_the_share_is_retried_and_the_error_has_the_remedy(cloud: Cloud) -> None:
    alarm = partial(cloud.set_alarm, ALARM, "ALARM")
    cloud.before = {"wait": [alarm], "update_alias": [None, KeyboardInterrupt(), client_error("ServiceException", 500)]}
    assert cloud.run("rollout") == 1
    assert cloud.traffic() == ("1", {})
    cloud.set_alarm(ALARM)
    cloud.before = {"wait": [alarm], "update_alias": [None, *[client_error("ExpiredToken", 403)] * 4]}
    assert cloud.run("rollout") == 2
    [line] = [line for line in cloud.printed if line.startswith("THE SHARE COULD NOT BE RETURNED")]
    assert f"operations alias --stack dev {PATH} --to 1`" in line


@pytest.mark.parametrize("moved_to", ["2", "1"])
def test_an_alias_that_another_user_moves_is_left_unchanged(cloud: Cloud, moved_to: str) -> None:
    environment = {"Variables": {"NEW": "value"}}
    cloud.functions.update_function_configuration(FunctionName=FUNCTION, Environment=environment)
    cloud.functions.publish_version(FunctionName=FUNCTION)
    cloud.before["wait"] = [lambda: cloud.move_alias(moved_to)]
    assert cloud.run("rollout", "--minutes", "1") == 2
    assert cloud.traffic() == (moved_to, {})
    assert cloud.printed[-1] == f"{FUNCTION} was left unchanged: version {moved_to} has all traffic"


@pytest.fixture
def stack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stack file that pins versions, beside the repository's handlers."""
    (tmp_path / "handlers").symlink_to(rollout.ROOT / "handlers")
    monkeypatch.setattr(rollout, "ROOT", tmp_path)
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text("config:\n  polyphony:transcription: {}\n")
    return file


def test_all_deployed_functions_with_a_newer_version_are_rolled_out_together(cloud: Cloud, stack_file: Path) -> None:
    cloud.deploy(ROUTER, "a", "b", "c")
    run_all = partial(cloud.run, "rollout", "--all", "--minutes", "1", path=None)
    cloud.move_alias("2", function=ROUTER)
    cloud.before["wait"] = [lambda: cloud.set_alarm(OTHER_ALARM, "ALARM")]
    assert run_all() == 1
    assert (cloud.traffic(), cloud.traffic(ROUTER)) == (("1", {}), ("2", {})), "an alarm returns the traffic of both"
    cloud.set_alarm(OTHER_ALARM)
    cloud.before["update_alias"] = [*[None] * 3, client_error("ServiceException", 500)]
    assert run_all() == 2
    assert (cloud.traffic(), cloud.traffic(ROUTER)) == (("1", {}), ("2", {})), "also of the one that had all of it"
    assert run_all() == 0
    assert (cloud.traffic(), cloud.traffic(ROUTER)) == (("2", {}), ("3", {}))
    assert run_all() == 0
    assert cloud.printed[-1].startswith("Nothing to roll out")
    stack_file.unlink()
    assert run_all() == 2


def test_a_stack_without_functions_is_an_error(
    cloud: Cloud, stack_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.functions.delete_function(FunctionName=FUNCTION)  # as in another account or Region
    assert cloud.run("rollout", "--all", path=None) == 2
    assert "The stack dev has no function. Check --stack, the account and the Region." in capsys.readouterr().err


def test_a_pinned_version_which_is_in_the_section_with_the_name_of_the_folder_stays(
    cloud: Cloud, stack_file: Path
) -> None:
    stack_file.write_text('config:\n  polyphony:transcription:\n    audioProcessor:\n      liveVersion: "1"\n')
    assert cloud.run("rollout", "--all", path=None) == 0
    assert cloud.traffic() == ("1", {})
    for handler in (rollout.ROOT / "handlers").glob("*/*/handler.py"):
        section = getattr(StackSettings.model_fields[handler.parts[-3]].default, handler.parent.name)
        assert isinstance(section, FunctionSettings)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_rollout_returns_all_traffic_to_the_old_version(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    handlers: dict[int, Callable[..., None]] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_DFL)
    stop_cleanly()
    cloud.before["wait"] = [lambda: handlers[number](number, None)]
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == ("1", {})
    assert capsys.readouterr().err.startswith("Interrupted. The command `alias`")
    handlers.clear()
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_IGN)
    stop_cleanly()
    assert handlers == {}, "a command that nohup starts ignores that its terminal is closed"
