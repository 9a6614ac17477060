"""States of the workflow that processes one recording: make video and audio, transcribe, summarise, update the meeting.

A recording consists of files, which are called chunks. The client uploads them, and then `complete.json`, which lists
them. Each upload of `complete.json` can start an execution of the workflow (an attempt).

1. The media job, an AWS Batch job, makes the video and the audio: first on Fargate Spot, if the settings choose it. If
   that job fails, gets no capacity in time or is interrupted too often, a second job runs on demand. Batch itself
   repeats an interrupted job, up to the number of attempts in the job definition.
2. Amazon Transcribe transcribes the parts of the audio, several at once.
3. Functions read the results, summarise the transcript and update the meeting's record.

The workflow polls the jobs of Batch and Transcribe (docs/decisions/0061). The execution's input names the recording.
Many states share these variables:

- `$job`: the id of the media job. `$jobStatus`: its status at the last request. `$jobSeconds`: the time for which the
  workflow has waited for it. `$statusSince`: the value of `$jobSeconds` when the status was new.
- `$starts`: the number of times that Batch has started the media jobs of this execution. `$earlierStarts`: the part of it
  that belongs to the jobs before the current one.
- `$error`: the name of the error that the workflow reports if it gives up.
- `$media`: the result of the media job, with the parts of the audio.
- `$step`: the response of the function `steps`. `$hasSummary`: true if the transcript was summarised.
"""

from collections.abc import Mapping
from typing import Final

from components.blocks.function import Function
from components.blocks.states import (
    LAMBDA_INVOKE,
    SUCCEED,
    TRANSIENT_LAMBDA_ERRORS,
    Catch,
    Retry,
    State,
    catch,
    choice_state,
    fail_state,
    poll_states,
    retry,
    task_state,
)
from components.meetings.media_job import MediaJob
from components.settings import MeetingsSettings
from components.settings.meetings import ProcessingSettings
from handlers.meetings.bedrock_summarize.models import SummaryBusy
from handlers.meetings.environment import RECORDING_VARIABLES
from handlers.meetings.recording_files import MeetingReason
from handlers.meetings.s3_keys import AUDIO, WORK

FIRST_STATE: Final = "Media"
CALL_SECONDS: Final = 120
"""Timeout of one call to an AWS service or to the function `steps`."""
TIMEOUT_SECONDS: Final = 15 * 24 * 3600
"""Timeout of an execution. The longest jobs that the settings allow take less than two weeks."""
INPUT: Final = "$states.context.Execution.Input"
"""JSONata expression of the execution's input."""
RECORDING: Final = {name: f"{{% {INPUT}.{name} %}}" for name in ("user", "meetingId", "content")}
"""Part of a state's input that names the recording. `content` is a hash of the recording's uploaded files."""
RECORDING_NAME: Final = f"{INPUT}.user & '-' & {INPUT}.meetingId & '-' & {INPUT}.content"
"""JSONata expression of the recording's name in the names of jobs. It contains the user, because two users may have the
same meeting id."""
RETRY: Final = retry(["States.ALL"], attempts=10)
"""Retries of a call that may be repeated after any error.

If only the response of a submission to Batch was lost, the repeated submission starts a second job. This is rare and costs
cents. Both jobs write the same content to the same keys."""
END_REASON: Final = "The workflow waited too long for this job to get capacity or to end"
"""Reason that Batch shows for a job that the workflow has terminated."""
TRANSCRIBE_ERRORS: Final = (
    "Transcribe.LimitExceededException",
    "Transcribe.InternalFailureException",
    "Transcribe.SdkClientException",
    "Transcribe.TranscribeException",
    "States.Timeout",
)
"""Errors after which a transcription job is started again. A repeated start creates no second job, because the job's name
is taken. `TranscribeException` is every error outside Transcribe's API model, for example of a throttled call."""
MAX_SPEAKERS: Final = 10
"""Number of voices that Transcribe distinguishes in one part."""
FAILED: Final = "Failed"
"""Name of the state that fails the execution."""
GIVE_UP: Final = {
    MeetingReason.MEDIA_FAILED: "GiveMediaUp",
    MeetingReason.TRANSCRIPTION_FAILED: "GiveTranscriptionUp",
    MeetingReason.SUMMARY_FAILED: "GiveSummaryUp",
}
"""Names of the states that mark the meeting as failed, by the reason."""


