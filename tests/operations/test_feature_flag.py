"""A flag reaches the callers of `live`, alone: every other variable, the code and everything else stay as they were."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.environment import HandlerEnvironment
from handlers.livestream.agent.environment import AgentEnvironment
from handlers.meetings.bedrock_summarize.environment import SummaryEnvironment
from handlers.transcription.audio_processor.environment import ProcessorEnvironment
from handlers.voice_qa.query_worker.environment import WorkerEnvironment
from handlers.voice_qa.websocket_handler.environment import SocketEnvironment
from operations.command_errors import Refused
from operations.feature_flag import Assignment, model_refusal
from tests.operations.fake_cloud import ENVIRONMENT, FUNCTION, SECRET, Cloud, refusal, unanswered

OFF = "PARTIAL_RESULTS_ENABLED=false"
Refusal = Callable[..., str]
Change = Callable[[Cloud], object]


def test_callers_get_the_new_value_and_keep_all_others(cloud: Cloud) -> None:
    assert cloud.run("flag", OFF) == 0
    assert cloud.traffic() == ("3", {})
    assert cloud.heard() == {**ENVIRONMENT, "PARTIAL_RESULTS_ENABLED": "false"}
    made = cloud.functions[FUNCTION].versions["3"]
    assert (made["CodeSha256"], made["Description"]) == (
        "code-2",
        "PARTIAL_RESULTS_ENABLED changed by flag, otherwise 2",
    )


def test_it_says_how_to_go_back_and_what_to_commit_and_no_other_value(cloud: Cloud) -> None:
    cloud.run("flag", OFF)
    assert cloud.said[0] == f"{FUNCTION}: PARTIAL_RESULTS_ENABLED=false; version 3 has all traffic, before 2"
    assert "Back: .venv/bin/python -m operations alias --stack dev transcription/audio-processor --to 2" in cloud.said
    assert any(line.strip() == "partialResultsEnabled: false" for line in cloud.said)
    assert any("set it to" in line and '"3"' in line for line in cloud.said)
    assert SECRET not in "\n".join(cloud.said)
    cloud.run("alias", "--to", "2")
    assert cloud.heard() == ENVIRONMENT


def test_callers_wait_until_the_update_is_done_and_the_version_can_be_called(cloud: Cloud) -> None:
    cloud.update_seconds, cloud.pending_seconds = 90, 240
    assert cloud.run("flag", OFF) == 0
    assert cloud.now == 90 + 240


def test_a_flag_that_callers_have_already_changes_nothing(cloud: Cloud) -> None:
    assert cloud.run("flag", "PARTIAL_RESULTS_ENABLED=true") == 0
    assert "have PARTIAL_RESULTS_ENABLED=true already" in cloud.said[0]
    assert not {"update_function_configuration", "publish_version", "update_alias"} & set(cloud.calls)


@pytest.mark.parametrize("published", [False, True])
def test_a_command_that_broke_off_is_finished_by_running_it_again(
    cloud: Cloud, refused: Refusal, published: bool
) -> None:
    (cloud.after if published else cloud.before)["publish_version"] = [unanswered()]
    assert "callers still have version 2" in refused("flag", OFF)
    assert cloud.run("flag", OFF) == 0
    assert cloud.calls.count("update_function_configuration") == 1
    assert cloud.traffic() == ("3", {})
    assert cloud.heard()["PARTIAL_RESULTS_ENABLED"] == "false"


def test_a_command_that_broke_off_is_undone_by_giving_the_old_value(cloud: Cloud, refused: Refusal) -> None:
    cloud.before["publish_version"] = [unanswered()]
    refused("flag", OFF)
    assert cloud.run("flag", "PARTIAL_RESULTS_ENABLED=true") == 0
    assert cloud.functions[FUNCTION].latest["Environment"]["Variables"] == ENVIRONMENT
    assert cloud.traffic() == ("2", {})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda cloud: cloud.deployed("code-1", "code-2", "code-3", live="2"), "CodeSha256 differ"),
        (lambda cloud: cloud.somebody_sets(LOG_LEVEL="DEBUG", NEW_ONE="x"), "LOG_LEVEL, NEW_ONE differ"),
        *(
            (lambda cloud, found={name: value}: cloud.functions[FUNCTION].latest.update(found), f"{name} differ")
            for name, value in {
                "Layers": [{"Arn": "layer:2", "CodeSize": 10}],
                "Timeout": 900,
                "Role": "arn:aws:iam::123456789012:role/two",
                "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
            }.items()
        ),
        (
            lambda cloud: cloud.functions[FUNCTION].latest.update(LastUpdateStatus="InProgress"),
            "an update is under way",
        ),
        (lambda cloud: cloud.somebody_moves_the_alias("1", **{"2": 0.1}), "a roll-out of"),
    ],
)
def test_nothing_but_the_flag_is_ever_published(cloud: Cloud, refused: Refusal, change: Change, says: str) -> None:
    change(cloud)
    assert says in refused("flag", OFF)
    assert "update_function_configuration" not in cloud.calls


def test_what_lambda_adds_to_a_configuration_is_no_difference(cloud: Cloud) -> None:
    cloud.functions[FUNCTION].latest |= {
        "Layers": [{"Arn": "layer:1", "CodeSize": 11}],
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""},
        "SnapStart": {"OptimizationStatus": "Off"},
        "LastModified": "2027-01-01T00:00:00.000+0000",
        "Description": "anew",
    }
    assert cloud.run("flag", OFF) == 0


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("PARTIAL_RESULT_ENABLED=false", "did you mean PARTIAL_RESULTS_ENABLED?"),
        ("partial_results_enabled=false", "did you mean PARTIAL_RESULTS_ENABLED?"),
        ("XYZ=1", "it has LOG_LEVEL, MIN_STABILITY_THRESHOLD, PARTIAL_RESULTS_ENABLED, PRIVATE_TOKEN"),
        *((f"PARTIAL_RESULTS_ENABLED={value}", "give true or false") for value in ("flase", "False", "0", "off")),
        *((f"MIN_STABILITY_THRESHOLD={value}", "is a number") for value in ("high", "0,9", "1e-1", "true", "0.9\n")),
        (f"PRIVATE_TOKEN={'x' * 4096}", "4096 bytes"),
    ],
)
def test_what_the_function_cannot_have_is_refused(refused: Refusal, assignment: str, says: str) -> None:
    assert says in refused("flag", assignment)


def test_a_number_is_taken_for_a_number(cloud: Cloud) -> None:
    assert cloud.run("flag", "MIN_STABILITY_THRESHOLD=0.9") == 0


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


@pytest.mark.parametrize(
    ("assignment", "allowed"),
    [
        ("MIN_STABILITY_THRESHOLD=85", "a number from 0 to 1"),
        ("MAX_RATE_PER_SECOND=2.5", "an integer from 1 to 20"),
        ("MAX_BUFFER_TIMEOUT=0", "a number from 0.5 to 10"),
        ("LOG_LEVEL=WARN", "one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_value_that_the_settings_refuse_reaches_no_caller(
    cloud: Cloud, refused: Refusal, assignment: str, allowed: str
) -> None:
    """The handler refuses its whole environment for it, and the next deployment would not begin."""
    present = ProcessorEnvironment(sessions_table_name="s", live_table_name="l").variables()
    for one in (cloud.functions[FUNCTION].latest, cloud.functions[FUNCTION].versions["2"]):
        one["Environment"] = {"Variables": present}
    assert f"allowed is {allowed}" in refused("flag", assignment)
    assert "update_function_configuration" not in cloud.calls


def test_a_variable_of_another_form_than_its_setting_takes_what_it_took(cloud: Cloud) -> None:
    """The settings have a list of languages, the router's environment has them in one text."""
    for one in (cloud.functions[FUNCTION].latest, cloud.functions[FUNCTION].versions["2"]):
        one["Environment"] = {"Variables": {"LANGUAGES": "en-US,de-DE"}}
    assert cloud.run("flag", "LANGUAGES=en-US") == 0


