"""Tests of the workflow's states: their order, parameters, errors, transcription, and the limit of all waiting times.

`test_workflow_media_job.py` tests the states of the media job. A part is a section of the audio that is short enough
for one job of Amazon Transcribe.
"""

from typing import Any

import pytest
from statelint.linter import Linter

from handlers.meetings.bedrock_summarize.models import SummaryRequest
from handlers.meetings.steps.handler import StepEvent
from local.drivers.service_shapes import service_model
from local.emulation.step_functions.parameter_name_conversion import error_name
from tests.components.deployment_harness import arn
from tests.components.deployments import MEETINGS
from tests.components.meetings.jsonata_evaluation import (
    AUDIO_PART,
    INPUT,
    MEDIA,
    RECORDING,
    evaluate_choice,
    fill_arguments,
    find_catch,
)
from tests.components.meetings.recorded_deployment import (
    BUCKET,
    CHANGES,
    PREFIX,
    changed_deployment,
    count_audio_parts,
    deployed,
    states,
    workflow,
)
from tests.fake_engine import Recorded

STEPS = arn("lambda", f"function:{PREFIX}-steps:live")
FAILURE_REASONS = {
    "GiveMediaUp": "MEDIA_FAILED",
    "GiveTranscriptionUp": "TRANSCRIPTION_FAILED",
    "GiveSummaryUp": "SUMMARY_FAILED",
}
"""States that mark a meeting as failed, with the reason."""


def test_the_definition_passes_the_linter() -> None:
    definition = workflow(deployed())
    for group in (definition["States"], definition["States"]["Transcribe"]["ItemProcessor"]["States"]):
        for state in group.values():
            if str(state.get("Seconds", "")).startswith("{%"):
                state["Seconds"] = 1  # AWS accepts an expression here, but the linter does not
    assert Linter.validate(definition) == []
    assert definition["QueryLanguage"] == "JSONata"


def test_only_recordings_with_audio_are_transcribed_and_summarised_unless_finished_or_superseded() -> None:
    for audio, next_state in (([], "Done"), ([AUDIO_PART], "Transcribe")):
        assert choose_after("ReadMedia", "AnythingToHear", isCurrent=bool(audio), audio=audio) == next_state
    for is_current, next_state in ((False, "Done"), (True, "Summarize")):
        assert choose_after("MarkTranscribed", "StillWanted", isCurrent=is_current, audio=[]) == next_state


def choose_after(step: str, choice: str, **response_fields: Any) -> str:
    """Return the state that a choice selects after a step with this response."""
    assert states(deployed())[step]["Next"] == choice
    response = {"result": {"Payload": response_fields}}
    return evaluate_choice(states(deployed())[choice], **fill_arguments(states(deployed())[step]["Assign"], response))


def test_every_step_receives_its_parameters() -> None:
    """A step is a call of the function `steps`, which updates the meeting's record."""
    variables: dict[str, Any] = {"starts": 3, "hasSummary": True, "error": "Batch.ClientException", "media": MEDIA}
    step_and_reason = {}
    for name, state in states(deployed()).items():
        if state.get("Arguments", {}).get("FunctionName") == STEPS:
            step = StepEvent.model_validate(fill_arguments(state["Arguments"]["Payload"], **variables))
            assert (step.recording, step.attempt) == (RECORDING, 2)
            step_and_reason[name] = (step.step, step.reason)
    assert step_and_reason == {
        "ReadMedia": ("media", None),
        "MarkTranscribed": ("transcribed", None),
        "Finish": ("finish", None),
        **{name: ("fail", reason) for name, reason in FAILURE_REASONS.items()},
    }


def test_the_summary_function_and_the_last_step_receive_their_parameters() -> None:
    payload = fill_arguments(states(deployed())["Summarize"]["Arguments"]["Payload"], media=MEDIA)
    request = SummaryRequest.model_validate(payload)
    assert (request.recording, len(request.audio)) == (RECORDING, 1)
    payload = states(deployed())["Finish"]["Arguments"]["Payload"]
    for has_summary in (True, False):
        assert StepEvent.model_validate(fill_arguments(payload, hasSummary=has_summary)).has_summary is has_summary


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


def part_states(recorded: Recorded | None = None) -> Any:
    """Return the states for one part of the audio."""
    return states(recorded or deployed())["Transcribe"]["ItemProcessor"]["States"]


def test_a_parts_transcript_is_written_to_the_key_that_is_read() -> None:
    context = {"context": {"Execution": {"Input": INPUT}, "Map": {"Item": {"Index": 1}}}, "input": AUDIO_PART}
    user = RECORDING.meeting.user
    start = fill_arguments(part_states()["StartPart"]["Arguments"], context, media=MEDIA)
    assert start["Media"] == {"MediaFileUri": f"s3://{BUCKET}/{RECORDING.audio_key(1)}"}
    assert (start["OutputBucketName"], start["OutputKey"]) == (BUCKET, RECORDING.part_transcript_key(1, "en-US"))
    assert start["Settings"] == {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 10}
    assert start["TranscriptionJobName"] == f"polyphony-test-{user}-{INPUT['meetingId']}-{RECORDING.content}-2-001"
    assert len(start["TranscriptionJobName"]) <= 200
    variables = fill_arguments(part_states()["StartPart"]["Assign"], context)
    status_request = fill_arguments(part_states()["DescribePart"]["Arguments"], **variables)
    assert status_request == {"TranscriptionJobName": start["TranscriptionJobName"]}


