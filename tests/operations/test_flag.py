"""A flag reaches the callers of `live`, alone: every other variable, the code and everything else stay as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.environment import ProcessorEnvironment
from operations.flag import Assignment
from operations.problems import Refused
from tests.operations.cloud import ENVIRONMENT, FUNCTION, SECRET, Cloud, refusal, unanswered

OFF = "PARTIAL_RESULTS_ENABLED=false"


def refused(cloud: Cloud, capsys: pytest.CaptureFixture[str], *assignment: str) -> str:
    """The one line of a flag that was not set; callers have what they had."""
    before = cloud.traffic(), cloud.heard()
    assert cloud.run("flag", *(assignment or (OFF,))) == 2
    assert (cloud.traffic(), cloud.heard()) == before
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert SECRET not in error
    return error


def test_callers_get_the_new_value_and_keep_all_others(cloud: Cloud) -> None:
    assert cloud.run("flag", OFF) == 0
    assert cloud.traffic() == ("3", {})
    assert cloud.heard() == {**ENVIRONMENT, "PARTIAL_RESULTS_ENABLED": "false"}
    assert cloud.functions[FUNCTION].versions["3"]["CodeSha256"] == "code-2"


def test_the_version_before_stays_as_it_was_to_go_back_to(cloud: Cloud) -> None:
    cloud.run("flag", OFF)
    assert cloud.functions[FUNCTION].versions["2"]["Environment"]["Variables"] == ENVIRONMENT
    assert "Back: .venv/bin/python -m operations alias --stack dev transcription/audio-processor --to 2" in cloud.said
    cloud.run("alias", "--to", "2")
    assert cloud.heard() == ENVIRONMENT


def test_it_says_what_was_done_and_what_to_commit_and_no_other_value(cloud: Cloud) -> None:
    cloud.run("flag", OFF)
    assert cloud.said[0] == f"{FUNCTION}: PARTIAL_RESULTS_ENABLED=false; version 3 has all traffic, before 2"
    assert any(line.strip() == "partialResultsEnabled: false" for line in cloud.said)
    assert any("set it to" in line and '"3"' in line for line in cloud.said)
    assert SECRET not in "\n".join(cloud.said)
    assert cloud.functions[FUNCTION].versions["3"]["Description"] == (
        "PARTIAL_RESULTS_ENABLED changed by flag, otherwise 2"
    )


def test_publishing_waits_until_the_update_is_done(cloud: Cloud) -> None:
    cloud.update_seconds = 90
    assert cloud.run("flag", OFF) == 0
    assert cloud.now == 90


def test_callers_wait_until_the_version_can_be_called(cloud: Cloud) -> None:
    cloud.pending_seconds = 240  # a snapshot is made
    assert cloud.run("flag", OFF) == 0
    assert cloud.now == 245


def test_a_version_that_never_gets_ready_gets_no_callers(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.pending_seconds = 1e6
    assert "version 3 of" in refused(cloud, capsys)


def test_a_flag_that_callers_have_already_changes_nothing(cloud: Cloud) -> None:
    assert cloud.run("flag", "PARTIAL_RESULTS_ENABLED=true") == 0
    assert "have PARTIAL_RESULTS_ENABLED=true already" in cloud.said[0]
    assert not {"update_function_configuration", "publish_version", "update_alias"} & set(cloud.calls)


def test_a_command_that_broke_off_is_finished_by_running_it_again(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.before["publish_version"] = [unanswered()]
    assert "callers still have version 2" in refused(cloud, capsys)
    assert cloud.run("flag", OFF) == 0
    assert cloud.calls.count("update_function_configuration") == 1
    assert cloud.heard()["PARTIAL_RESULTS_ENABLED"] == "false"


def test_a_publication_whose_answer_was_lost_is_used_by_the_next_run(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.after["publish_version"] = [unanswered()]
    refused(cloud, capsys)
    assert cloud.run("flag", OFF) == 0
    assert cloud.traffic() == ("3", {})


def test_a_command_that_broke_off_is_undone_by_giving_the_old_value(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.before["publish_version"] = [unanswered()]
    refused(cloud, capsys)
    assert cloud.run("flag", "PARTIAL_RESULTS_ENABLED=true") == 0
    assert cloud.functions[FUNCTION].latest["Environment"]["Variables"] == ENVIRONMENT
    assert cloud.traffic() == ("2", {})


def test_untested_code_is_not_published_along(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.deployed("code-1", "code-2", "code-3", live="2")
    assert "CodeSha256 differ" in refused(cloud, capsys)
    assert "update_function_configuration" not in cloud.calls


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"Layers": [{"Arn": "layer:2", "CodeSize": 10}]}, "Layers"),
        ({"Timeout": 900}, "Timeout"),
        ({"Role": "arn:aws:iam::123456789012:role/two"}, "Role"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}}, "VpcConfig"),
    ],
)
def test_nothing_else_is_published_along(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], changed: dict[str, object], named: str
) -> None:
    cloud.functions[FUNCTION].latest |= changed
    assert f"{named} differ" in refused(cloud, capsys)


def test_what_lambda_adds_to_a_configuration_is_no_difference(cloud: Cloud) -> None:
    cloud.functions[FUNCTION].latest |= {
        "Layers": [{"Arn": "layer:1", "CodeSize": 11}],
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""},
        "SnapStart": {"OptimizationStatus": "Off"},
        "LastModified": "2027-01-01T00:00:00.000+0000",
        "Description": "anew",
    }
    assert cloud.run("flag", OFF) == 0


def test_another_variable_that_was_changed_is_not_published_along(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.somebody_sets(LOG_LEVEL="DEBUG", NEW_ONE="x")
    assert "LOG_LEVEL, NEW_ONE differ" in refused(cloud, capsys)


def test_a_variable_that_the_function_lacks_is_refused_with_the_one_meant(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "did you mean PARTIAL_RESULTS_ENABLED?" in refused(cloud, capsys, "PARTIAL_RESULT_ENABLED=false")
    assert "did you mean PARTIAL_RESULTS_ENABLED?" in refused(cloud, capsys, "partial_results_enabled=false")


def test_a_variable_like_no_other_is_refused_with_those_there_are(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(cloud, capsys, "XYZ=1")
    assert "it has LOG_LEVEL, MIN_STABILITY_THRESHOLD, PARTIAL_RESULTS_ENABLED, PRIVATE_TOKEN" in error


@pytest.mark.parametrize(
    "text", ["PARTIAL_RESULTS_ENABLED", "=false", "KEY=", "", "1A=x", "A B=x", "hunter2:x", "A\n=x"]
)
def test_what_is_no_assignment_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Refused, match="given as KEY=VALUE") as caught:
        Assignment.parse(text)
    assert "hunter2" not in str(caught.value)


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True), st.text(min_size=1))
def test_a_value_is_everything_after_the_first_equals_sign(name: str, value: str) -> None:
    assert Assignment.parse(f"{name}={value}") == Assignment(name, value)


@pytest.mark.parametrize("value", ["flase", "False", "0", "off"])
def test_a_switch_takes_true_or_false_only(cloud: Cloud, capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert "give true or false" in refused(cloud, capsys, f"PARTIAL_RESULTS_ENABLED={value}")


def test_a_number_takes_a_number_only(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    for value in ("high", "0,9", "1e-1", "true", "0.9\n"):
        assert "is a number" in refused(cloud, capsys, f"MIN_STABILITY_THRESHOLD={value}")
    assert cloud.run("flag", "MIN_STABILITY_THRESHOLD=0.9") == 0


@pytest.mark.parametrize(
    ("assignment", "allowed"),
    [
        ("MIN_STABILITY_THRESHOLD=85", "a number from 0 to 1"),
        ("MAX_RATE_PER_SECOND=2.5", "an integer from 1 to 20"),
        ("MAX_RATE_PER_SECOND=0", "an integer from 1 to 20"),
        ("MAX_BUFFER_TIMEOUT=0", "a number from 0.5 to 10"),
        ("ORPHAN_TIMEOUT=3", "a number from 5 to 60"),
        ("DEDUP_CACHE_TTL=10.5", "an integer from 0 to 60"),
        ("LOG_LEVEL=WARN", "one of DEBUG, INFO, WARNING, ERROR"),
        ("LOG_LEVEL=debug", "one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_value_that_the_settings_refuse_reaches_no_caller(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], assignment: str, allowed: str
) -> None:
    """The handler refuses its whole environment for it, and the next deployment would not begin."""
    present = ProcessorEnvironment(sessions_table_name="s", live_table_name="l").variables()
    for one in (cloud.functions[FUNCTION].latest, cloud.functions[FUNCTION].versions["2"]):
        one["Environment"] = {"Variables": present}
    assert f"allowed is {allowed}" in refused(cloud, capsys, assignment)
    assert "update_function_configuration" not in cloud.calls


def test_a_variable_of_another_form_than_its_setting_takes_what_it_took(cloud: Cloud) -> None:
    """The settings have a list of languages, the router's environment has them in one text."""
    for one in (cloud.functions[FUNCTION].latest, cloud.functions[FUNCTION].versions["2"]):
        one["Environment"] = {"Variables": {"LANGUAGES": "en-US,de-DE"}}
    assert cloud.run("flag", "LANGUAGES=en-US") == 0