def present(model: type[HandlerEnvironment]) -> Mapping[str, str]:
    """What a function of this model has: its defaults, and some text where there is none."""
    return {
        **{one.alias or name: "x" for name, one in model.model_fields.items() if one.is_required()},
        **model.model_construct().variables(),
    }


@pytest.mark.parametrize(
    ("subsystem", "model", "name", "value", "says"),
    [
        ("voice-qa", WorkerEnvironment, "ANSWER_SECONDS", "1000", "less than or equal to 840"),
        ("voice-qa", SocketEnvironment, "LECTURES_PER_DAY", "2.5", "valid integer"),
        ("meetings", SummaryEnvironment, "PART_CHARACTERS", "2000", "overlap"),
        ("livestream", AgentEnvironment, "CLIP_MIN_SECONDS", "200", "not longer"),
    ],
)
def test_what_a_function_would_refuse_is_refused_also_by_the_rules_of_its_group(
    subsystem: str, model: type[HandlerEnvironment], name: str, value: str, says: str
) -> None:
    now = present(model)
    assert model_refusal(subsystem, now, name, now[name]) is None
    said = model_refusal(subsystem, now, name, value)
    assert said is not None
    assert says in said
    assert value not in said.split()


def test_variables_that_no_model_has_are_nobodys_to_judge() -> None:
    assert model_refusal("transcription", {"PRIVATE": "1"}, "PRIVATE", "x") is None
    assert model_refusal("no-such", {"LOG_LEVEL": "INFO"}, "LOG_LEVEL", "loud") is None


