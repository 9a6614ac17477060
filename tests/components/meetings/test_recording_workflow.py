"""Tests of the workflow's states: where each leads, and that all waiting times are limited."""

from typing import Any

import pytest
from statelint.linter import Linter

from components.meetings import recording_workflow
from components.settings.meetings_media import ATTEMPTS
from handlers.meetings.bedrock_summarize.workflow_event import SummaryOutcome, SummaryRequest
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.workflow_steps.step_operations import StepEvent, StepOutcome
from tests.components.deployment_harness import REGION_AND_ACCOUNT
from tests.components.meetings.jsonata_evaluation import RECORDING, evaluate_choice, fill_arguments, find_catch
from tests.components.meetings.recorded_deployment import MEETINGS, PREFIX, deployed, previewed, states, workflow

STEPS = f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:{PREFIX}-steps:live"
GIVEN_UP = {
    "GiveMediaUp": "MEDIA_FAILED",
    "GiveTranscriptionUp": "TRANSCRIPTION_FAILED",
    "GiveSummaryUp": "SUMMARY_FAILED",
}
AUDIO = {"key": RECORDING.audio_key(1), "offsetMs": 0, "durationMs": 1}
MEDIA = {"outcome": "ready", "audio": [AUDIO], "language": "en-US", "durationMs": 5}


@pytest.mark.parametrize("engine", ["batch-spot", "fargate"])
def test_the_definition_passes_the_linter(engine: str) -> None:
    found = workflow(previewed(processing={"engine": engine}))
    for scope in (found["States"], found["States"]["Transcribe"]["ItemProcessor"]["States"]):
        for state in scope.values():
            if str(state.get("Seconds", "")).startswith("{%"):
                state["Seconds"] = 1  # AWS accepts an expression here, but the linter does not
    assert Linter.validate(found) == []
    assert found["QueryLanguage"] == "JSONata"


def test_the_definition_is_known_in_a_preview() -> None:
    assert workflow(previewed()) == workflow(deployed())


@pytest.mark.parametrize("outcome", MediaOutcome)
def test_only_recordings_with_audio_are_transcribed(outcome: MediaOutcome) -> None:
    to = evaluate_choice(states(deployed())["AnythingToHear"], media={"outcome": outcome.value})
    assert to == ("Transcribe" if outcome is MediaOutcome.READY else "Done")


@pytest.mark.parametrize("outcome", StepOutcome)
def test_only_current_recordings_are_summarised(outcome: StepOutcome) -> None:
    to = evaluate_choice(states(deployed())["StillWanted"], step={"outcome": outcome.value})
    assert to == ("Summarize" if outcome is StepOutcome.GOES_ON else "Done")


def test_every_step_receives_its_parameters() -> None:
    variables: dict[str, Any] = {
        "spotStarts": 2,
        "job": {"attempts": 1},
        "outcome": "summarized",
        "error": "Batch.ClientException",
        "media": MEDIA,
    }
    found = {}
    for name, state in states(deployed()).items():
        if state.get("Arguments", {}).get("FunctionName") == STEPS:
            step = StepEvent.model_validate(fill_arguments(state["Arguments"]["Payload"], **variables))
            assert (step.execution.recording, step.execution.attempt) == (RECORDING, 2)
            found[name] = (step.step, step.reason)
    assert found == {
        "ReadMedia": ("media", None),
        "MarkTranscribed": ("transcribed", None),
        "Finish": ("finish", None),
        **{name: ("fail", reason) for name, reason in GIVEN_UP.items()},
    }


def test_the_last_step_accepts_every_outcome_of_the_summary() -> None:
    payload = states(deployed())["Finish"]["Arguments"]["Payload"]
    for outcome in SummaryOutcome:
        assert StepEvent.model_validate(fill_arguments(payload, outcome=outcome.value)).outcome == outcome.value


def test_the_summary_function_receives_its_parameters() -> None:
    media = {**MEDIA, "audio": [{**AUDIO, "key": RECORDING.audio_key(0)}]}
    payload = fill_arguments(states(deployed())["Summarize"]["Arguments"]["Payload"], media=media)
    request = SummaryRequest.model_validate(payload)
    assert request.recording == RECORDING
    assert [part.key for part in request.audio] == [RECORDING.audio_key(0)]


def test_a_busy_model_is_retried_and_a_refusal_is_not() -> None:
    state = states(deployed())["Summarize"]
    [busy] = [retrier for retrier in state["Retry"] if "ModelBusy" in retrier["ErrorEquals"]]
    assert (busy["MaxAttempts"], busy["MaxDelaySeconds"], busy["JitterStrategy"]) == (8, 600, "FULL")
    retried_errors = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
    assert not retried_errors & {"ModelRefused", "SummaryUnusable", "States.ALL", "States.TaskFailed"}
    for error in ("ModelBusy", "ModelRefused", "SummaryUnusable", "States.Timeout"):
        assert find_catch(state, error)["Next"] == "GiveSummaryUp"
    assert state["TimeoutSeconds"] > 900, "the function must end before the task's timeout"


def test_every_stage_has_its_own_failure_reason() -> None:
    to = {
        "ReadMedia": "GiveMediaUp",
        "Transcribe": "GiveTranscriptionUp",
        "MarkTranscribed": "GiveTranscriptionUp",
        "Summarize": "GiveSummaryUp",
        "Finish": "GiveSummaryUp",
        **dict.fromkeys(GIVEN_UP, "Failed"),
    }
    found = states(deployed())
    assert {name: find_catch(found[name], "Anything")["Next"] for name in to} == to
    assert {found[name]["Next"] for name in GIVEN_UP} == {"Failed"}
    assert found["Failed"]["Type"] == "Fail", "the execution must count as failed"


def test_failures_keep_only_the_name_of_the_error() -> None:
    inside = states(deployed())["Transcribe"]["ItemProcessor"]["States"]
    for scope in (states(deployed()), inside):
        for state in scope.values():
            for catch in state.get("Catch", ()):
                kept = catch.get("Assign", {})
                assert kept.get("error", "{% $states.errorOutput.Error %}") == "{% $states.errorOutput.Error %}"
                assert "errorOutput" not in str({name: text for name, text in kept.items() if name != "error"})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"processing": {"engine": "fargate"}},
        {"processing": {"timeoutMinutes": 1_440, "capacityMinutes": 720}},
        {"processing": {"maxHours": 24, "spot": {"vcpus": 2, "memoryMb": 4096}}, "speech": {"atOnce": 1}},
    ],
)
def test_the_workflow_timeout_exceeds_all_waiting_times(changes: dict[str, Any]) -> None:
    found = previewed(**changes)
    settings = MEETINGS.settings(**changes)
    job = settings.processing
    waits = (ATTEMPTS * (job.timeout_minutes + job.capacity_minutes) + 2 * job.timeout_minutes) * 60
    rounds = -(-settings.audio_parts // settings.speech.at_once)
    waits += rounds * settings.speech.max_minutes * 60 + states(found)["Summarize"]["TimeoutSeconds"]
    assert 1.05 * waits < workflow(found)["TimeoutSeconds"] == recording_workflow.timeout_seconds(settings)
    assert workflow(found)["TimeoutSeconds"] < 365 * 24 * 3600, "an execution can last at most a year"