def build_states(
    media: MediaJob, steps: Function, summarize: Function, bucket: str, settings: MeetingsSettings
) -> dict[str, State]:
    """Return all states by name. An execution starts at `FIRST_STATE`."""
    media_failed, transcription_failed, summary_failed = GIVE_UP.values()
    return {
        **_media_states(media, settings.processing),
        "ReadMedia": _step(
            steps,
            {"step": "media", "jobStarts": "{% $starts %}"},
            to="AnythingToHear",
            on_failure=media_failed,
            assign={"media": "{% $states.result.Payload %}"},
        ),
        # Without audio to transcribe, the step has written the final state to the record, or the execution is outdated.
        "AnythingToHear": choice_state([("{% $count($media.audio) > 0 %}", "Transcribe")], otherwise="Done"),
        # One failed part fails the whole state.
        "Transcribe": {
            "Type": "Map",
            "Items": "{% $media.audio %}",
            "MaxConcurrency": settings.speech.at_once,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "StartPart",
                "States": _part_states(bucket, media.scope.context.stack_label, settings),
            },
            "Catch": [_catch_failure(transcription_failed)],
            "Next": "MarkTranscribed",
        },
        "MarkTranscribed": _step(steps, {"step": "transcribed"}, to="StillWanted", on_failure=transcription_failed),
        # Otherwise, the meeting was deleted, or it has a newer attempt.
        "StillWanted": choice_state([("{% $step.isCurrent %}", "Summarize")], otherwise="Done"),
        "Summarize": task_state(
            LAMBDA_INVOKE,
            {
                "FunctionName": summarize.live_arn,
                "Payload": {
                    **RECORDING,
                    **{name: f"{{% $media.{name} %}}" for name in ("language", "durationMs", "audio")},
                },
            },
            settings.bedrock_summarize.timeout_seconds + CALL_SECONDS,
            to="Finish",
            retries=[_retry_busy(SummaryBusy.__name__, *TRANSIENT_LAMBDA_ERRORS)],
            catches=[_catch_failure(summary_failed)],
            assign={"hasSummary": "{% $states.result.Payload.hasSummary %}"},
        ),
        "Finish": _step(
            steps, {"step": "finish", "hasSummary": "{% $hasSummary %}"}, to="Done", on_failure=summary_failed
        ),
        **{
            name: _step(
                steps, {"step": "fail", "reason": reason.value, "error": "{% $error %}"}, to=FAILED, on_failure=FAILED
            )
            for reason, name in GIVE_UP.items()
        },
        FAILED: fail_state(
            "MeetingFailed", "A recording could not be processed. The meeting's record contains the reason."
        ),
        "Done": SUCCEED,
    }


def _media_states(media: MediaJob, settings: ProcessingSettings) -> dict[str, State]:
    """Return the states that run the media job on Spot capacity, if it is used, and otherwise or then on demand."""
    *spot_queues, on_demand_queue = media.queue_arns
    first_job = "SpotJob" if spot_queues else "OnDemandJob"
    states: dict[str, State] = {FIRST_STATE: {"Type": "Pass", "Assign": {"starts": 0}, "Next": first_job}}
    for queue in spot_queues:
        no_capacity = f"$jobStatus = 'RUNNABLE' and $jobSeconds - $statusSince >= {settings.capacity_minutes * 60}"
        is_late = f"{no_capacity} or $jobSeconds >= {settings.spot_seconds}"
        states |= _job_states("SpotJob", media, queue, is_late, settings.poll_seconds, on_failure="OnDemandJob")
    is_late = f"$jobSeconds >= {settings.on_demand_seconds}"
    give_up = GIVE_UP[MeetingReason.MEDIA_FAILED]
    return states | _job_states(
        "OnDemandJob", media, on_demand_queue, is_late, settings.poll_seconds, on_failure=give_up
    )


def _job_states(
    name: str, media: MediaJob, queue: str, is_late: str, poll_seconds: int, *, on_failure: str
) -> dict[str, State]:
    """Return the states that submit the media job to one queue, poll it, and terminate it if `is_late` holds."""
    end, described_job = f"End{name}", "$states.result.Jobs[0]"
    environment = zip(RECORDING_VARIABLES, RECORDING.values(), strict=True)  # names and values of the job's variables
    describe = task_state(
        "arn:aws:states:::aws-sdk:batch:describeJobs",
        {"Jobs": ["{% $job %}"]},
        CALL_SECONDS,
        to=f"{name}Done",
        retries=[RETRY],
        catches=[_catch_failure(end)],
        assign={
            # The text is empty if Batch does not find the job yet.
            "jobStatus": f"{{% {described_job}.Status & '' %}}",
            "statusSince": f"{{% {described_job}.Status = $jobStatus ? $statusSince : $jobSeconds %}}",
            "starts": f"{{% $earlierStarts + $count({described_job}.Attempts) %}}",
            # The error to report if the polling ends with this status.
            "error": f"{{% {described_job}.Status = 'FAILED' ? 'MediaFailed' : 'MediaTooLate' %}}",
        },
    )
    outcomes = [
        ("{% $jobStatus = 'SUCCEEDED' %}", "ReadMedia"),
        ("{% $jobStatus = 'FAILED' %}", on_failure),
        (f"{{% {is_late} %}}", end),
    ]
    return {
        name: task_state(
            "arn:aws:states:::batch:submitJob",
            {
                "JobName": f"{{% 'media-' & {RECORDING_NAME} %}}",
                "JobQueue": queue,
                "JobDefinition": media.name,
                "ContainerOverrides": {"Environment": [{"Name": key, "Value": value} for key, value in environment]},
            },
            CALL_SECONDS,
            to=f"WaitFor{name}",
            retries=[RETRY],
            catches=[_catch_failure(on_failure)],
            assign={
                "job": "{% $states.result.JobId %}",
                "jobStatus": "SUBMITTED",
                "jobSeconds": 0,
                "statusSince": 0,
                "earlierStarts": "{% $starts %}",
            },
        ),
        **poll_states(name, describe, outcomes, waited_variable="jobSeconds", min_pause=poll_seconds),
        end: task_state(
            "arn:aws:states:::aws-sdk:batch:terminateJob",
            {"JobId": "{% $job %}", "Reason": END_REASON},
            CALL_SECONDS,
            to=on_failure,
            retries=[RETRY],
            catches=[catch(on_failure)],
        ),
    }


