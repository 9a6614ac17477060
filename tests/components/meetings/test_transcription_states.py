"""Tests of the states that transcribe the parts of a recording's audio: how a part is started, polled and retried.

A part is a section of the audio that is short enough for one job of Amazon Transcribe.
"""

from typing import Any

import pytest

from components.blocks.workflow.polling_intervals import count_polls
from local.emulation.step_functions.parameter_name_conversion import error_name, to_pascal_case
from local.platform.driver_model.service_shapes import service_model
from tests.components.meetings.jsonata_evaluation import (
    AUDIO_PART,
    INPUT,
    MEDIA,
    RECORDING,
    evaluate_choice,
    fill_arguments,
    find_catch,
)
from tests.components.meetings.recorded_deployment import BUCKET, changed_preview, deployed, previewed, states
from tests.fake_engine import Recorded

FIRST_PART = {"Map": {"Item": {"Index": 0}}}
JOB_IN_PROGRESS = {"result": {"TranscriptionJob": {"TranscriptionJobStatus": "IN_PROGRESS"}}}


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
    assert start == {
        "TranscriptionJobName": f"polyphony-test-{user}-{INPUT['meetingId']}-{RECORDING.content}-2-001",
        "LanguageCode": "en-US",
        "MediaFormat": "flac",
        "Media": {"MediaFileUri": f"s3://{BUCKET}/{RECORDING.audio_key(1)}"},
        "OutputBucketName": BUCKET,
        "OutputKey": RECORDING.part_transcript_key(1, "en-US"),
        "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 10},
    }
    assert len(start["TranscriptionJobName"]) <= 200
    variables = fill_arguments(part_states()["StartPart"]["Assign"], context)
    status_request = fill_arguments(part_states()["AskForPart"]["Arguments"], **variables)
    assert status_request == {"TranscriptionJobName": start["TranscriptionJobName"]}


def test_every_attempt_has_its_own_transcription_job() -> None:
    names = []
    for attempt in (1, 1, 2):
        context = {"context": {"Execution": {"Input": {**INPUT, "attempt": attempt}}, "Map": {"Item": {"Index": 0}}}}
        names.append(fill_arguments(part_states()["StartPart"]["Arguments"]["TranscriptionJobName"], context))
    assert names[0] == names[1] != names[2], "otherwise a failed job's name would block the recording for months"


@pytest.mark.parametrize(("has_transcript", "next_state"), [(True, "PartTranscribed"), (False, "StartPart")])
def test_a_part_with_a_transcript_starts_no_job(has_transcript: bool, next_state: str) -> None:
    assert states(deployed())["Transcribe"]["ItemProcessor"]["StartAt"] == "PartAlreadyTranscribed"
    context = {"input": {**AUDIO_PART, "transcribed": has_transcript}}
    assert evaluate_choice(part_states()["PartAlreadyTranscribed"], context) == next_state


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
    assert evaluate_choice(part_states()["PartDone"], status=status, waitedSeconds=waited_seconds) == next_state
    assert {part_states()[name]["Type"] for name in ("PartFailed", "PartTooLate")} == {"Fail"}


@pytest.mark.parametrize(("poll", "minutes"), [(30, 240), (7, 5), (600, 5), (5, 1_440)])
def test_the_polling_interval_and_time_limit_are_settings(poll: int, minutes: int) -> None:
    changed_states = part_states(previewed(processing={"pollSeconds": poll}, speech={"maxMinutes": minutes}))
    variables = fill_arguments(
        changed_states["StartPart"]["Assign"], {"context": {"Execution": {"Input": INPUT}, **FIRST_PART}}
    )
    pauses, next_state = [], "WaitForPart"
    while next_state == "WaitForPart":
        pauses.append(fill_arguments(changed_states["WaitForPart"]["Seconds"], **variables))
        variables |= fill_arguments(changed_states["AskForPart"]["Assign"], JOB_IN_PROGRESS, **variables)
        next_state = evaluate_choice(changed_states["PartDone"], **variables)
    assert next_state == "PartTooLate"
    assert len(pauses) == count_polls(minutes * 60, poll)
    assert pauses == sorted(pauses)
    assert pauses[0] == poll
    assert sum(pauses[:-1]) < minutes * 60 <= sum(pauses) <= max(1.06 * minutes * 60, minutes * 60 + poll)


def test_parts_are_transcribed_concurrently() -> None:
    state = states(changed_preview())["Transcribe"]
    assert (state["MaxConcurrency"], state["Items"]) == (8, "{% $media.audio %}")


@pytest.mark.parametrize("name", ["StartPart", "AskForPart"])
def test_interrupted_calls_and_calls_to_a_busy_service_are_retried(name: str) -> None:
    """If the response of a start was lost, the repeated start finds the job by its name."""
    operation = service_model("transcribe").operation_model(
        to_pascal_case(part_states()[name]["Resource"].rpartition(":")[2])
    )
    codes = ("LimitExceededException", "InternalFailureException", "ThrottlingException", "ServiceUnavailable")
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
