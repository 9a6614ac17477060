"""Versions are listed, and `live` is moved to one unless somebody else has moved it."""

from collections.abc import Callable

import pytest

from tests.operations.fake_cloud import FUNCTION, SECRET, Cloud, unanswered

Refusal = Callable[..., str]


def test_versions_are_listed_newest_first_with_the_live_one_marked(cloud: Cloud) -> None:
    cloud.deployed("code-1", "code-2", "code-3", live="2")
    assert cloud.run("alias") == 0
    assert cloud.said == [
        f"{FUNCTION}: version 2 has all traffic",
        "     3        2026-01-03T12:00  code-3  as deployed",
        "     2  live  2026-01-02T12:00  code-2  as deployed",
        "     1        2026-01-01T12:00  code-1  as deployed",
    ]
    assert not {"update_alias", "publish_version"} & set(cloud.calls)


def test_the_list_shows_a_roll_out_that_is_under_way(cloud: Cloud) -> None:
    cloud.somebody_moves_the_alias("1", **{"2": 0.1})
    cloud.run("alias")
    assert cloud.said[0] == f"{FUNCTION}: version 1 has 90%, version 2 has 10%"
    assert [line.split()[:2] for line in cloud.said[1:]] == [["2", "10%"], ["1", "live"]]


@pytest.mark.parametrize("rolling_out", [False, True])
def test_the_alias_moves_to_an_older_version_and_the_line_to_commit_is_given(cloud: Cloud, rolling_out: bool) -> None:
    if rolling_out:
        cloud.somebody_moves_the_alias("1", **{"2": 0.1})
    assert cloud.run("alias", "--to", "1") == 0
    assert cloud.traffic() == ("1", {})
    before = "version 1 has 90%, version 2 has 10%" if rolling_out else "version 2 has all traffic"
    assert cloud.said[0] == f"{FUNCTION}: version 1 has all traffic; before: {before}"
    assert cloud.said[-1].split() == ["liveVersion:", '"1"']
    assert SECRET not in "\n".join(cloud.said)


def test_the_live_version_is_not_moved_again(cloud: Cloud) -> None:
    assert cloud.run("alias", "--to", "2") == 0
    assert "nothing was changed" in cloud.said[0]
    assert "update_alias" not in cloud.calls


def test_an_unknown_version_is_refused_with_those_there_are(refused: Refusal) -> None:
    assert refused("alias", "--to", "9") == f"{FUNCTION} has no version 9. The newest versions are: 2, 1.\n"


def test_a_move_by_somebody_else_is_not_overwritten(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.deployed("code-1", "code-2", "code-3")
    cloud.before["update_alias"] = [lambda: cloud.somebody_moves_the_alias("2")]
    assert cloud.run("alias", "--to", "1") == 2
    assert cloud.traffic() == ("2", {})
    assert "Nothing was overwritten: version 2 has all traffic" in capsys.readouterr().err


def test_a_move_whose_answer_was_lost_is_looked_up(cloud: Cloud) -> None:
    cloud.after["update_alias"] = [unanswered()]
    assert cloud.run("alias", "--to", "1") == 0
    assert cloud.traffic() == ("1", {})


def test_a_version_that_is_made_ready_is_waited_for(cloud: Cloud) -> None:
    cloud.functions[FUNCTION].versions["1"]["ready"] = 30.0
    assert cloud.run("alias", "--to", "1") == 0
    assert cloud.now == 30
    assert cloud.traffic() == ("1", {})


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"ready": 1e9}, "is not ready after 600 s"),
        ({"State": "Failed", "StateReasonCode": "InvalidRuntime"}, "cannot be called (InvalidRuntime)"),
    ],
)
def test_a_version_that_cannot_be_called_gets_no_callers(
    cloud: Cloud, refused: Refusal, state: dict[str, object], says: str
) -> None:
    cloud.functions[FUNCTION].versions["1"] |= state
    assert says in refused("alias", "--to", "1")


def test_a_version_that_sleeps_is_moved_to_with_a_warning(cloud: Cloud) -> None:
    cloud.functions[FUNCTION].versions["1"]["State"] = "Inactive"
    assert cloud.run("alias", "--to", "1") == 0
    assert "is inactive" in cloud.said[0]
    assert cloud.traffic() == ("1", {})