def _part_states(bucket: str, label: str, settings: MeetingsSettings) -> dict[str, State]:
    """Return the states that transcribe one part of the audio.

    The names of the jobs begin with `label`, which identifies the stack, and contain the number of the execution (the
    attempt). Without this number, a part could not be transcribed again for months, because Transcribe keeps the names
    of ended jobs.
    """
    digits = "$formatNumber($states.context.Map.Item.Index, '000')"
    folder = f"{INPUT}.user & '/' & {INPUT}.meetingId & '/' & {INPUT}.content & '/'"
    name = f"{{% '{label}-' & {RECORDING_NAME} & '-' & $string({INPUT}.attempt) & '-' & {digits} %}}"
    started = {"part": name, "partSeconds": 0}
    describe = task_state(
        "arn:aws:states:::aws-sdk:transcribe:getTranscriptionJob",
        {"TranscriptionJobName": "{% $part %}"},
        CALL_SECONDS,
        to="PartDone",
        retries=[RETRY],
        assign={"partStatus": "{% $states.result.TranscriptionJob.TranscriptionJobStatus %}"},
    )
    outcomes = [
        ("{% $partStatus = 'COMPLETED' %}", "PartTranscribed"),
        ("{% $partStatus = 'FAILED' %}", "PartFailed"),
        (f"{{% $partSeconds >= {settings.speech.max_minutes * 60} %}}", "PartTooLate"),
    ]
    return {
        "StartPart": task_state(
            "arn:aws:states:::aws-sdk:transcribe:startTranscriptionJob",
            {
                "TranscriptionJobName": name,
                "LanguageCode": "{% $media.language %}",
                "MediaFormat": "flac",
                "Media": {"MediaFileUri": f"{{% 's3://{bucket}/{AUDIO}' & {folder} & {digits} & '.flac' %}}"},
                "OutputBucketName": bucket,
                "OutputKey": f"{{% '{WORK}' & {folder} & 'transcripts/' & $media.language & '/' & {digits} & '.json' %}}",
                "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": MAX_SPEAKERS},
            },
            CALL_SECONDS,
            to="WaitForPart",
            retries=[_retry_busy(*TRANSCRIBE_ERRORS)],
            # The job exists already, from an earlier call whose response was lost.
            catches=[catch("WaitForPart", errors=["Transcribe.ConflictException"], assign=started)],
            assign=started,
        ),
        **poll_states(
            "Part", describe, outcomes, waited_variable="partSeconds", min_pause=settings.processing.poll_seconds
        ),
        "PartTranscribed": SUCCEED,
        "PartFailed": fail_state("TranscriptionFailed", "Amazon Transcribe could not transcribe a part."),
        "PartTooLate": fail_state("TranscriptionTooLate", "Amazon Transcribe did not end in time."),
    }


def _step(
    steps: Function, step: Mapping[str, str], to: str, on_failure: str, assign: Mapping[str, str] | None = None
) -> State:
    """Return a state that invokes the function `steps` for one step.

    `assign` are variables to set. By default, `$step` gets the function's response.
    """
    payload = {**step, **RECORDING, "attempt": f"{{% {INPUT}.attempt %}}"}
    return task_state(
        LAMBDA_INVOKE,
        {"FunctionName": steps.live_arn, "Payload": payload},
        CALL_SECONDS,
        to=to,
        retries=[RETRY],
        # In a state that gives up, `$error` already has the error to report.
        catches=[_catch_failure(on_failure) if on_failure != FAILED else catch(FAILED)],
        assign=assign or {"step": "{% $states.result.Payload %}"},
    )


def _retry_busy(*errors: str) -> Retry:
    """Return a retrier for a service that is busy, which may take long."""
    return retry(errors, attempts=8, first_seconds=30, longest_seconds=600)


def _catch_failure(to: str) -> Catch:
    """Return a Catch block for all errors. It stores only the error's name in `$error`, because the cause may contain
    customer data.
    """
    return catch(to, assign={"error": "{% $states.errorOutput.Error %}"})
