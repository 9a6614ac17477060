"""Tests of the command `flag`, which publishes a version that differs from the live one in one environment variable."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.environment import HandlerEnvironment
from handlers.livestream.fact_check_agent.environment import AgentEnvironment
from handlers.meetings.bedrock_summarize.environment import SummaryEnvironment
from handlers.transcription.audio_processor.environment import ProcessorEnvironment
from handlers.voice_qa.query_worker.environment import WorkerEnvironment
from handlers.voice_qa.websocket_handler.environment import SocketEnvironment
from operations.command_errors import CommandFailed
from operations.environment_variable_command import Assignment, find_model_problem
from tests.operations.fake_lambda_cloud import (
    ENVIRONMENT,
    FUNCTION,
    SECRET,
    FakeLambdaCloud,
    RunRefused,
    lost_response_error,
)

DISABLE_PARTIAL_RESULTS = "PARTIAL_RESULTS_ENABLED=false"
Change = Callable[[FakeLambdaCloud], None]


def change_settings(**settings: Any) -> Change:
    """Return a change of settings of `$LATEST`."""
    return lambda cloud: cloud.functions[FUNCTION].latest.update(settings)


def test_the_new_live_version_has_the_new_value_and_all_others_unchanged(cloud: FakeLambdaCloud) -> None:
    assert cloud.run("flag", DISABLE_PARTIAL_RESULTS) == 0
    assert cloud.routing() == ("3", {})
    assert cloud.live_environment() == {**ENVIRONMENT, "PARTIAL_RESULTS_ENABLED": "false"}
    version = cloud.functions[FUNCTION].versions["3"]
    assert version["CodeSha256"] == "code-2"
    assert version["Description"] == "PARTIAL_RESULTS_ENABLED changed by flag, otherwise 2"


def test_the_output_has_the_undo_command_and_the_setting_but_no_other_value(cloud: FakeLambdaCloud) -> None:
    cloud.run("flag", DISABLE_PARTIAL_RESULTS)
    change = "PARTIAL_RESULTS_ENABLED=false; version 3 has all traffic; before: version 2"
    assert cloud.printed[0] == f"{FUNCTION}: {change}"
    undo = ".venv/bin/python -m operations alias --stack dev transcription/audio-processor --to 2"
    assert f"To undo: {undo}" in cloud.printed
    assert any(line.strip() == "partialResultsEnabled: false" for line in cloud.printed)
    assert any("set it to" in line and '"3"' in line for line in cloud.printed)
    assert SECRET not in "\n".join(cloud.printed)
    cloud.run("alias", "--to", "2")
    assert cloud.live_environment() == ENVIRONMENT


def test_the_alias_moves_only_after_the_update_has_ended_and_the_version_can_be_called(cloud: FakeLambdaCloud) -> None:
    cloud.update_seconds, cloud.pending_seconds = 90, 240
    assert cloud.run("flag", DISABLE_PARTIAL_RESULTS) == 0
    assert cloud.now == 90 + 240


def test_a_variable_with_the_given_value_is_not_changed(cloud: FakeLambdaCloud) -> None:
    assert cloud.run("flag", "PARTIAL_RESULTS_ENABLED=true") == 0
    assert "already have PARTIAL_RESULTS_ENABLED=true" in cloud.printed[0]
    assert not {"update_function_configuration", "publish_version", "update_alias"} & set(cloud.calls)


@pytest.mark.parametrize("is_published", [False, True])
def test_an_interrupted_command_is_completed_by_running_it_again(
    cloud: FakeLambdaCloud, run_refused: RunRefused, is_published: bool
) -> None:
    (cloud.events_after if is_published else cloud.events_before)["publish_version"] = [lost_response_error()]
    assert "Callers still use version 2" in run_refused("flag", DISABLE_PARTIAL_RESULTS)
    assert cloud.run("flag", DISABLE_PARTIAL_RESULTS) == 0
    assert cloud.calls.count("update_function_configuration") == 1
    assert cloud.routing() == ("3", {})
    assert cloud.live_environment()["PARTIAL_RESULTS_ENABLED"] == "false"


def test_a_change_that_was_not_published_can_be_reverted_with_the_old_value(
    cloud: FakeLambdaCloud, run_refused: RunRefused
) -> None:
    cloud.events_before["publish_version"] = [lost_response_error()]
    run_refused("flag", DISABLE_PARTIAL_RESULTS)
    assert cloud.run("flag", "PARTIAL_RESULTS_ENABLED=true") == 0
    assert cloud.functions[FUNCTION].latest["Environment"]["Variables"] == ENVIRONMENT
    assert cloud.routing() == ("2", {})


@pytest.mark.parametrize(
    ("change", "expected_error"),
    [
        (lambda cloud: cloud.deploy("code-1", "code-2", "code-3", live="2"), "in: CodeSha256."),
        (lambda cloud: cloud.change_variables(LOG_LEVEL="DEBUG", NEW_ONE="x"), "in: LOG_LEVEL, NEW_ONE."),
        (change_settings(Layers=[{"Arn": "layer:2", "CodeSize": 10}]), "in: Layers."),
        (change_settings(Timeout=900), "in: Timeout."),
        (change_settings(VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}), "in: VpcConfig."),
        (change_settings(LastUpdateStatus="InProgress"), "update is in progress"),
        (lambda cloud: cloud.move_alias("1", **{"2": 0.1}), "A rollout of"),
    ],
)
def test_the_command_is_refused_if_it_would_publish_another_change(
    cloud: FakeLambdaCloud, run_refused: RunRefused, change: Change, expected_error: str
) -> None:
    change(cloud)
    assert expected_error in run_refused("flag", DISABLE_PARTIAL_RESULTS)
    assert "update_function_configuration" not in cloud.calls


def test_keys_that_lambda_adds_are_not_a_difference(cloud: FakeLambdaCloud) -> None:
    cloud.functions[FUNCTION].latest |= {
        "Layers": [{"Arn": "layer:1", "CodeSize": 11}],
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""},
        "SnapStart": {"OptimizationStatus": "Off"},
        "LastModified": "2027-01-01T00:00:00.000+0000",
        "Description": "another description",
    }
    assert cloud.run("flag", DISABLE_PARTIAL_RESULTS) == 0


@pytest.mark.parametrize(
    ("assignment", "expected_error"),
    [
        ("PARTIAL_RESULT_ENABLED=false", "Did you mean PARTIAL_RESULTS_ENABLED?"),
        ("partial_results_enabled=false", "Did you mean PARTIAL_RESULTS_ENABLED?"),
        ("XYZ=1", "Its variables are: LOG_LEVEL, MIN_STABILITY_THRESHOLD, PARTIAL_RESULTS_ENABLED, PRIVATE_TOKEN"),
        *((f"PARTIAL_RESULTS_ENABLED={value}", "give true or false") for value in ("flase", "False", "0", "off")),
        *((f"MIN_STABILITY_THRESHOLD={value}", "is a number") for value in ("high", "0,9", "1e-1", "true", "0.9\n")),
        (f"PRIVATE_TOKEN={'x' * 4096}", "4096 bytes"),
    ],
)
def test_an_unknown_variable_or_an_invalid_value_is_refused(
    run_refused: RunRefused, assignment: str, expected_error: str
) -> None:
    assert expected_error in run_refused("flag", assignment)


def test_a_number_is_accepted_for_a_variable_with_a_number(cloud: FakeLambdaCloud) -> None:
    assert cloud.run("flag", "MIN_STABILITY_THRESHOLD=0.9") == 0


@pytest.mark.parametrize(
    "text", ["PARTIAL_RESULTS_ENABLED", "=false", "KEY=", "", "1A=x", "A B=x", "hunter2:x", "A\n=x"]
)
def test_a_malformed_assignment_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(CommandFailed, match="must be given as KEY=VALUE") as raised:
        Assignment.parse(text)
    assert "hunter2" not in str(raised.value)


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True), st.text(min_size=1))
def test_a_value_is_everything_after_the_first_equals_sign(name: str, value: str) -> None:
    assert Assignment.parse(f"{name}={value}") == Assignment(name, value)


@pytest.mark.parametrize(
    ("assignment", "allowed"),
    [
        ("MIN_STABILITY_THRESHOLD=85", "a number from 0 to 1"),
        ("MAX_RATE_PER_SECOND=2.5", "an integer from 1 to 20"),
        ("MAX_BUFFER_TIMEOUT=0", "a number from 0.5 to 10"),
        ("LOG_LEVEL=WARN", "one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_value_that_the_settings_reject_is_refused(
    cloud: FakeLambdaCloud, run_refused: RunRefused, assignment: str, allowed: str
) -> None:
    """With such a value, the handler could not start and the next deployment would fail."""
    variables = ProcessorEnvironment(sessions_table_name="s", live_table_name="l").variables()
    for version in (cloud.functions[FUNCTION].latest, cloud.functions[FUNCTION].versions["2"]):
        version["Environment"] = {"Variables": variables}
    assert f"allowed is {allowed}" in run_refused("flag", assignment)
    assert "update_function_configuration" not in cloud.calls


def test_a_variable_whose_format_differs_from_its_setting_is_checked_in_its_own_format(cloud: FakeLambdaCloud) -> None:
    """The setting is a list of languages, and the router's variable is a text with commas."""
    for version in (cloud.functions[FUNCTION].latest, cloud.functions[FUNCTION].versions["2"]):
        version["Environment"] = {"Variables": {"LANGUAGES": "en-US,de-DE"}}
    assert cloud.run("flag", "LANGUAGES=en-US") == 0


