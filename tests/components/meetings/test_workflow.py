"""Tests of the workflow's states: their order, parameters, errors, transcription, and the limit of all waiting times.

`test_workflow_media_job.py` tests the states of the media job. A part is a section of the audio that is short enough
for one job of Amazon Transcribe.
"""

from typing import Any

import pytest
from statelint.linter import Linter

from components.meetings import workflow as meeting_workflow
from components.settings.meetings import ATTEMPTS
from handlers.meetings.bedrock_summarize.models import SummaryOutcome, SummaryRequest
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.steps.handler import StepEvent, StepOutcome
from local.drivers.service_shapes import service_model
from local.emulation.step_functions.parameter_name_conversion import error_name, to_pascal_case
from tests.components.deployment_harness import arn
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
    MEETINGS,
    PREFIX,
    changed_deployment,
    deployed,
    states,
    workflow,
)
from tests.fake_engine import Recorded

STEPS = arn("lambda", f"function:{PREFIX}-steps:live")
FIRST_PART = {"Map": {"Item": {"Index": 0}}}
JOB_IN_PROGRESS = {"result": {"TranscriptionJob": {"TranscriptionJobStatus": "IN_PROGRESS"}}}
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
    for outcome in MediaOutcome:
        next_state = evaluate_choice(states(deployed())["AnythingToHear"], media={"outcome": outcome.value})
        assert next_state == ("Transcribe" if outcome is MediaOutcome.READY else "Done")
    for step in StepOutcome:
        next_state = evaluate_choice(states(deployed())["StillWanted"], step={"outcome": step.value})
        assert next_state == ("Summarize" if step is StepOutcome.CURRENT else "Done")


def test_every_step_receives_its_parameters() -> None:
    """A step is a call of the function `steps`, which updates the meeting's record."""
    variables: dict[str, Any] = {"starts": 3, "outcome": "summarized", "error": "Batch.ClientException", "media": MEDIA}
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


def test_the_summary_function_and_the_last_step_receive_their_parameters() -> None:
    media = {**MEDIA, "audio": [{**AUDIO_PART, "key": RECORDING.audio_key(0)}]}
    payload = fill_arguments(states(deployed())["Summarize"]["Arguments"]["Payload"], media=media)
    request = SummaryRequest.model_validate(payload)
    assert (request.recording, [part.key for part in request.audio]) == (RECORDING, [RECORDING.audio_key(0)])
    payload = states(deployed())["Finish"]["Arguments"]["Payload"]
    for outcome in SummaryOutcome:
        assert StepEvent.model_validate(fill_arguments(payload, outcome=outcome.value)).outcome == outcome.value


def test_a_busy_model_is_retried_and_a_refusal_is_not() -> None:
    state = states(deployed())["Summarize"]
    [busy] = [retrier for retrier in state["Retry"] if "SummaryBusy" in retrier["ErrorEquals"]]
    assert (busy["MaxAttempts"], busy["MaxDelaySeconds"], busy["JitterStrategy"]) == (8, 600, "FULL")
    retried_errors = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
    assert not retried_errors & {"SummaryFailed", "States.ALL", "States.TaskFailed"}
    [stopped] = [retrier for retrier in state["Retry"] if "Sandbox.Timedout" in retrier["ErrorEquals"]]
    assert stopped["MaxAttempts"] == 3, "each attempt is billed"
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


