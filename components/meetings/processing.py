"""The workflow of one recording: put it together, transcribe it, summarise it, mark what became of it.

Its states as data; who may start it and what it may call is decided in `meetings.py`. What it was started with says
which recording: every state reads it from there.
"""

from collections.abc import Mapping

from components.blocks.function import Function
from components.blocks.states import (
    LAMBDA_INVOKE,
    TRANSIENT,
    Catch,
    Choice,
    Fail,
    Map,
    Retry,
    State,
    Succeed,
    Task,
    Wait,
)
from components.meetings.media import Media
from components.settings import MeetingsSettings
from handlers.meetings.media_environment import ABOUT
from handlers.meetings.records import MeetingReason

SUBMIT = "arn:aws:states:::batch:submitJob.sync"
TRANSCRIBE = "arn:aws:states:::aws-sdk:transcribe"
STEP_SECONDS = 120
CALL_SECONDS = 60
FAILED = "Failed"
INPUT = "$states.context.Execution.Input"
RECORDING = {
    "user": f"{{% {INPUT}.user %}}",
    "meetingId": f"{{% {INPUT}.meetingId %}}",
    "content": f"{{% {INPUT}.content %}}",
}
MEETING = {**RECORDING, "attempt": f"{{% {INPUT}.attempt %}}"}
"""What each step is told of the execution that it is of."""
STEP_AGAIN = Retry(["StepFailed"], attempts=6, first_seconds=5)
THROTTLED = ["Batch.TooManyRequestsException", "Batch.ServerException", "Batch.ThrottlingException"]
SPEECH_BUSY = [
    "Transcribe.LimitExceededException",
    "Transcribe.InternalFailureException",
    "Transcribe.ThrottlingException",
]
STOPPED = (137, 143)
"""Exit codes of a container that was killed, or told to end."""


def start() -> str:
    """The first state."""
    return "Media"