@pytest.mark.parametrize(
    ("subsystem", "model", "name", "value", "expected_error"),
    [
        ("voice-qa", WorkerEnvironment, "ANSWER_SECONDS", "1000", "less than or equal to 840"),
        ("voice-qa", SocketEnvironment, "LECTURES_PER_DAY", "2.5", "valid integer"),
        ("meetings", SummaryEnvironment, "PART_CHARACTERS", "2000", "overlap"),
        ("livestream", AgentEnvironment, "CLIP_MIN_SECONDS", "200", "not be greater"),
    ],
)
def test_a_value_that_the_functions_model_rejects_is_refused(
    subsystem: str, model: type[HandlerEnvironment], name: str, value: str, expected_error: str
) -> None:
    required = {field.alias or name: "x" for name, field in model.model_fields.items() if field.is_required()}
    variables = {**required, **model.model_construct().variables()}
    assert find_model_problem(subsystem, variables, name, variables[name]) is None
    problem = find_model_problem(subsystem, variables, name, value)
    assert problem is not None
    assert expected_error in problem
    assert value not in problem.split(), "the value may be a secret"


def test_a_variable_that_no_model_has_is_not_checked() -> None:
    assert find_model_problem("transcription", {"PRIVATE": "1"}, "PRIVATE", "x") is None
    assert find_model_problem("no-such", {"LOG_LEVEL": "INFO"}, "LOG_LEVEL", "loud") is None


