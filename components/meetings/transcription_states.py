"""How the workflow has the sound of a recording transcribed: each part by a job of Amazon Transcribe, some at once.

Nobody is told when a job ends, so it is asked about, and not for ever. A part whose transcript an earlier attempt has
left is not paid for again. The attempt is in a job's name: Transcribe keeps names for months, those of failed jobs too,
and would never transcribe a recording again that had failed once.
"""

from collections.abc import Mapping
from typing import Final

from components.blocks.workflow.state_definitions import SUCCEED, State, catch, choice, each, fail, retry, task, wait
from components.meetings.workflow_expressions import CALL_SECONDS, INPUT, JOB_NAME_PARTS, catch_failure
from components.settings import MeetingsSettings
from components.settings.polling import pause

MAX_SPEAKERS: Final = 10
TRANSCRIBE: Final = "arn:aws:states:::aws-sdk:transcribe"
RETRYABLE_ERRORS: Final = (
    "Transcribe.LimitExceededException",
    "Transcribe.InternalFailureException",
    "Transcribe.SdkClientException",
    "States.Timeout",
)
"""What may be asked again whatever became of it: a job is known by its name, and asking does nothing."""
UNNAMED_ERROR: Final = "Transcribe.TranscribeException"
"""What Transcribe's API has no name for: a call that was throttled, and one that is denied."""
PART_DIGITS: Final = "$formatNumber($states.context.Map.Item.Index, '000')"
"""Of a part, in the digits that its key has."""
WORK: Final = f"'work/' & {INPUT}.user & '/' & {INPUT}.meetingId & '/' & {INPUT}.content & '/'"


def transcription_states(bucket: str, label: str, settings: MeetingsSettings, *, to: str, failed: str) -> State:
    """Each part of `$media.audio`; `label`: the stack's, with which the jobs' names begin."""
    first_pause = settings.processing.poll_seconds
    name = f"'{label}-' & {JOB_NAME_PARTS} & '-' & $string({INPUT}.attempt) & '-' & {PART_DIGITS}"
    begun = {"name": f"{{% {name} %}}", "spent": 0, "pause": first_pause}
    inside: Mapping[str, State] = {
        "PartThere": choice([("{% $states.input.transcribed %}", "PartTranscribed")], otherwise="StartPart"),
        "StartPart": task(
            f"{TRANSCRIBE}:startTranscriptionJob",
            {
                "TranscriptionJobName": f"{{% {name} %}}",
                "LanguageCode": "{% $media.language %}",
                "MediaFormat": "flac",
                "Media": {"MediaFileUri": f"{{% 's3://{bucket}/' & $states.input.key %}}"},
                "OutputBucketName": bucket,
                "OutputKey": f"{{% {WORK} & 'transcripts/' & $media.language & '/' & {PART_DIGITS} & '.json' %}}",
                "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": MAX_SPEAKERS},
            },
            CALL_SECONDS,
            to="WaitForPart",
            retries=[
                retry(RETRYABLE_ERRORS, attempts=20, first_seconds=30, longest_seconds=600),
                retry([UNNAMED_ERROR], attempts=6, first_seconds=5),
            ],
            # It was begun already, by a try whose answer was lost.
            catches=[catch("WaitForPart", errors=["Transcribe.ConflictException"], assign=begun)],
            assign=begun,
        ),
        "WaitForPart": wait("{% $pause %}", "AskForPart"),
        "AskForPart": task(
            f"{TRANSCRIBE}:getTranscriptionJob",
            {"TranscriptionJobName": "{% $name %}"},
            CALL_SECONDS,
            to="PartDone",
            retries=[retry([*RETRYABLE_ERRORS, UNNAMED_ERROR], attempts=10, first_seconds=5)],
            assign={
                "status": "{% $states.result.TranscriptionJob.TranscriptionJobStatus %}",
                "spent": "{% $spent + $pause %}",
                "pause": f"{{% {pause('$spent + $pause', first_pause)} %}}",
            },
        ),
        "PartDone": choice(
            [
                ("{% $status = 'COMPLETED' %}", "PartTranscribed"),
                ("{% $status = 'FAILED' %}", "PartFailed"),
                (f"{{% $spent >= {settings.speech.max_minutes * 60} %}}", "PartTooLate"),
            ],
            otherwise="WaitForPart",
        ),
        "PartTranscribed": SUCCEED,
        "PartFailed": fail("TranscriptionFailed", "Amazon Transcribe could not transcribe a part."),
        "PartTooLate": fail("TranscriptionTooLate", "Amazon Transcribe did not end in time."),
    }
    return each(
        "{% $media.audio %}", "PartThere", inside, settings.speech.at_once, to=to, catches=[catch_failure(failed)]
    )