def longest_seconds(settings: MeetingsSettings) -> int:
    """The workflow's own limit: all that it may wait for, one after the other, and the steps around."""
    processing = settings.processing
    job = (processing.timeout_minutes * processing.attempts + processing.capacity_minutes) * 60
    parts = -(-processing.max_hours * 3600 // settings.speech.part_seconds)
    rounds = -(-parts // settings.speech.at_once)
    return 2 * job + rounds * settings.speech.max_minutes * 60 + 3 * 3600


def states(
    media: Media, steps: Function, summarize: Function, bucket: str, settings: MeetingsSettings
) -> dict[str, State]:
    """All states by name."""
    failed = {reason: f"Give{_word(reason)}Up" for reason in _GIVEN_UP}
    return {
        **_media(media, settings, failed[MeetingReason.MEDIA_FAILED]),
        "ReadMedia": _step(
            steps,
            {"step": "media", "attempts": "{% $attempts %}"},
            to="AnythingToHear",
            failed=failed[MeetingReason.MEDIA_FAILED],
            assign={"media": "{% $states.result.Payload %}"},
        ),
        "AnythingToHear": Choice([("{% $media.outcome = 'ready' %}", "Transcribe")], otherwise="Done"),
        "Transcribe": _transcribe(
            bucket, media.job.scope.context.stack_label, settings, failed[MeetingReason.TRANSCRIPTION_FAILED]
        ),
        "MarkTranscribed": _step(
            steps, {"step": "transcribed"}, to="StillWanted", failed=failed[MeetingReason.TRANSCRIPTION_FAILED]
        ),
        "StillWanted": Choice([("{% $step.outcome = 'goes_on' %}", "Summarize")], otherwise="Done"),
        "Summarize": Task(
            LAMBDA_INVOKE,
            {
                "FunctionName": summarize.live_arn,
                "Payload": {
                    **RECORDING,
                    "language": "{% $media.language %}",
                    "durationMs": "{% $media.durationMs %}",
                    "audio": "{% $media.audio %}",
                },
            },
            settings.bedrock_summarize.timeout_seconds + CALL_SECONDS,
            to="Finish",
            retries=[
                Retry(["ModelBusy", "StorageFailed"], attempts=8, first_seconds=30, longest_seconds=600),
                Retry([*TRANSIENT, "Sandbox.Timedout"], attempts=3),
            ],
            catches=[_caught(failed[MeetingReason.SUMMARY_FAILED])],
            assign={"outcome": "{% $states.result.Payload.outcome %}"},
        ),
        "Finish": _step(
            steps,
            {"step": "finish", "outcome": "{% $outcome %}"},
            to="Done",
            failed=failed[MeetingReason.SUMMARY_FAILED],
        ),
        **{failed[reason]: _marked(steps, reason) for reason in _GIVEN_UP},
        FAILED: Fail("MeetingFailed", "A recording could not be processed; its meeting says why."),
        "Done": Succeed(),
    }


_GIVEN_UP = (MeetingReason.MEDIA_FAILED, MeetingReason.TRANSCRIPTION_FAILED, MeetingReason.SUMMARY_FAILED)


def _word(reason: MeetingReason) -> str:
    return reason.removesuffix("_FAILED").capitalize()


def _caught(to: str) -> Catch:
    """The error's name alone: a cause can repeat data."""
    return Catch(to, assign={"error": "{% $states.errorOutput.Error %}"})


def _step(
    steps: Function, step: Mapping[str, str], to: str, failed: str, assign: Mapping[str, str] | None = None
) -> Task:
    """One of the workflow's own steps; it can be made again."""
    return Task(
        LAMBDA_INVOKE,
        {"FunctionName": steps.live_arn, "Payload": {**step, **MEETING}},
        STEP_SECONDS,
        to=to,
        retries=[Retry(TRANSIENT), STEP_AGAIN],
        catches=[_caught(failed) if failed != FAILED else Catch(FAILED)],
        assign=assign or {"step": "{% $states.result.Payload %}"},
    )


def _marked(steps: Function, reason: MeetingReason) -> Task:
    return _step(steps, {"step": "fail", "reason": reason.value, "error": "{% $error %}"}, to=FAILED, failed=FAILED)


def _media(media: Media, settings: MeetingsSettings, failed: str) -> dict[str, State]:
    """On the first queue; and on the second what lost its machine too often, or never got one."""
    processing = settings.processing
    first, *others = media.queues
    seconds = processing.timeout_minutes * 60

    def submitted(queue: str, longest: int, catches: list[Catch]) -> Task:
        environment = [{"Name": name, "Value": value} for name, value in zip(ABOUT, RECORDING.values(), strict=True)]
        return Task(
            SUBMIT,
            {
                "JobName": f"{{% 'media-' & {INPUT}.content %}}",
                "JobQueue": queue,
                "JobDefinition": media.job.name,
                "ContainerOverrides": {"Environment": environment},
            },
            longest,
            to="ReadMedia",
            retries=[Retry(THROTTLED, attempts=6, first_seconds=5)],
            catches=catches,
            assign={"attempts": "{% $count($states.result.Attempts) %}"},
        )

    if not others:
        return {"Media": submitted(first.arn, seconds, [_caught(failed)])}
    # What a container ended with by itself it would end with anywhere: only a lost machine is a reason to change.
    # The cause is the job where one was run, and a sentence where none was.
    job = "$substring($states.errorOutput.Cause, 0, 1) = '{' ? $parse($states.errorOutput.Cause) : {}"
    return {
        "Media": submitted(
            first.arn,
            seconds * processing.attempts + processing.capacity_minutes * 60,
            [
                Catch("MediaOnDemand", errors=["States.Timeout"]),
                Catch(
                    "MachineLost",
                    errors=["States.TaskFailed"],
                    assign={
                        "error": "{% $states.errorOutput.Error %}",
                        "exitCode": f"{{% ($job := {job}; "
                        "$exists($job.Container.ExitCode) ? $job.Container.ExitCode : -1) %}",
                    },
                ),
                _caught(failed),
            ],
        ),
        "MachineLost": Choice(
            [(f"{{% $exitCode in [-1, {', '.join(map(str, STOPPED))}] %}}", "MediaOnDemand")], otherwise=failed
        ),
        "MediaOnDemand": submitted(others[0].arn, seconds, [_caught(failed)]),
    }


def _transcribe(bucket: str, label: str, settings: MeetingsSettings, failed: str) -> Map:
    """Each part of the sound; there is no way to be told, so each is asked about, and not for ever."""
    speech = settings.speech
    tries = -(-speech.max_minutes * 60 // speech.poll_seconds)
    name = f"{{% '{label}-' & {INPUT}.meetingId & '-' & {INPUT}.content & '-' & $part %}}"
    key = "{% $path & 'transcripts/' & $part & '.json' %}"
    inside: Mapping[str, State] = {
        "StartPart": Task(
            f"{TRANSCRIBE}:startTranscriptionJob",
            {
                "TranscriptionJobName": name.replace("$part", _PART),
                "LanguageCode": "{% $media.language %}",
                "MediaFormat": "flac",
                "Media": {"MediaFileUri": f"{{% 's3://{bucket}/' & $states.input.key %}}"},
                "OutputBucketName": bucket,
                "OutputKey": key.replace("$path", _WORK).replace("$part", _PART),
                "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": speech.max_speakers},
            },
            CALL_SECONDS,
            to="WaitForPart",
            retries=[Retry(SPEECH_BUSY, attempts=20, first_seconds=30, longest_seconds=600)],
            # It was begun already: by a try whose answer was lost, or by another execution of this recording.
            catches=[Catch("WaitForPart", errors=["Transcribe.ConflictException"], assign=_REMEMBERED)],
            assign=_REMEMBERED,
        ),
        "WaitForPart": Wait(speech.poll_seconds, "AskForPart"),
        "AskForPart": Task(
            f"{TRANSCRIBE}:getTranscriptionJob",
            {"TranscriptionJobName": name},
            CALL_SECONDS,
            to="PartDone",
            retries=[Retry(SPEECH_BUSY, attempts=10, first_seconds=5)],
            assign={
                "status": "{% $states.result.TranscriptionJob.TranscriptionJobStatus %}",
                "tries": "{% $tries + 1 %}",
            },
        ),
        "PartDone": Choice(
            [
                ("{% $status = 'COMPLETED' %}", "PartTranscribed"),
                ("{% $status = 'FAILED' %}", "PartFailed"),
                (f"{{% $tries >= {tries} %}}", "PartTooLate"),
            ],
            otherwise="WaitForPart",
        ),
        "PartTranscribed": Succeed(),
        "PartFailed": Fail("TranscriptionFailed", "Amazon Transcribe could not transcribe a part."),
        "PartTooLate": Fail("TranscriptionTooLate", "Amazon Transcribe did not end in time."),
    }
    return Map(
        "{% $media.audio %}", "StartPart", inside, speech.at_once, to="MarkTranscribed", catches=[_caught(failed)]
    )


_PART = "$formatNumber($states.context.Map.Item.Index, '000')"
"""Of a part, in the digits that its key has."""
_WORK = f"'work/' & {INPUT}.user & '/' & {INPUT}.meetingId & '/' & {INPUT}.content & '/'"
_REMEMBERED = {"part": f"{{% {_PART} %}}", "tries": 0}