def change_log_level(cloud: FakeLambdaCloud) -> None:
    cloud.change_variables(LOG_LEVEL="DEBUG")


@pytest.mark.parametrize(
    ("operation", "change", "expected_error"),
    [
        ("update_function_configuration", change_log_level, "was changed by another user meanwhile"),
        ("publish_version", change_log_level, "Callers still use version 2"),
        (None, change_log_level, "was changed by another user meanwhile"),
        (None, change_settings(CodeSha256="code-3"), "was changed by another user"),
    ],
)
def test_a_concurrent_change_is_neither_overwritten_nor_published(
    cloud: FakeLambdaCloud, run_refused: RunRefused, operation: str | None, change: Change, expected_error: str
) -> None:
    """Another user makes the change before a call of the command, or during its update if `operation` is None."""
    if operation is None:
        cloud.schedule = [(3.0, partial(change, cloud))]
    else:
        cloud.events_before[operation] = [partial(change, cloud)]
    assert expected_error in run_refused("flag", DISABLE_PARTIAL_RESULTS)
    assert set(cloud.functions[FUNCTION].versions) == {"1", "2"}


@pytest.mark.parametrize("during_update", [False, True])
def test_a_concurrent_move_of_the_alias_is_not_overwritten(
    cloud: FakeLambdaCloud, capsys: pytest.CaptureFixture[str], during_update: bool
) -> None:
    if during_update:
        cloud.schedule = [(3.0, lambda: cloud.move_alias("1"))]
    else:
        cloud.events_before["update_alias"] = [lambda: cloud.move_alias("1")]
    assert cloud.run("flag", DISABLE_PARTIAL_RESULTS) == 2
    assert cloud.routing() == ("1", {})
    assert "Nothing was overwritten: version 1 has all traffic" in capsys.readouterr().err


def test_an_endless_update_does_not_change_the_live_version(cloud: FakeLambdaCloud, run_refused: RunRefused) -> None:
    cloud.update_seconds = 1e6
    assert "is not finished" in run_refused("flag", DISABLE_PARTIAL_RESULTS)
    assert cloud.now == 180, "the command waits three minutes"


def test_a_failed_update_does_not_change_the_live_version_and_can_be_repeated(
    cloud: FakeLambdaCloud, run_refused: RunRefused
) -> None:
    cloud.final_update_status = "Failed"
    assert "failed (InvalidSubnet)" in run_refused("flag", DISABLE_PARTIAL_RESULTS)
    cloud.final_update_status = "Successful"
    assert cloud.run("flag", DISABLE_PARTIAL_RESULTS) == 0
    assert cloud.calls.count("update_function_configuration") == 2


def test_an_environment_that_cannot_be_read_is_never_replaced(
    cloud: FakeLambdaCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    function = cloud.functions[FUNCTION]
    for version in (function.versions["2"], function.latest):
        environment = version["Environment"]
        version["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms"}}
        assert cloud.run("flag", DISABLE_PARTIAL_RESULTS) == 2
        assert "kms:Decrypt" in capsys.readouterr().err
        version["Environment"] = environment
    assert "update_function_configuration" not in cloud.calls


def test_an_interruption_does_not_change_the_live_version(cloud: FakeLambdaCloud, run_refused: RunRefused) -> None:
    cloud.events_before["wait"] = [KeyboardInterrupt()]
    assert "Interrupted" in run_refused("flag", DISABLE_PARTIAL_RESULTS)