def test_the_workflow_timeout_exceeds_all_waiting_times() -> None:
    summary_seconds = workflow(deployed())["States"]["Summarize"]["TimeoutSeconds"]
    assert workflow(deployed())["TimeoutSeconds"] == meeting_workflow.timeout_seconds(MEETINGS.settings())
    changes: list[dict[str, Any]] = [
        {},
        {"processing": {"engine": "fargate"}},
        {"processing": {"timeoutMinutes": 1_440, "capacityMinutes": 720}},
        {"processing": {"maxHours": 24, "spot": {"vcpus": 2, "memoryMb": 4096}}, "speech": {"atOnce": 1}},
    ]
    for settings in (MEETINGS.settings(**changed) for changed in changes):
        job = settings.processing
        on_demand_minutes = 2 * job.timeout_minutes  # the job may first wait for another job of its queue
        media_minutes = ATTEMPTS * (job.timeout_minutes + job.capacity_minutes) + on_demand_minutes
        transcription_minutes = -(-settings.audio_parts // settings.speech.at_once) * settings.speech.max_minutes
        max_seconds = (media_minutes + transcription_minutes) * 60 + summary_seconds
        # Polling notices the end of a job up to a twentieth of its time late. An execution can last at most a year.
        assert 1.05 * max_seconds < meeting_workflow.timeout_seconds(settings) < 365 * 24 * 3600


def part_states(recorded: Recorded | None = None) -> Any:
    """Return the states for one part of the audio."""
    return states(recorded or deployed())["Transcribe"]["ItemProcessor"]["States"]


def retry_count(name: str, error: str) -> int:
    """Return the number of retries of a state after an error."""
    for retrier in part_states()[name]["Retry"]:
        if error in retrier["ErrorEquals"]:
            return int(retrier["MaxAttempts"])
    return 0


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


def test_a_part_with_a_transcript_starts_no_job_and_the_others_are_transcribed_concurrently() -> None:
    assert states(deployed())["Transcribe"]["ItemProcessor"]["StartAt"] == "PartAlreadyTranscribed"
    for has_transcript, next_state in ((True, "PartTranscribed"), (False, "StartPart")):
        context = {"input": {**AUDIO_PART, "transcribed": has_transcript}}
        assert evaluate_choice(part_states()["PartAlreadyTranscribed"], context) == next_state
    state = states(changed_deployment())["Transcribe"]
    assert (state["MaxConcurrency"], state["Items"]) == (8, "{% $media.audio %}")


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


def test_the_polling_interval_and_time_limit_are_settings() -> None:
    changed_states = part_states(changed_deployment())
    variables = fill_arguments(
        changed_states["StartPart"]["Assign"], {"context": {"Execution": {"Input": INPUT}, **FIRST_PART}}
    )
    pauses, next_state = [], "WaitForPart"
    while next_state == "WaitForPart":
        pauses.append(fill_arguments(changed_states["WaitForPart"]["Seconds"], **variables))
        variables |= fill_arguments(changed_states["WaitForPart"]["Assign"], **variables)
        variables |= fill_arguments(changed_states["DescribePart"]["Assign"], JOB_IN_PROGRESS, **variables)
        next_state = evaluate_choice(changed_states["PartDone"], **variables)
    poll, seconds = MEETINGS.settings(**CHANGES).processing.poll_seconds, 17 * 60
    assert (next_state, pauses[0]) == ("PartTooLate", poll)
    assert sum(pauses[:-1]) < seconds <= sum(pauses) <= max(1.06 * seconds, seconds + poll)


def test_interrupted_calls_and_calls_to_a_busy_service_are_retried() -> None:
    """If the response of a start was lost, the repeated start finds the job by its name."""
    codes = ("LimitExceededException", "InternalFailureException", "ThrottlingException", "ServiceUnavailable")
    for name in ("StartPart", "DescribePart"):
        action = to_pascal_case(part_states()[name]["Resource"].rpartition(":")[2])
        operation = service_model("transcribe").operation_model(action)
        errors = [*(error_name(operation, code) for code in codes), "Transcribe.SdkClientException", "States.Timeout"]
        assert [error for error in errors if retry_count(name, error) < 5] == []


def test_a_denied_start_fails_within_ten_minutes() -> None:
    """A denied call has the same error name as a throttled call."""
    [retry] = [
        retrier
        for retrier in part_states()["StartPart"]["Retry"]
        if "Transcribe.TranscribeException" in retrier["ErrorEquals"]
    ]
    pauses = [retry["IntervalSeconds"] * retry["BackoffRate"] ** number for number in range(retry["MaxAttempts"])]
    assert sum(pauses) <= 600
    assert retry_count("StartPart", "Transcribe.BadRequestException") == 0
