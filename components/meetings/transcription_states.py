"""Workflow states that transcribe the audio of a recording, which is divided into parts: one job of Amazon Transcribe
for each part, several jobs concurrently.

Transcribe does not notify the workflow when a job ends, so the workflow polls the job, for a limited time. A part whose
transcript exists from an earlier execution is not transcribed again. The job's name contains the number of the
execution (the attempt). Without this number, a part that failed could not be transcribed again for months, because
Transcribe also keeps the names of failed jobs.
"""

from collections.abc import Mapping
from typing import Final

from components.blocks.workflow.polling_intervals import pause_expression
from components.blocks.workflow.state_definitions import (
    SUCCEED,
    State,
    catch,
    choice_state,
    fail_state,
    map_state,
    retry,
    task_state,
    wait_state,
)
from components.meetings.workflow_expressions import CALL_SECONDS, INPUT, RECORDING_NAME, catch_failure
from components.settings import MeetingsSettings
from handlers.meetings.s3_keys import WORK

MAX_SPEAKERS: Final = 10
"""Number of voices that Transcribe distinguishes in one part."""
TRANSCRIBE: Final = "arn:aws:states:::aws-sdk:transcribe"
"""Prefix of the resources with which states call Amazon Transcribe."""
RETRYABLE_ERRORS: Final = (
    "Transcribe.LimitExceededException",
    "Transcribe.InternalFailureException",
    "Transcribe.SdkClientException",
    "States.Timeout",
)
"""Errors after which a call is repeated. A repeated start creates no second job, because the job's name is taken."""
UNNAMED_ERROR: Final = "Transcribe.TranscribeException"
"""Name of every error that is not in Transcribe's API model: for example of a throttled call, but also of a denied
call."""
FIRST_PART_STATE: Final = "PartAlreadyTranscribed"
PART_DIGITS: Final = "$formatNumber($states.context.Map.Item.Index, '000')"
"""JSONata expression of a part's number with three digits, as in the part's S3 key."""
WORK_PREFIX: Final = f"'{WORK}' & {INPUT}.user & '/' & {INPUT}.meetingId & '/' & {INPUT}.content & '/'"
"""JSONata expression of the key prefix for the recording's intermediate objects."""


def transcription_states(bucket: str, label: str, settings: MeetingsSettings, *, to: str, on_failure: str) -> State:
    """Return a Map state that transcribes each audio part in `$media.audio`.

    The names of the jobs begin with `label`, which identifies the stack.
    """
    first_pause = settings.processing.poll_seconds
    name = f"'{label}-' & {RECORDING_NAME} & '-' & $string({INPUT}.attempt) & '-' & {PART_DIGITS}"
    started_job = {"name": f"{{% {name} %}}", "waitedSeconds": 0, "pauseSeconds": first_pause}
    part_states: Mapping[str, State] = {
        FIRST_PART_STATE: choice_state([("{% $states.input.transcribed %}", "PartTranscribed")], otherwise="StartPart"),
        "StartPart": task_state(
            f"{TRANSCRIBE}:startTranscriptionJob",
            {
                "TranscriptionJobName": f"{{% {name} %}}",
                "LanguageCode": "{% $media.language %}",
                "MediaFormat": "flac",
                "Media": {"MediaFileUri": f"{{% 's3://{bucket}/' & $states.input.key %}}"},
                "OutputBucketName": bucket,
                "OutputKey": f"{{% {WORK_PREFIX} & 'transcripts/' & $media.language & '/' & {PART_DIGITS} & '.json' %}}",
                "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": MAX_SPEAKERS},
            },
            CALL_SECONDS,
            to="WaitForPart",
            retries=[
                retry(RETRYABLE_ERRORS, attempts=20, first_seconds=30, longest_seconds=600),
                retry([UNNAMED_ERROR], attempts=6, first_seconds=5),
            ],
            # The job exists already, from an earlier call whose response was lost.
            catches=[catch("WaitForPart", errors=["Transcribe.ConflictException"], assign=started_job)],
            assign=started_job,
        ),
        "WaitForPart": wait_state("{% $pauseSeconds %}", "AskForPart"),
        "AskForPart": task_state(
            f"{TRANSCRIBE}:getTranscriptionJob",
            {"TranscriptionJobName": "{% $name %}"},
            CALL_SECONDS,
            to="PartDone",
            retries=[retry([*RETRYABLE_ERRORS, UNNAMED_ERROR], attempts=10, first_seconds=5)],
            assign={
                "status": "{% $states.result.TranscriptionJob.TranscriptionJobStatus %}",
                "waitedSeconds": "{% $waitedSeconds + $pauseSeconds %}",
                "pauseSeconds": f"{{% {pause_expression('$waitedSeconds + $pauseSeconds', first_pause)} %}}",
            },
        ),
        "PartDone": choice_state(
            [
                ("{% $status = 'COMPLETED' %}", "PartTranscribed"),
                ("{% $status = 'FAILED' %}", "PartFailed"),
                (f"{{% $waitedSeconds >= {settings.speech.max_minutes * 60} %}}", "PartTooLate"),
            ],
            otherwise="WaitForPart",
        ),
        "PartTranscribed": SUCCEED,
        "PartFailed": fail_state("TranscriptionFailed", "Amazon Transcribe could not transcribe a part."),
        "PartTooLate": fail_state("TranscriptionTooLate", "Amazon Transcribe did not end in time."),
    }
    return map_state(
        "{% $media.audio %}",
        FIRST_PART_STATE,
        part_states,
        settings.speech.at_once,
        to=to,
        catches=[catch_failure(on_failure)],
    )
