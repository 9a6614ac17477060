"""Tests of the command `rollout`.

It gives a new version a share of the traffic, watches alarms, and then moves all traffic to the new version. After an
alarm or a failure, it returns the share, so that the previous version has all traffic.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations import gradual_rollout
from operations.function_management_gateway import AlarmState
from tests.operations.fake_lambda_cloud import (
    ALARM,
    FUNCTION,
    OTHER_ALARM,
    PATH,
    Event,
    FakeLambdaCloud,
    RunRefused,
    error_response,
    lost_response_error,
)

SHARE_RETURNED = "the share was returned: version 1 has all traffic"


@pytest.fixture
def cloud(cloud: FakeLambdaCloud) -> FakeLambdaCloud:
    """Return a cloud in which version 1 is live, and version 2 can be rolled out."""
    cloud.move_alias("1")
    return cloud


def test_a_version_without_alarms_gets_its_share_and_then_all_traffic(cloud: FakeLambdaCloud) -> None:
    routing: list[tuple[str, dict[str, float]]] = []
    cloud.schedule = [(time, lambda: routing.append(cloud.routing())) for time in (1.0, 899.0)]
    assert cloud.run("rollout") == 0
    assert routing == [("1", {"2": 0.1})] * 2
    assert cloud.routing() == ("2", {})
    assert cloud.now == 900, "a rollout takes 15 minutes by default"
    assert cloud.printed[-1].split() == ["liveVersion:", '"2"']


def test_share_time_and_interval_can_be_chosen(cloud: FakeLambdaCloud) -> None:
    routing: list[tuple[str, dict[str, float]]] = []
    cloud.schedule = [(100.0, lambda: routing.append(cloud.routing()))]
    assert cloud.run("rollout", "--share", "25", "--minutes", "2", "--every", "50") == 0
    assert routing == [("1", {"2": 0.25})]
    assert cloud.now == 120
    assert cloud.calls.count("describe_alarms") == 1 + 3, "before the rollout, after 50 and 100 seconds, and at the end"


def test_the_newest_or_the_given_version_is_rolled_out(cloud: FakeLambdaCloud) -> None:
    cloud.deploy("code-1", "code-2", "code-3", live="1")
    assert cloud.run("rollout", "--to", "2") == 0
    assert cloud.routing() == ("2", {})
    assert cloud.run("rollout") == 0
    assert cloud.routing() == ("3", {})


@pytest.mark.parametrize(
    ("alarm", "starts_at", "ends_at"),
    [
        pytest.param(ALARM, 1.0, None, id="at the start"),
        pytest.param(ALARM, 899.0, None, id="at the end"),
        pytest.param(OTHER_ALARM, 60.0, None, id="of another function"),
        pytest.param(ALARM, 31, 32, id="only between two checks"),
    ],
)
def test_an_alarm_of_the_subsystem_returns_all_traffic_to_the_previous_version(
    cloud: FakeLambdaCloud, alarm: str, starts_at: float, ends_at: float | None
) -> None:
    cloud.schedule = [(starts_at, lambda: cloud.set_alarm(alarm, "ALARM"))]
    if ends_at:
        cloud.schedule.append((ends_at, lambda: cloud.set_alarm(alarm, "OK")))
    assert cloud.run("rollout") == 1
    assert cloud.routing() == ("1", {})
    assert cloud.now - starts_at <= 30, "the alarms are checked every 30 seconds"
    assert {f"in state ALARM since the last check: {alarm}", SHARE_RETURNED} <= set(cloud.printed)
    assert cloud.printed[-1].split() == ["liveVersion:", '"1"']


def test_a_new_alarm_in_state_alarm_counts_and_a_removed_one_or_one_without_data_does_not() -> None:
    changed_at = datetime(2026, 1, 3, 12, tzinfo=UTC)
    ok, no_data = AlarmState("one", "OK", changed_at), AlarmState("one", "INSUFFICIENT_DATA", changed_at)
    assert gradual_rollout.names_alarmed_since([], [AlarmState("one", "ALARM", changed_at)]) == ["one"]
    for before, after in (([], [ok]), ([ok], []), ([ok], [no_data]), ([no_data], [ok]), ([no_data], [no_data])):
        assert gradual_rollout.names_alarmed_since(before, after) == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (OTHER_ALARM, ["--alarms", "audio-processor"]),
        ("polyphony-dev-ingestion-builder-errors-critical", []),
        ("polyphony-prod-transcription-audio-processor-errors-critical", []),
    ],
)
def test_unselected_alarms_and_alarms_of_other_subsystems_or_stacks_do_not_count(
    cloud: FakeLambdaCloud, name: str, options: list[str]
) -> None:
    cloud.set_alarm(name, "ALARM")
    assert cloud.run("rollout", *options) == 0


def test_alarms_without_data_are_named_and_do_not_end_the_rollout(cloud: FakeLambdaCloud) -> None:
    cloud.set_alarm(OTHER_ALARM, "INSUFFICIENT_DATA")
    cloud.schedule = [
        (60.0, lambda: cloud.set_alarm(ALARM, "INSUFFICIENT_DATA")),
        (120.0, lambda: cloud.set_alarm(ALARM, "OK")),
    ]
    assert cloud.run("rollout") == 0
    assert f"without data, so these alarms cannot detect a problem yet: {OTHER_ALARM}" in cloud.printed
    assert any(line.endswith(f"without data: {ALARM}, {OTHER_ALARM}") for line in cloud.printed)


@pytest.mark.parametrize(
    ("change", "options", "expected_error"),
    [
        (
            lambda cloud: cloud.set_alarm(OTHER_ALARM, "ALARM"),
            [],
            f"Already in state ALARM: {OTHER_ALARM}. Nothing was",
        ),
        (lambda _: None, ["--alarms", "audio-procesor"], "nothing would be watched"),
        (lambda _: None, ["--to", "1"], "is live already. Set `liveVersion`"),
        (lambda cloud: cloud.move_alias("2"), [], "Version 2"),  # the newest version is live already
        (lambda cloud: cloud.move_alias("1", **{"2": 0.5}), [], "in progress (version 1 has 50%, version 2 has 50%)"),
    ],
)
def test_an_impossible_rollout_is_refused_before_anything_changes(
    cloud: FakeLambdaCloud,
    run_refused: RunRefused,
    change: Callable[[FakeLambdaCloud], None],
    options: list[str],
    expected_error: str,
) -> None:
    change(cloud)
    assert expected_error in run_refused("rollout", *options)
    assert "update_alias" not in cloud.calls


def test_versions_that_cannot_share_traffic_are_refused(cloud: FakeLambdaCloud, run_refused: RunRefused) -> None:
    cloud.functions[FUNCTION].versions["2"]["Role"] = "another"
    assert "requires the same role" in run_refused("rollout")


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("wait", KeyboardInterrupt()),
        ("describe_alarms", KeyboardInterrupt()),
        ("describe_alarms", error_response("AccessDenied", status=403)),
        ("describe_alarms", lost_response_error()),
        ("describe_alarms", ValueError("a programming error")),
    ],
)
@pytest.mark.parametrize("checks_before", [0, 3, 28])  # a rollout has 30 checks
def test_any_error_during_the_rollout_returns_the_share(
    cloud: FakeLambdaCloud, operation: str, error: BaseException, checks_before: int
) -> None:
    calls_before_share = 1 if operation == "describe_alarms" else 0
    cloud.events_before[operation] = [*[None] * (calls_before_share + checks_before), error]
    try:
        assert cloud.run("rollout") == 2
    except ValueError:
        assert isinstance(error, ValueError)
    assert cloud.routing() == ("1", {})
    assert cloud.printed[-1] == SHARE_RETURNED


UNCHANGED_1, UNCHANGED_2 = (f"the alias was left unchanged: version {version} has all traffic" for version in "12")


@pytest.mark.parametrize(
    ("events_before", "events_after", "version", "last_line"),
    [
        pytest.param([KeyboardInterrupt()], [], "1", UNCHANGED_1, id="before the share is set"),
        pytest.param([], [KeyboardInterrupt()], "1", SHARE_RETURNED, id="directly after the share is set"),
        pytest.param([None, KeyboardInterrupt()], [], "1", SHARE_RETURNED, id="before all traffic is moved"),
        pytest.param([], [None, KeyboardInterrupt()], "2", UNCHANGED_2, id="directly after all traffic is moved"),
        pytest.param([None, *[KeyboardInterrupt()] * 3], [], "1", SHARE_RETURNED, id="three interruptions"),
    ],
)
def test_an_interruption_at_any_point_leaves_no_share_and_prints_the_routing(
    cloud: FakeLambdaCloud, events_before: list[Event], events_after: list[Event], version: str, last_line: str
) -> None:
    cloud.events_before["update_alias"], cloud.events_after["update_alias"] = list(events_before), list(events_after)
    assert cloud.run("rollout") == 2
    assert cloud.routing() == (version, {})
    assert cloud.printed[-1] == last_line


def test_a_rollout_continues_if_the_response_to_its_start_was_lost(cloud: FakeLambdaCloud) -> None:
    cloud.events_after["update_alias"] = [lost_response_error()]
    assert cloud.run("rollout") == 0
    assert cloud.routing() == ("2", {})


def test_returning_the_share_is_retried_while_the_service_fails(cloud: FakeLambdaCloud) -> None:
    cloud.schedule = [(60.0, lambda: cloud.set_alarm(ALARM, "ALARM"))]
    cloud.events_before["update_alias"] = [None, *[error_response("ServiceException", status=500)] * 3]
    assert cloud.run("rollout") == 1
    assert cloud.routing() == ("1", {})
    assert cloud.now == 60 + 3 * 5, "a pause of five seconds follows each of the three failed calls"


@pytest.mark.parametrize("is_alarm_raised", [True, False])
def test_the_error_for_a_share_that_cannot_be_returned_has_the_remedy(
    cloud: FakeLambdaCloud, is_alarm_raised: bool
) -> None:
    cloud.events_before["update_alias"] = [None, *[error_response("ExpiredTokenException", status=403)] * 20]
    if is_alarm_raised:
        cloud.schedule = [(60.0, lambda: cloud.set_alarm(ALARM, "ALARM"))]
    else:
        cloud.events_before["describe_alarms"] = [None, error_response("ExpiredToken", status=403)]
    assert cloud.run("rollout") == 2
    (line,) = [line for line in cloud.printed if line.startswith("THE SHARE COULD NOT BE RETURNED")]
    assert "version 1 has 90%, version 2 has 10%" in line
    assert f"operations alias --stack dev {PATH} --to 1" in line


@pytest.mark.parametrize(
    ("schedule", "operation", "calls_before_move"),
    [
        pytest.param({60.0: "move"}, "", 0, id="between two checks"),
        pytest.param({}, "describe_alarms", 0, id="when the alarms are first read"),
        pytest.param({}, "describe_alarms", 2, id="at the last check"),
        pytest.param({}, "update_alias", 1, id="before all traffic is moved"),
        pytest.param({60.0: "alarm"}, "update_alias", 1, id="before the share is returned"),
    ],
)
def test_an_alias_that_another_user_moves_is_left_unchanged(
    cloud: FakeLambdaCloud, schedule: dict[float, str], operation: str, calls_before_move: int
) -> None:
    cloud.deploy("code-1", "code-2", "code-3", live="2")
    actions = {"move": lambda: cloud.move_alias("1"), "alarm": lambda: cloud.set_alarm(ALARM, "ALARM")}
    cloud.schedule = [(time, actions[name]) for time, name in schedule.items()]
    cloud.events_before[operation] = [*[None] * calls_before_move, actions["move"]]
    assert cloud.run("rollout", "--minutes", "2") == 2
    assert cloud.routing() == ("1", {})
    assert UNCHANGED_1 in cloud.printed or "update_alias" not in cloud.calls, (
        "a rollout that has begun prints the routing"
    )


@pytest.mark.parametrize(
    "option",
    ["share 0", "share 100", "minutes 0", "minutes nan", "minutes 1441", "every 0", "every 901", "every nan"],
)
def test_parameters_out_of_range_are_refused(cloud: FakeLambdaCloud, run_refused: RunRefused, option: str) -> None:
    name, value = option.split()
    assert f"--{name}" in run_refused("rollout", f"--{name}", value)
    assert cloud.calls == []


def test_parameters_at_the_limits_are_accepted() -> None:
    for share in (1, 99):
        gradual_rollout.RolloutPlan(share=share)
    gradual_rollout.RolloutPlan(minutes=1440)
    gradual_rollout.RolloutPlan(minutes=1, every=60)


def test_an_interval_between_checks_that_is_longer_than_the_rollout_is_refused(
    cloud: FakeLambdaCloud, run_refused: RunRefused
) -> None:
    assert "--every" in run_refused("rollout", "--minutes", "1", "--every", "61")
    assert cloud.calls == []


FAILURES = st.tuples(st.sampled_from(["wait", "get_alias", "update_alias", "describe_alarms"]), st.integers(0, 40))


@given(st.lists(FAILURES, max_size=3))
def test_no_failures_leave_the_traffic_divided(failures: list[tuple[str, int]]) -> None:
    cloud = FakeLambdaCloud()
    cloud.deploy("code-1", "code-2", live="1")
    cloud.set_alarm(ALARM, "OK")
    for operation, call in failures:
        events = cloud.events_before.setdefault(operation, [])
        events += [None] * (call + 1 - len(events))
        events[call] = lost_response_error() if operation != "wait" else KeyboardInterrupt()
    assert cloud.run("rollout") in {0, 2}
    version, weights = cloud.routing()
    assert version in {"1", "2"}
    assert weights == {}
