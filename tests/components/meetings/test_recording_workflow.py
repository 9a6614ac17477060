"""Tests of the workflow's states: their order, their parameters and errors, and the limit of all waiting times."""

from typing import Any

import pytest
from statelint.linter import Linter

from components.meetings import recording_workflow
from components.settings.meetings_media import ATTEMPTS
from handlers.meetings.bedrock_summarize.workflow_event import SummaryOutcome, SummaryRequest
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.workflow_steps.step_operations import StepEvent, StepOutcome
from tests.components.deployment_harness import arn
from tests.components.meetings.jsonata_evaluation import (
    AUDIO_PART,
    MEDIA,
    RECORDING,
    evaluate_choice,
    fill_arguments,
    find_catch,
)
from tests.components.meetings.recorded_deployment import MEETINGS, PREFIX, deployed, previewed, states, workflow

STEPS = arn("lambda", f"function:{PREFIX}-steps:live")
FAILURE_REASONS = {
    "GiveMediaUp": "MEDIA_FAILED",
    "GiveTranscriptionUp": "TRANSCRIPTION_FAILED",
    "GiveSummaryUp": "SUMMARY_FAILED",
}
"""States that mark a meeting as failed, with the reason."""


@pytest.mark.parametrize("engine", ["batch-spot", "fargate"])
def test_the_definition_passes_the_linter(engine: str) -> None:
    definition = workflow(previewed(processing={"engine": engine}))
    for group in (definition["States"], definition["States"]["Transcribe"]["ItemProcessor"]["States"]):
        for state in group.values():
            if str(state.get("Seconds", "")).startswith("{%"):
                state["Seconds"] = 1  # AWS accepts an expression here, but the linter does not
    assert Linter.validate(definition) == []
    assert definition["QueryLanguage"] == "JSONata"


def test_a_preview_shows_the_whole_definition() -> None:
    assert workflow(previewed()) == workflow(deployed())


@pytest.mark.parametrize("outcome", MediaOutcome)
def test_only_recordings_with_audio_are_transcribed(outcome: MediaOutcome) -> None:
    next_state = evaluate_choice(states(deployed())["AnythingToHear"], media={"outcome": outcome.value})
    assert next_state == ("Transcribe" if outcome is MediaOutcome.READY else "Done")


@pytest.mark.parametrize("outcome", StepOutcome)
def test_a_meeting_is_summarised_unless_it_is_finished_or_superseded(outcome: StepOutcome) -> None:
    next_state = evaluate_choice(states(deployed())["StillWanted"], step={"outcome": outcome.value})
    assert next_state == ("Summarize" if outcome is StepOutcome.GOES_ON else "Done")


def test_every_step_receives_its_parameters() -> None:
    """A step is a call of the function `steps`, which updates the meeting's record."""
    variables: dict[str, Any] = {
        "spotStarts": 2,
        "job": {"attempts": 1},
        "outcome": "summarized",
        "error": "Batch.ClientException",
        "media": MEDIA,
    }
    step_and_reason = {}
    for name, state in states(deployed()).items():
        if state.get("Arguments", {}).get("FunctionName") == STEPS:
            step = StepEvent.model_validate(fill_arguments(state["Arguments"]["Payload"], **variables))
            assert (step.execution.recording, step.execution.attempt) == (RECORDING, 2)
            step_and_reason[name] = (step.step, step.reason)
    assert step_and_reason == {
        "ReadMedia": ("media", None),
        "MarkTranscribed": ("transcribed", None),
        "Finish": ("finish", None),
        **{name: ("fail", reason) for name, reason in FAILURE_REASONS.items()},
    }


def test_the_last_step_accepts_every_outcome_of_the_summary() -> None:
    payload = states(deployed())["Finish"]["Arguments"]["Payload"]
    for outcome in SummaryOutcome:
        assert StepEvent.model_validate(fill_arguments(payload, outcome=outcome.value)).outcome == outcome.value


def test_the_summary_function_receives_its_parameters() -> None:
    media = {**MEDIA, "audio": [{**AUDIO_PART, "key": RECORDING.audio_key(0)}]}
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


def test_an_error_in_a_stage_leads_to_the_stages_failure_state() -> None:
    next_states = {
        "ReadMedia": "GiveMediaUp",
        "Transcribe": "GiveTranscriptionUp",
        "MarkTranscribed": "GiveTranscriptionUp",
        "Summarize": "GiveSummaryUp",
        "Finish": "GiveSummaryUp",
        **dict.fromkeys(FAILURE_REASONS, "Failed"),
    }
    all_states = states(deployed())
    assert {name: find_catch(all_states[name], "AnyError")["Next"] for name in next_states} == next_states
    assert {all_states[name]["Next"] for name in FAILURE_REASONS} == {"Failed"}
    assert all_states["Failed"]["Type"] == "Fail", "the execution must count as failed"


def test_a_catch_block_keeps_only_the_name_of_the_error() -> None:
    part_states = states(deployed())["Transcribe"]["ItemProcessor"]["States"]
    for state in (*states(deployed()).values(), *part_states.values()):
        for catch in state.get("Catch", ()):
            assigned = dict(catch.get("Assign", {}))
            error_name = "{% $states.errorOutput.Error %}"
            assert assigned.pop("error", error_name) == error_name
            assert "errorOutput" not in str(assigned)


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
    definition = workflow(previewed(**changes))
    settings = MEETINGS.settings(**changes)
    job = settings.processing
    on_demand_minutes = 2 * job.timeout_minutes  # the job may first wait for another job of its queue
    media_minutes = ATTEMPTS * (job.timeout_minutes + job.capacity_minutes) + on_demand_minutes
    transcription_rounds = -(-settings.audio_parts // settings.speech.at_once)
    transcription_minutes = transcription_rounds * settings.speech.max_minutes
    summary_seconds = definition["States"]["Summarize"]["TimeoutSeconds"]
    max_seconds = (media_minutes + transcription_minutes) * 60 + summary_seconds
    # Polling notices the end of a job up to a twentieth of its time late.
    assert 1.05 * max_seconds < definition["TimeoutSeconds"] == recording_workflow.timeout_seconds(settings)
    assert definition["TimeoutSeconds"] < 365 * 24 * 3600, "an execution can last at most a year"
