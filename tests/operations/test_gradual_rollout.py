"""Tests of the command `rollout`: share, alarms, and the return of the share after any failure."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations import gradual_rollout
from operations.command_errors import CommandRefused
from operations.function_management_gateway import AlarmState
from tests.operations.fake_lambda_cloud import (
    ALARM,
    FUNCTION,
    OTHER_ALARM,
    PATH,
    Event,
    FakeLambdaCloud,
    error_response,
    no_response_error,
)

Refusal = Callable[..., str]
BACK = "the share was returned: version 1 has all traffic"


@pytest.fixture
def cloud(cloud: FakeLambdaCloud) -> FakeLambdaCloud:
    """Return a cloud with the first version live and a second version to roll out."""
    cloud.move_alias_concurrently("1")
    return cloud


def test_a_version_without_alarms_gets_its_share_and_then_all_traffic(cloud: FakeLambdaCloud) -> None:
    result: list[tuple[str, dict[str, float]]] = []
    cloud.schedule = [(1.0, lambda: result.append(cloud.traffic())), (899.0, lambda: result.append(cloud.traffic()))]
    assert cloud.run("rollout") == 0
    assert result == [("1", {"2": 0.1})] * 2
    assert cloud.traffic() == ("2", {})
    assert cloud.now == 900
    assert cloud.printed[-1].split() == ["liveVersion:", '"2"']


def test_share_and_times_can_be_given(cloud: FakeLambdaCloud) -> None:
    cloud.schedule = [(100.0, lambda: cloud.printed.append(str(cloud.traffic())))]
    assert cloud.run("rollout", "--share", "25", "--minutes", "2", "--every", "50") == 0
    assert str(("1", {"2": 0.25})) in cloud.printed
    assert cloud.now == 120
    assert cloud.calls.count("describe_alarms") == 1 + 3


def test_the_newest_or_the_given_version_is_rolled_out(cloud: FakeLambdaCloud) -> None:
    cloud.deploy("code-1", "code-2", "code-3", live="1")
    assert cloud.run("rollout", "--to", "2") == 0
    assert cloud.traffic() == ("2", {})
    assert cloud.run("rollout") == 0
    assert cloud.traffic() == ("3", {})


@pytest.mark.parametrize(
    ("alarm", "second", "ends"), [(ALARM, 1.0, None), (ALARM, 899.0, None), (OTHER_ALARM, 60.0, None), (ALARM, 31, 32)]
)
def test_an_alarm_of_the_subsystem_returns_all_traffic_to_the_previous_version(
    cloud: FakeLambdaCloud, alarm: str, second: float, ends: float | None
) -> None:
    """This includes an alarm that was in state ALARM only between two checks."""
    cloud.schedule = [(second, lambda: cloud.alarm(alarm, "ALARM"))]
    if ends:
        cloud.schedule.append((ends, lambda: cloud.alarm(alarm, "OK")))
    assert cloud.run("rollout") == 1
    assert cloud.traffic() == ("1", {})
    assert cloud.now - second <= 30
    assert {f"in state ALARM since the last check: {alarm}", BACK} <= set(cloud.printed)
    assert cloud.printed[-1].split() == ["liveVersion:", '"1"']


def test_a_new_alarm_in_state_alarm_counts_and_a_removed_or_silent_one_does_not() -> None:
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
def test_unselected_alarms_and_alarms_of_other_subsystems_do_not_count(
    cloud: FakeLambdaCloud, name: str, options: list[str]
) -> None:
    cloud.alarm(name, "ALARM")
    assert cloud.run("rollout", *options) == 0


def test_alarms_without_data_are_named_and_do_not_end_the_rollout(cloud: FakeLambdaCloud) -> None:
    cloud.alarm(OTHER_ALARM, "INSUFFICIENT_DATA")
    cloud.schedule = [
        (60.0, lambda: cloud.alarm(ALARM, "INSUFFICIENT_DATA")),
        (120.0, lambda: cloud.alarm(ALARM, "OK")),
    ]
    assert cloud.run("rollout") == 0
    assert f"without data, so these alarms cannot detect a problem yet: {OTHER_ALARM}" in cloud.printed
    assert any(line.endswith(f"without data: {ALARM}, {OTHER_ALARM}") for line in cloud.printed)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (
            lambda cloud: cloud.alarm(OTHER_ALARM, "ALARM"),
            [],
            f"Already in state ALARM: {OTHER_ALARM}. Nothing was changed",
        ),
        (lambda _: None, ["--alarms", "audio-procesor"], "nothing would be watched"),
        (lambda _: None, ["--to", "1"], "is live already. Set `liveVersion`"),
        (lambda cloud: cloud.move_alias_concurrently("2"), [], "Version 2"),
        (
            lambda cloud: cloud.move_alias_concurrently("1", **{"2": 0.5}),
            [],
            "is in progress (version 1 has 50%, version 2 has 50%)",
        ),
    ],
)
def test_an_impossible_rollout_is_refused_before_anything_changes(
    cloud: FakeLambdaCloud, refused: Refusal, change: Callable[[FakeLambdaCloud], None], options: list[str], says: str
) -> None:
    change(cloud)
    assert says in refused("rollout", *options)
    assert "update_alias" not in cloud.calls


def test_versions_that_cannot_share_traffic_are_refused(cloud: FakeLambdaCloud, refused: Refusal) -> None:
    cloud.functions[FUNCTION].versions["2"]["Role"] = "another"
    assert "requires the same role" in refused("rollout")


@pytest.mark.parametrize(
    ("operation", "event"),
    [
        ("wait", KeyboardInterrupt()),
        ("describe_alarms", KeyboardInterrupt()),
        ("describe_alarms", error_response("AccessDenied", status=403)),
        ("describe_alarms", no_response_error()),
        ("describe_alarms", ValueError("a mistake of ours")),
    ],
)
@pytest.mark.parametrize("look", [0, 3, 28])
def test_any_error_during_the_rollout_returns_the_share(
    cloud: FakeLambdaCloud, operation: str, event: BaseException, look: int
) -> None:
    start: list[Event] = [None] if operation == "describe_alarms" else []
    cloud.before[operation] = [*start, *[None] * look, event]
    try:
        assert cloud.run("rollout") == 2
    except ValueError:
        assert isinstance(event, ValueError)
    assert cloud.traffic() == ("1", {})
    assert cloud.printed[-1] == BACK


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
def test_an_interruption_at_any_point_leaves_no_share_and_prints_the_routing(
    cloud: FakeLambdaCloud, before: list[Event], after: list[Event], version: str, says: str
) -> None:
    cloud.before["update_alias"], cloud.after["update_alias"] = list(before), list(after)
    assert cloud.run("rollout") == 2
    assert cloud.traffic() == (version, {})
    assert cloud.printed[-1] == says


def test_a_rollout_continues_if_the_response_to_its_start_was_lost(cloud: FakeLambdaCloud) -> None:
    cloud.after["update_alias"] = [no_response_error()]
    assert cloud.run("rollout") == 0
    assert cloud.traffic() == ("2", {})


def test_returning_the_share_is_retried_while_the_service_fails(cloud: FakeLambdaCloud) -> None:
    cloud.schedule = [(60.0, lambda: cloud.alarm(ALARM, "ALARM"))]
    cloud.before["update_alias"] = [None, *[error_response("ServiceException", status=500)] * 3]
    assert cloud.run("rollout") == 1
    assert cloud.traffic() == ("1", {})
    assert cloud.now == 60 + 3 * 5


@pytest.mark.parametrize("rings", [True, False])
def test_a_share_that_cannot_be_returned_is_a_prominent_error_with_the_remedy(
    cloud: FakeLambdaCloud, rings: bool
) -> None:
    cloud.before["update_alias"] = [None, *[error_response("ExpiredTokenException", status=403)] * 20]
    if rings:
        cloud.schedule = [(60.0, lambda: cloud.alarm(ALARM, "ALARM"))]
    else:
        cloud.before["describe_alarms"] = [None, error_response("ExpiredToken", status=403)]
    assert cloud.run("rollout") == 2
    (line,) = [line for line in cloud.printed if line.startswith("THE SHARE COULD NOT BE RETURNED")]
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
def test_an_alias_that_another_user_moves_is_left_unchanged(
    cloud: FakeLambdaCloud, schedule: dict[float, str], operation: str, calls_before: int
) -> None:
    cloud.deploy("code-1", "code-2", "code-3", live="2")
    acts = {"move": lambda: cloud.move_alias_concurrently("1"), "alarm": lambda: cloud.alarm(ALARM, "ALARM")}
    cloud.schedule = [(at, acts[name]) for at, name in schedule.items()]
    cloud.before[operation] = [*[None] * calls_before, acts["move"]]
    assert cloud.run("rollout", "--minutes", "2") == 2
    assert cloud.traffic() == ("1", {})
    assert STAYS_1 in cloud.printed or "update_alias" not in cloud.calls


@pytest.mark.parametrize(
    "option",
    ["share 0", "share 100", "minutes 0", "minutes nan", "minutes 1441", "every 0", "every 901", "every nan"],
)
def test_parameters_out_of_range_are_refused(cloud: FakeLambdaCloud, refused: Refusal, option: str) -> None:
    name, value = option.split()
    assert f"--{name}" in refused("rollout", f"--{name}", value)
    assert cloud.calls == []


def test_parameters_at_the_limits_are_accepted() -> None:
    for share in (1, 99):
        gradual_rollout.RolloutPlan(share=share)
    gradual_rollout.RolloutPlan(minutes=1440)
    gradual_rollout.RolloutPlan(minutes=1, every=60)
    with pytest.raises(CommandRefused):
        gradual_rollout.RolloutPlan(minutes=1, every=61)


POINTS = st.tuples(st.sampled_from(["wait", "get_alias", "update_alias", "describe_alarms"]), st.integers(0, 40))


@given(st.lists(POINTS, max_size=3))
def test_no_share_stays_behind_after_any_failures(failures: list[tuple[str, int]]) -> None:
    cloud = FakeLambdaCloud()
    cloud.deploy("code-1", "code-2", live="1")
    cloud.alarm(ALARM, "OK")
    for operation, call in failures:
        script = cloud.before.setdefault(operation, [])
        script += [None] * (call + 1 - len(script))
        script[call] = no_response_error() if operation != "wait" else KeyboardInterrupt()
    assert cloud.run("rollout") in {0, 2}
    version, weights = cloud.traffic()
    assert version in {"1", "2"}
    assert weights == {}
