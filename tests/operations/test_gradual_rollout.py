"""A version gets a share, then all; when anything goes wrong, the version before has all traffic again."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations import gradual_rollout
from operations.aws_gateway import AlarmState
from operations.command_errors import CommandRefused
from tests.operations.fake_cloud import ALARM, FUNCTION, OTHER_ALARM, PATH, Cloud, Event, refusal, unanswered

Refusal = Callable[..., str]
BACK = "the share was returned: version 1 has all traffic"


@pytest.fixture
def cloud(cloud: Cloud) -> Cloud:
    """The first version is live, the second waits to be rolled out."""
    cloud.somebody_moves_the_alias("1")
    return cloud


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


@pytest.mark.parametrize(
    ("alarm", "second", "ends"), [(ALARM, 1.0, None), (ALARM, 899.0, None), (OTHER_ALARM, 60.0, None), (ALARM, 31, 32)]
)
def test_an_alarm_of_the_subsystem_gives_the_version_before_all_traffic(
    cloud: Cloud, alarm: str, second: float, ends: float | None
) -> None:
    """Also one that rang and fell silent between two looks."""
    cloud.schedule = [(second, lambda: cloud.alarm(alarm, "ALARM"))]
    if ends:
        cloud.schedule.append((ends, lambda: cloud.alarm(alarm, "OK")))
    assert cloud.run("rollout") == 1
    assert cloud.traffic() == ("1", {})
    assert cloud.now - second <= 30
    assert {f"in state ALARM since the last check: {alarm}", BACK} <= set(cloud.said)
    assert cloud.said[-1].split() == ["liveVersion:", '"1"']


def test_an_alarm_that_is_new_and_rings_has_rung_and_one_that_is_gone_or_without_data_has_not() -> None:
    at = datetime(2026, 1, 3, 12, tzinfo=UTC)
    quiet, silent = AlarmState("one", "OK", at), AlarmState("one", "INSUFFICIENT_DATA", at)
    assert gradual_rollout.names_alarmed_since([], [AlarmState("one", "ALARM", at)]) == ["one"]
    for before, now in (([], [quiet]), ([quiet], []), ([quiet], [silent]), ([silent], [quiet]), ([silent], [silent])):
        assert gradual_rollout.names_alarmed_since(before, now) == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (OTHER_ALARM, ["--alarms", "audio-processor"]),
        ("polyphony-dev-ingestion-builder-errors-critical", []),
        ("polyphony-prod-transcription-audio-processor-errors-critical", []),
    ],
)
def test_alarms_that_were_not_chosen_and_those_of_others_do_not_count(
    cloud: Cloud, name: str, options: list[str]
) -> None:
    cloud.alarm(name, "ALARM")
    assert cloud.run("rollout", *options) == 0


def test_alarms_without_data_are_named_and_do_not_end_it(cloud: Cloud) -> None:
    cloud.alarm(OTHER_ALARM, "INSUFFICIENT_DATA")
    cloud.schedule = [
        (60.0, lambda: cloud.alarm(ALARM, "INSUFFICIENT_DATA")),
        (120.0, lambda: cloud.alarm(ALARM, "OK")),
    ]
    assert cloud.run("rollout") == 0
    assert f"without data, so these alarms cannot detect a problem yet: {OTHER_ALARM}" in cloud.said
    assert any(line.endswith(f"without data: {ALARM}, {OTHER_ALARM}") for line in cloud.said)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda cloud: cloud.alarm(OTHER_ALARM, "ALARM"), [], f"already ringing: {OTHER_ALARM}; nothing was changed"),
        (lambda _: None, ["--alarms", "audio-procesor"], "nothing would be watched"),
        (lambda _: None, ["--to", "1"], "is live already: pin `liveVersion`"),
        (lambda cloud: cloud.somebody_moves_the_alias("2"), [], "version 2"),
        (
            lambda cloud: cloud.somebody_moves_the_alias("1", **{"2": 0.5}),
            [],
            "is under way (version 1 has 50%, version 2 has 50%)",
        ),
    ],
)
def test_what_cannot_be_rolled_out_is_refused_before_anything_changes(
    cloud: Cloud, refused: Refusal, change: Callable[[Cloud], None], options: list[str], says: str
) -> None:
    change(cloud)
    assert says in refused("rollout", *options)
    assert "update_alias" not in cloud.calls


def test_versions_that_cannot_share_are_said_so(cloud: Cloud, refused: Refusal) -> None:
    cloud.functions[FUNCTION].versions["2"]["Role"] = "another"
    assert "both need the same role" in refused("rollout")


@pytest.mark.parametrize(
    ("operation", "event"),
    [
        ("wait", KeyboardInterrupt()),
        ("describe_alarms", KeyboardInterrupt()),
        ("describe_alarms", refusal("AccessDenied", status=403)),
        ("describe_alarms", unanswered()),
        ("describe_alarms", ValueError("a mistake of ours")),
    ],
)
@pytest.mark.parametrize("look", [0, 3, 28])
def test_whatever_ends_the_watch_the_share_is_taken_back(
    cloud: Cloud, operation: str, event: BaseException, look: int
) -> None:
    start: list[Event] = [None] if operation == "describe_alarms" else []
    cloud.before[operation] = [*start, *[None] * look, event]
    try:
        assert cloud.run("rollout") == 2
    except ValueError:
        assert isinstance(event, ValueError)
    assert cloud.traffic() == ("1", {})
    assert cloud.said[-1] == BACK


STAYS_1, STAYS_2 = (f"the alias was left unchanged: version {version} has all traffic" for version in "12")


@pytest.mark.parametrize(
    ("before", "after", "version", "says"),
    [
        pytest.param([KeyboardInterrupt()], [], "1", STAYS_1, id="before the share is given"),
        pytest.param([], [KeyboardInterrupt()], "1", BACK, id="right after the share is given"),
        pytest.param([None, KeyboardInterrupt()], [], "1", BACK, id="before all traffic is given"),
        pytest.param([], [None, KeyboardInterrupt()], "2", STAYS_2, id="right after all traffic is given"),
        pytest.param([None, *[KeyboardInterrupt()] * 3], [], "1", BACK, id="three times"),
    ],
)
def test_an_interruption_at_any_point_leaves_no_share_and_says_what_callers_have(
    cloud: Cloud, before: list[Event], after: list[Event], version: str, says: str
) -> None:
    cloud.before["update_alias"], cloud.after["update_alias"] = list(before), list(after)
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == (version, {})
    assert cloud.said[-1] == says


def test_a_share_whose_answer_was_lost_is_watched_all_the_same(cloud: Cloud) -> None:
    cloud.after["update_alias"] = [unanswered()]
    assert cloud.run("rollout") == 0
    assert cloud.traffic() == ("2", {})


def test_a_service_that_fails_for_a_while_is_asked_again_to_take_the_share_back(cloud: Cloud) -> None:
    cloud.schedule = [(60.0, lambda: cloud.alarm(ALARM, "ALARM"))]
    cloud.before["update_alias"] = [None, *[refusal("ServiceException", status=500)] * 3]
    assert cloud.run("rollout") == 1
    assert cloud.traffic() == ("1", {})
    assert cloud.now == 60 + 3 * 5


@pytest.mark.parametrize("rings", [True, False])
def test_a_share_that_cannot_be_taken_back_is_said_loudly_with_the_way_out(cloud: Cloud, rings: bool) -> None:
    cloud.before["update_alias"] = [None, *[refusal("ExpiredTokenException", status=403)] * 20]
    if rings:
        cloud.schedule = [(60.0, lambda: cloud.alarm(ALARM, "ALARM"))]
    else:
        cloud.before["describe_alarms"] = [None, refusal("ExpiredToken", status=403)]
    assert cloud.run("rollout") == 2
    (line,) = [line for line in cloud.said if line.startswith("THE SHARE COULD NOT BE RETURNED")]
    assert "version 1 has 90%, version 2 has 10%" in line
    assert f"operations alias --stack dev {PATH} --to 1" in line


@pytest.mark.parametrize(
    ("schedule", "operation", "calls_before"),
    [
        pytest.param({60.0: "move"}, "", 0, id="while the share is watched"),
        pytest.param({}, "describe_alarms", 0, id="during the first look"),
        pytest.param({}, "describe_alarms", 2, id="during the last look"),
        pytest.param({}, "update_alias", 1, id="before all traffic is given"),
        pytest.param({60.0: "alarm"}, "update_alias", 1, id="while the share is taken back"),
    ],
)
def test_an_alias_that_somebody_else_moves_is_left_to_them(
    cloud: Cloud, schedule: dict[float, str], operation: str, calls_before: int
) -> None:
    cloud.deployed("code-1", "code-2", "code-3", live="2")
    acts = {"move": lambda: cloud.somebody_moves_the_alias("1"), "alarm": lambda: cloud.alarm(ALARM, "ALARM")}
    cloud.schedule = [(at, acts[name]) for at, name in schedule.items()]
    cloud.before[operation] = [*[None] * calls_before, acts["move"]]
    assert cloud.run("rollout", "--minutes", "2") == 2
    assert cloud.traffic() == ("1", {})
    assert STAYS_1 in cloud.said or "update_alias" not in cloud.calls


@pytest.mark.parametrize(
    "options",
    [
        ["--share", "0"],
        ["--share", "100"],
        ["--minutes", "0"],
        ["--minutes", "nan"],
        ["--minutes", "1441"],
        ["--every", "0"],
        ["--every", "901"],
        ["--every", "nan"],
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(cloud: Cloud, refused: Refusal, options: list[str]) -> None:
    assert options[0] in refused("rollout", *options)
    assert cloud.calls == []


def test_a_plan_takes_its_whole_range() -> None:
    for share in (1, 99):
        gradual_rollout.RolloutPlan(share=share)
    gradual_rollout.RolloutPlan(minutes=1440)
    gradual_rollout.RolloutPlan(minutes=1, every=60)
    with pytest.raises(CommandRefused):
        gradual_rollout.RolloutPlan(minutes=1, every=61)


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