def test_a_deployment_that_starts_in_between_is_not_disturbed(cloud: Cloud, refused: Refusal) -> None:
    cloud.before["update_function_configuration"] = [refusal("ResourceConflictException", status=409)]
    assert "another update is under way" in refused("flag", OFF)


def test_a_change_before_the_update_is_not_overwritten(cloud: Cloud, refused: Refusal) -> None:
    cloud.before["update_function_configuration"] = [lambda: cloud.somebody_sets(LOG_LEVEL="DEBUG")]
    assert "somebody else changed $LATEST" in refused("flag", OFF)
    assert cloud.functions[FUNCTION].latest["Environment"]["Variables"]["LOG_LEVEL"] == "DEBUG"


@pytest.mark.parametrize(
    "change",
    [
        lambda cloud: cloud.somebody_sets(LOG_LEVEL="DEBUG"),
        lambda cloud: cloud.functions[FUNCTION].latest.update(CodeSha256="code-3"),
    ],
)
def test_a_change_during_the_update_is_not_published(cloud: Cloud, refused: Refusal, change: Change) -> None:
    cloud.schedule = [(3.0, lambda: change(cloud))]
    assert "somebody else changed $LATEST" in refused("flag", OFF)
    assert set(cloud.functions[FUNCTION].versions) == {"1", "2"}


def test_a_change_just_before_publishing_is_not_published(cloud: Cloud, refused: Refusal) -> None:
    cloud.before["publish_version"] = [lambda: cloud.somebody_sets(LOG_LEVEL="DEBUG")]
    assert "callers still have version 2" in refused("flag", OFF)
    assert set(cloud.functions[FUNCTION].versions) == {"1", "2"}


@pytest.mark.parametrize("while_it_is_made", [False, True])
def test_of_two_operators_the_second_is_told_and_overwrites_nothing(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], while_it_is_made: bool
) -> None:
    if while_it_is_made:
        cloud.schedule = [(3.0, lambda: cloud.somebody_moves_the_alias("1"))]
    else:
        cloud.before["update_alias"] = [lambda: cloud.somebody_moves_the_alias("1")]
    assert cloud.run("flag", OFF) == 2
    assert cloud.traffic() == ("1", {})
    assert "nothing was overwritten; version 1 has all traffic" in capsys.readouterr().err


def test_an_update_that_does_not_end_leaves_callers_alone(cloud: Cloud, refused: Refusal) -> None:
    cloud.update_seconds = 1e6
    assert "is not done" in refused("flag", OFF)
    assert cloud.now == 180


def test_an_update_that_fails_leaves_callers_alone_and_is_tried_anew(cloud: Cloud, refused: Refusal) -> None:
    cloud.update_ends = "Failed"
    assert "failed (InvalidSubnet)" in refused("flag", OFF)
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


def test_an_interruption_leaves_callers_alone(cloud: Cloud, refused: Refusal) -> None:
    cloud.before["wait"] = [KeyboardInterrupt()]
    assert "interrupted" in refused("flag", OFF)
