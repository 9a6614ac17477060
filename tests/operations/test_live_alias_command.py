"""Tests of the command `alias`, which lists a function's versions and moves its alias `live`."""

import pytest

from tests.operations.fake_lambda_cloud import FUNCTION, SECRET, FakeLambdaCloud, RunRefused, lost_response_error


def test_versions_are_listed_newest_first_with_the_live_one_marked(cloud: FakeLambdaCloud) -> None:
    cloud.deploy("code-1", "code-2", "code-3", live="2")
    assert cloud.run("alias") == 0
    assert cloud.printed == [
        f"{FUNCTION}: version 2 has all traffic",
        "     3        2026-01-03T12:00  code-3  deployment 3",
        "     2  live  2026-01-02T12:00  code-2  deployment 2",
        "     1        2026-01-01T12:00  code-1  deployment 1",
    ]
    assert not {"update_alias", "publish_version"} & set(cloud.calls)


def test_the_list_shows_the_shares_during_a_rollout(cloud: FakeLambdaCloud) -> None:
    cloud.move_alias("1", **{"2": 0.1})
    cloud.run("alias")
    assert cloud.printed[0] == f"{FUNCTION}: version 1 has 90%, version 2 has 10%"
    assert [line.split()[:2] for line in cloud.printed[1:]] == [["2", "10%"], ["1", "live"]]


@pytest.mark.parametrize("is_rolling_out", [False, True])
def test_the_alias_moves_to_an_older_version_and_the_setting_to_commit_is_printed(
    cloud: FakeLambdaCloud, is_rolling_out: bool
) -> None:
    if is_rolling_out:
        cloud.move_alias("1", **{"2": 0.1})
    assert cloud.run("alias", "--to", "1") == 0
    assert cloud.routing() == ("1", {})
    before = "version 1 has 90%, version 2 has 10%" if is_rolling_out else "version 2 has all traffic"
    assert cloud.printed[0] == f"{FUNCTION}: version 1 has all traffic; before: {before}"
    assert cloud.printed[-1].split() == ["liveVersion:", '"1"']
    assert SECRET not in "\n".join(cloud.printed)


def test_the_live_version_is_not_moved_again(cloud: FakeLambdaCloud) -> None:
    assert cloud.run("alias", "--to", "2") == 0
    assert "nothing was changed" in cloud.printed[0]
    assert "update_alias" not in cloud.calls


def test_an_unknown_version_is_refused_with_a_list_of_versions(run_refused: RunRefused) -> None:
    assert run_refused("alias", "--to", "9") == f"{FUNCTION} has no version 9. The newest versions are: 2, 1.\n"


def test_a_concurrent_move_of_the_alias_is_not_overwritten(
    cloud: FakeLambdaCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.deploy("code-1", "code-2", "code-3")
    cloud.events_before["update_alias"] = [lambda: cloud.move_alias("2")]
    assert cloud.run("alias", "--to", "1") == 2
    assert cloud.routing() == ("2", {})
    assert "Nothing was overwritten: version 2 has all traffic" in capsys.readouterr().err


def test_a_move_whose_response_was_lost_succeeds(cloud: FakeLambdaCloud) -> None:
    cloud.events_after["update_alias"] = [lost_response_error()]
    assert cloud.run("alias", "--to", "1") == 0
    assert cloud.routing() == ("1", {})


@pytest.mark.parametrize(
    ("state", "expected_error"),
    [
        pytest.param({"ready": 1e9}, "is not ready after 600 s", id="pending for ever"),
        pytest.param(
            {"State": "Failed", "StateReasonCode": "InvalidRuntime"}, "cannot be called (InvalidRuntime)", id="failed"
        ),
    ],
)
def test_the_alias_is_not_moved_to_a_version_that_cannot_be_called(
    cloud: FakeLambdaCloud, run_refused: RunRefused, state: dict[str, object], expected_error: str
) -> None:
    cloud.functions[FUNCTION].versions["1"] |= state
    assert expected_error in run_refused("alias", "--to", "1")


def test_a_move_to_an_inactive_version_prints_a_warning(cloud: FakeLambdaCloud) -> None:
    cloud.functions[FUNCTION].versions["1"]["State"] = "Inactive"
    assert cloud.run("alias", "--to", "1") == 0
    assert "is inactive" in cloud.printed[0]
    assert cloud.routing() == ("1", {})
