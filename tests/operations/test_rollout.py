"""A version gets a share, then all; when anything goes wrong, the version before has all traffic again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations import rollout
from operations.problems import Refused
from tests.operations.cloud import ALARM, FUNCTION, OTHER_ALARM, TARGET, Cloud, Event, refusal, unanswered


@pytest.fixture
def cloud(cloud: Cloud) -> Cloud:
    """The first version is live, the second waits to be rolled out."""
    cloud.somebody_moves_the_alias("1")
    return cloud


def error(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text


def test_a_quiet_version_gets_its_share_and_then_all(cloud: Cloud) -> None:
    seen: list[tuple[str, dict[str, float]]] = []
    cloud.schedule = [(1.0, lambda: seen.append(cloud.traffic())), (899.0, lambda: seen.append(cloud.traffic()))]
    assert cloud.run("rollout") == 0
    assert seen == [("1", {"2": 0.1})] * 2
    assert cloud.traffic() == ("2", {})
    assert cloud.now == 900
    assert cloud.said[-1].split() == ["liveVersion:", '"2"']


def test_share_and_times_are_the_operators(cloud: Cloud) -> None:
    cloud.schedule = [(100.0, lambda: cloud.said.append(str(cloud.traffic())))]
    assert cloud.run("rollout", "--share", "25", "--minutes", "2", "--every", "50") == 0
    assert str(("1", {"2": 0.25})) in cloud.said
    assert cloud.now == 120
    assert cloud.calls.count("describe_alarms") == 1 + 3


def test_the_newest_published_version_is_rolled_out_or_the_one_named(cloud: Cloud) -> None:
    cloud.deployed("code-1", "code-2", "code-3", live="1")
    assert cloud.run("rollout", "--to", "2") == 0
    assert cloud.traffic() == ("2", {})
    assert cloud.run("rollout") == 0
    assert cloud.traffic() == ("3", {})


@pytest.mark.parametrize("second", [1.0, 450.0, 899.0])
def test_an_alarm_gives_the_version_before_all_traffic(cloud: Cloud, second: float) -> None:
    cloud.schedule = [(second, lambda: cloud.alarm(ALARM, "ALARM"))]
    assert cloud.run("rollout") == 1
    assert cloud.traffic() == ("1", {})
    assert cloud.now - second <= 30
    assert f"rang since the last look: {ALARM}" in cloud.said
    assert "the share was taken back: version 1 has all traffic" in cloud.said
    assert cloud.said[-1].split() == ["liveVersion:", '"1"']


def test_an_alarm_that_rang_between_two_looks_counts(cloud: Cloud) -> None:
    cloud.schedule = [(31.0, lambda: cloud.alarm(ALARM, "ALARM")), (32.0, lambda: cloud.alarm(ALARM, "OK"))]
    assert cloud.run("rollout") == 1
    assert cloud.traffic() == ("1", {})


def test_any_alarm_of_the_subsystem_counts(cloud: Cloud) -> None:
    cloud.schedule = [(60.0, lambda: cloud.alarm(OTHER_ALARM, "ALARM"))]
    assert cloud.run("rollout") == 1


def test_only_the_alarms_chosen_count(cloud: Cloud) -> None:
    cloud.alarm(OTHER_ALARM, "ALARM")
    assert cloud.run("rollout", "--alarms", "audio-processor") == 0


def test_another_subsystems_alarms_do_not_count(cloud: Cloud) -> None:
    cloud.alarm("polyphony-dev-ingestion-builder-errors-critical", "ALARM")
    cloud.alarm("polyphony-prod-transcription-audio-processor-errors-critical", "ALARM")
    assert cloud.run("rollout") == 0


def test_an_alarm_that_rings_already_is_refused_before_anything_changes(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.alarm(OTHER_ALARM, "ALARM")
    assert cloud.run("rollout") == 2
    assert f"already ringing: {OTHER_ALARM}; nothing was changed" in error(capsys)
    assert "update_alias" not in cloud.calls


def test_without_any_alarm_nothing_is_rolled_out(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.run("rollout", "--alarms", "audio-procesor") == 2
    assert "nothing would be watched" in error(capsys)
    assert "update_alias" not in cloud.calls


def test_alarms_without_data_are_named_and_do_not_end_it(cloud: Cloud) -> None:
    cloud.alarm(OTHER_ALARM, "INSUFFICIENT_DATA")
    cloud.schedule = [(60.0, lambda: cloud.alarm(ALARM, "INSUFFICIENT_DATA"))]
    assert cloud.run("rollout") == 0
    assert f"without data, so they can tell nothing yet: {OTHER_ALARM}" in cloud.said
    assert any(line.endswith(f"without data: {ALARM}, {OTHER_ALARM}") for line in cloud.said)


def test_an_alarm_that_has_data_again_after_a_while_did_not_ring(cloud: Cloud) -> None:
    cloud.schedule = [
        (60.0, lambda: cloud.alarm(ALARM, "INSUFFICIENT_DATA")),
        (120.0, lambda: cloud.alarm(ALARM, "OK")),
    ]
    assert cloud.run("rollout") == 0


def test_the_live_version_cannot_be_rolled_out(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.run("rollout", "--to", "1") == 2
    assert "is live already: pin `liveVersion`" in error(capsys)
    cloud.somebody_moves_the_alias("2")
    assert cloud.run("rollout") == 2
    assert "version 2" in error(capsys)


def test_a_roll_out_under_way_is_left_alone(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.somebody_moves_the_alias("1", **{"2": 0.5})
    assert cloud.run("rollout") == 2
    assert "is under way (version 1 has 50%, version 2 has 50%)" in error(capsys)
    assert cloud.traffic() == ("1", {"2": 0.5})


def test_versions_that_cannot_share_are_said_so(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.functions[FUNCTION].versions["2"]["Role"] = "another"
    assert cloud.run("rollout") == 2
    assert "both need the same role" in error(capsys)
    assert cloud.traffic() == ("1", {})


@pytest.mark.parametrize(
    ("operation", "when", "event"),
    [
        ("wait", "before", KeyboardInterrupt()),
        ("describe_alarms", "before", KeyboardInterrupt()),
        ("describe_alarms", "before", refusal("AccessDenied", status=403)),
        ("describe_alarms", "before", refusal("ExpiredToken", status=403)),
        ("describe_alarms", "before", unanswered()),
        ("describe_alarms", "before", ValueError("a mistake of ours")),
    ],
)
@pytest.mark.parametrize("look", [0, 3, 28])
def test_whatever_ends_the_watch_the_share_is_taken_back(
    cloud: Cloud, operation: str, when: str, event: BaseException, look: int
) -> None:
    start: list[Event] = [None] if operation == "describe_alarms" else []
    getattr(cloud, when)[operation] = [*start, *[None] * look, event]
    try:
        assert cloud.run("rollout") == 2
    except ValueError:
        assert isinstance(event, ValueError)
    assert cloud.traffic() == ("1", {})
    assert cloud.said[-1] == "the share was taken back: version 1 has all traffic"


@pytest.mark.parametrize("event", [KeyboardInterrupt(), ValueError("a mistake of ours")])
def test_an_end_right_after_the_share_was_given_takes_it_back(cloud: Cloud, event: BaseException) -> None:
    cloud.after["update_alias"] = [event]
    try:
        assert cloud.run("rollout") == 2
    except ValueError:
        assert isinstance(event, ValueError)
    assert cloud.traffic() == ("1", {})


def test_an_end_before_the_share_was_given_says_so(cloud: Cloud) -> None:
    cloud.before["update_alias"] = [KeyboardInterrupt()]
    assert cloud.run("rollout") == 2
    assert cloud.said == ["the alias is left as it is: version 1 has all traffic"]


def test_a_share_whose_answer_was_lost_is_watched_all_the_same(cloud: Cloud) -> None:
    cloud.after["update_alias"] = [unanswered()]
    assert cloud.run("rollout") == 0
    assert cloud.traffic() == ("2", {})


def test_an_end_while_all_traffic_is_given_says_what_callers_have(cloud: Cloud) -> None:
    cloud.after["update_alias"] = [None, KeyboardInterrupt()]
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == ("2", {})
    assert cloud.said[-1] == "the alias is left as it is: version 2 has all traffic"


def test_an_end_before_all_traffic_is_given_takes_the_share_back(cloud: Cloud) -> None:
    cloud.before["update_alias"] = [None, KeyboardInterrupt()]
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == ("1", {})


def test_a_second_interruption_does_not_stop_the_share_from_being_taken_back(cloud: Cloud) -> None:
    cloud.before["wait"] = [KeyboardInterrupt()]
    cloud.before["update_alias"] = [None, KeyboardInterrupt(), KeyboardInterrupt()]
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == ("1", {})


def test_a_service_that_fails_for_a_while_is_asked_again_to_take_the_share_back(cloud: Cloud) -> None:
    cloud.schedule = [(60.0, lambda: cloud.alarm(ALARM, "ALARM"))]
    cloud.before["update_alias"] = [None, *[refusal("ServiceException", status=500)] * 3]
    assert cloud.run("rollout") == 1
    assert cloud.traffic() == ("1", {})
    assert cloud.now == 60 + 3 * 5


@pytest.mark.parametrize("rings", [True, False])
def test_a_share_that_cannot_be_taken_back_is_said_loudly_with_the_way_out(cloud: Cloud, rings: bool) -> None:
    lost = [refusal("ExpiredTokenException", status=403)] * 20
    cloud.before["update_alias"] = [None, *lost]
    if rings:
        cloud.schedule = [(60.0, lambda: cloud.alarm(ALARM, "ALARM"))]
    else:
        cloud.before["describe_alarms"] = [None, refusal("ExpiredToken", status=403)]
    assert cloud.run("rollout") == 2
    (line,) = [line for line in cloud.said if line.startswith("THE SHARE COULD NOT BE TAKEN BACK")]
    assert "version 1 has 90%, version 2 has 10%" in line
    assert TARGET.command("alias", "--to", "1") in line


def test_an_alias_that_somebody_else_moves_is_left_to_them(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.deployed("code-1", "code-2", "code-3", live="2")
    cloud.schedule = [(60.0, lambda: cloud.somebody_moves_the_alias("1"))]
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == ("1", {})
    assert cloud.said[-1] == "the alias is left as it is: version 1 has all traffic"
    assert "somebody else changed the alias" in error(capsys)


@pytest.mark.parametrize("look", [0, 2])
def test_a_move_during_the_first_or_last_look_is_not_overwritten(cloud: Cloud, look: int) -> None:
    cloud.deployed("code-1", "code-2", "code-3", live="2")
    cloud.before["describe_alarms"] = [*[None] * look, lambda: cloud.somebody_moves_the_alias("1")]
    assert cloud.run("rollout", "--minutes", "1") == 2
    assert cloud.traffic() == ("1", {})


def test_a_move_at_the_very_end_is_not_overwritten(cloud: Cloud) -> None:
    cloud.deployed("code-1", "code-2", "code-3", live="2")
    cloud.before["update_alias"] = [None, lambda: cloud.somebody_moves_the_alias("1")]
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == ("1", {})


def test_a_move_while_the_share_is_taken_back_is_not_overwritten(cloud: Cloud) -> None:
    cloud.deployed("code-1", "code-2", "code-3", live="2")
    cloud.schedule = [(60.0, lambda: cloud.alarm(ALARM, "ALARM"))]
    cloud.before["update_alias"] = [None, lambda: cloud.somebody_moves_the_alias("1")]
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == ("1", {})


@pytest.mark.parametrize(
    "options",
    [
        ["--share", "0"],
        ["--share", "100"],
        ["--minutes", "0"],
        ["--minutes", "-1"],
        ["--minutes", "nan"],
        ["--minutes", "1441"],
        ["--every", "0"],
        ["--every", "901"],
        ["--every", "nan"],
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert cloud.run("rollout", *options) == 2
    assert options[0] in error(capsys)
    assert cloud.calls == []


def test_a_plan_takes_its_whole_range() -> None:
    for share in (1, 99):
        rollout.Plan(share=share)
    rollout.Plan(minutes=1440)
    rollout.Plan(minutes=1, every=60)
    with pytest.raises(Refused):
        rollout.Plan(minutes=1, every=61)


POINTS = st.tuples(st.sampled_from(["wait", "get_alias", "update_alias", "describe_alarms"]), st.integers(0, 40))


@given(st.lists(POINTS, max_size=3))
def test_whatever_fails_no_share_stays_behind(failures: list[tuple[str, int]]) -> None:
    cloud = Cloud()
    cloud.deployed("code-1", "code-2", live="1")
    cloud.alarm(ALARM, "OK")
    for operation, call in failures:
        script = cloud.before.setdefault(operation, [])
        script += [None] * (call + 1 - len(script))
        script[call] = unanswered() if operation != "wait" else KeyboardInterrupt()
    assert cloud.run("rollout") in {0, 2}
    version, weights = cloud.traffic()
    assert version in {"1", "2"}
    assert weights == {}