def test_every_attempt_has_its_own_transcription_job() -> None:
    names = []
    for attempt in (1, 1, 2):
        context = {"context": {"Execution": {"Input": {**INPUT, "attempt": attempt}}, "Map": {"Item": {"Index": 0}}}}
        names.append(fill_arguments(part_states()["StartPart"]["Arguments"]["TranscriptionJobName"], context))
    assert names[0] == names[1] != names[2], "otherwise a failed job's name would block the recording for months"


def test_every_part_is_transcribed_and_several_at_once() -> None:
    state = states(changed_deployment())["Transcribe"]
    assert (state["MaxConcurrency"], state["Items"]) == (8, "{% $media.audio %}")
    assert state["ItemProcessor"]["StartAt"] == "StartPart"


def test_a_job_whose_start_response_was_lost_is_polled_like_any_other() -> None:
    """Transcribe answers the repeated start with a conflict, because a job with this name exists."""
    start = part_states()["StartPart"]
    conflict = find_catch(start, "Transcribe.ConflictException")
    assert conflict["Next"] == start["Next"] == "WaitForPart"
    assert conflict["Assign"] == start["Assign"]
    assert len(start["Catch"]) == 1, "the Map state catches all other errors"


@pytest.mark.parametrize(
    ("status", "waited_seconds", "next_state"),
    [
        ("COMPLETED", 14_400, "PartTranscribed"),
        ("FAILED", 30, "PartFailed"),
        ("IN_PROGRESS", 14_399, "WaitForPart"),
        ("QUEUED", 30, "WaitForPart"),
        ("IN_PROGRESS", 14_400, "PartTooLate"),
        ("SOMETHING_NEW", 14_400, "PartTooLate"),
    ],
)
def test_a_part_is_polled_until_it_is_done_or_too_late(status: str, waited_seconds: int, next_state: str) -> None:
    """By default, a part is too late after four hours."""
    assert evaluate_choice(part_states()["PartDone"], partStatus=status, partSeconds=waited_seconds) == next_state
    assert {part_states()[name]["Type"] for name in ("PartFailed", "PartTooLate")} == {"Fail"}


def test_the_polling_interval_and_the_time_limit_of_a_part_are_settings() -> None:
    start = part_states(changed_deployment())["StartPart"]
    waits = part_states(changed_deployment())["WaitForPart"]
    assert start["Assign"]["partSeconds"] == 0
    assert fill_arguments(waits["Seconds"], partSeconds=0) == MEETINGS.settings(**CHANGES).processing.poll_seconds
    done = part_states(changed_deployment())["PartDone"]
    next_states = [evaluate_choice(done, partStatus="IN_PROGRESS", partSeconds=17 * 60 - late) for late in (1, 0)]
    assert next_states == ["WaitForPart", "PartTooLate"]


def test_failed_calls_are_repeated_for_long_if_a_service_is_busy() -> None:
    """A start of a transcription that was refused, and a summary that cannot be written, are not repeated."""
    tasks = {**states(deployed()), **part_states()}
    retries = {name: state["Retry"] for name, state in tasks.items() if state["Type"] == "Task"}
    [summary], [start] = retries.pop("Summarize"), retries.pop("StartPart")
    for busy in (summary, start):
        assert (busy["MaxAttempts"], busy["IntervalSeconds"], busy["MaxDelaySeconds"]) == (8, 30, 600)
    assert {"SummaryBusy", "Lambda.TooManyRequestsException"} <= set(summary["ErrorEquals"])
    operation = service_model("transcribe").operation_model("StartTranscriptionJob")
    codes = ("LimitExceededException", "InternalFailureException", "ThrottlingException", "ServiceUnavailable")
    assert {*(error_name(operation, code) for code in codes), "States.Timeout"} <= set(start["ErrorEquals"])
    not_repeated = {"SummaryFailed", "Transcribe.BadRequestException", "Transcribe.ConflictException", "States.ALL"}
    assert not not_repeated & {*summary["ErrorEquals"], *start["ErrorEquals"]}
    for name, [retrier] in retries.items():
        assert (retrier["ErrorEquals"], retrier["MaxAttempts"]) == (["States.ALL"], 10), name


def test_the_jobs_of_the_longest_recording_end_before_the_workflow_times_out() -> None:
    longest = {"timeoutMinutes": 1_440, "capacityMinutes": 720, "maxHours": 24}
    settings = MEETINGS.settings(processing=longest, speech={"atOnce": 1, "maxMinutes": 1_440})
    job, speech_minutes = settings.processing, count_audio_parts(settings) * settings.speech.max_minutes
    seconds = job.spot_seconds + job.on_demand_seconds + speech_minutes * 60
    # Polling notices the end of a job up to a twentieth of its time late.
    assert 1.05 * seconds < workflow(deployed())["TimeoutSeconds"]