def test_a_roll_out_under_way_is_not_ended_by_a_flag(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.somebody_moves_the_alias("1", **{"2": 0.1})
    assert "a roll-out of" in refused(cloud, capsys)


def test_a_deployment_under_way_is_waited_for_by_the_operator(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.functions[FUNCTION].latest["LastUpdateStatus"] = "InProgress"
    assert "an update is under way" in refused(cloud, capsys)
    assert "update_function_configuration" not in cloud.calls


def test_a_deployment_that_starts_in_between_is_not_disturbed(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.before["update_function_configuration"] = [refusal("ResourceConflictException", status=409)]
    assert "another update is under way" in refused(cloud, capsys)


def test_a_change_before_the_update_is_not_overwritten(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.before["update_function_configuration"] = [lambda: cloud.somebody_sets(LOG_LEVEL="DEBUG")]
    assert "somebody else changed $LATEST" in refused(cloud, capsys)
    assert cloud.functions[FUNCTION].latest["Environment"]["Variables"]["LOG_LEVEL"] == "DEBUG"


def test_a_change_during_the_update_is_not_published(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.schedule = [(3.0, lambda: cloud.somebody_sets(LOG_LEVEL="DEBUG"))]
    assert "somebody else changed $LATEST" in refused(cloud, capsys)
    assert set(cloud.functions[FUNCTION].versions) == {"1", "2"}


def test_code_that_arrives_during_the_update_is_not_published(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.schedule = [(3.0, lambda: cloud.functions[FUNCTION].latest.update(CodeSha256="code-3"))]
    assert "somebody else changed $LATEST" in refused(cloud, capsys)


def test_a_change_just_before_publishing_is_not_published(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.before["publish_version"] = [lambda: cloud.somebody_sets(LOG_LEVEL="DEBUG")]
    assert "callers still have version 2" in refused(cloud, capsys)
    assert set(cloud.functions[FUNCTION].versions) == {"1", "2"}


def test_of_two_operators_the_second_is_told_and_overwrites_nothing(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.before["update_alias"] = [lambda: cloud.somebody_moves_the_alias("1")]
    assert cloud.run("flag", OFF) == 2
    assert cloud.traffic() == ("1", {})
    assert "nothing was overwritten; version 1 has all traffic" in capsys.readouterr().err


def test_a_move_while_the_version_is_made_is_not_overwritten(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.schedule = [(3.0, lambda: cloud.somebody_moves_the_alias("1"))]
    assert cloud.run("flag", OFF) == 2
    assert cloud.traffic() == ("1", {})
    assert "nothing was overwritten" in capsys.readouterr().err


def test_an_update_that_does_not_end_leaves_callers_alone(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.update_seconds = 1e6
    assert "is not done" in refused(cloud, capsys)
    assert cloud.now == 180


def test_an_update_that_fails_leaves_callers_alone_and_is_tried_anew(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.update_ends = "Failed"
    assert "failed (InvalidSubnet)" in refused(cloud, capsys)
    cloud.update_ends = "Successful"
    assert cloud.run("flag", OFF) == 0
    assert cloud.calls.count("update_function_configuration") == 2


def test_an_environment_that_cannot_be_read_is_never_replaced(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    function = cloud.functions[FUNCTION]
    for one in (function.versions["2"], function.latest):
        whole = one["Environment"]
        one["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms"}}
        assert cloud.run("flag", OFF) == 2
        assert "kms:Decrypt" in capsys.readouterr().err
        one["Environment"] = whole
    assert "update_function_configuration" not in cloud.calls


def test_an_environment_that_gets_too_large_is_refused_without_being_shown(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "4096 bytes" in refused(cloud, capsys, f"PRIVATE_TOKEN={'x' * 4096}")


def test_an_interruption_leaves_callers_alone(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.before["wait"] = [KeyboardInterrupt()]
    assert "interrupted" in refused(cloud, capsys)
