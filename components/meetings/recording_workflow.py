"""States of the workflow that processes one recording: make the video, transcribe, summarise, update the meeting's
status.

This module only builds the states. `meetings.py` creates the workflow and grants its permissions. The execution's input
names the recording.
"""

from collections.abc import Mapping

from components.blocks.compute.function import Function
from components.blocks.workflow.polling_intervals import max_detection_seconds
from components.blocks.workflow.state_definitions import (
    LAMBDA_INVOKE,
    SUCCEED,
    TRANSIENT_LAMBDA_ERRORS,
    State,
    catch,
    choice_state,
    fail_state,
    lambda_state,
    retry,
    task_state,
)
from components.meetings.media_job import MediaBatchJob
from components.meetings.media_job_states import media_states
from components.meetings.transcription_states import transcription_states
from components.meetings.workflow_expressions import CALL_SECONDS, RECORDING, STEP_INPUT, catch_failure
from components.settings import MeetingsSettings
from handlers.meetings.meeting_record import MeetingReason

STEP_SECONDS = 120
"""Timeout of one call of the function `steps`."""
OTHER_STEPS_SECONDS = 3 * 3600
"""Part of the workflow's timeout for all other states, for retries, and for the minimum pause of each polling, which
`max_detection_seconds` leaves out."""
FAILED = "Failed"
"""Name of the state that fails the execution."""
# The function `steps` raises StepFailed for every error except a missing or malformed result of the media job, which a
# retry would not change.
STEP_RETRY = retry(["StepFailed"], attempts=6, first_seconds=5)


def timeout_seconds(settings: MeetingsSettings) -> int:
    """Return the workflow's timeout: the longest Spot job, the longest on-demand job, all transcription jobs, each with
    the delay until polling notices its end, and the other states.
    """
    job_seconds = max_detection_seconds(settings.processing.spot_seconds) + max_detection_seconds(
        settings.processing.on_demand_seconds
    )
    transcription_rounds = -(-settings.audio_parts // settings.speech.at_once)
    return (
        job_seconds
        + transcription_rounds * max_detection_seconds(settings.speech.max_minutes * 60)
        + OTHER_STEPS_SECONDS
    )


def workflow_states(
    media: MediaBatchJob, steps: Function, summarize: Function, bucket: str, settings: MeetingsSettings
) -> dict[str, State]:
    give_up_states = {reason: f"Give{reason.removesuffix('_FAILED').capitalize()}Up" for reason in _FAILURE_REASONS}
    return {
        **media_states(
            [queue.arn for queue in media.queues],
            media.job.name,
            settings.processing,
            to="ReadMedia",
            on_failure=give_up_states[MeetingReason.MEDIA_FAILED],
        ),
        "ReadMedia": _step(
            steps,
            {"step": "media", "attempts": "{% $spotStarts + $job.attempts %}"},
            to="AnythingToHear",
            on_failure=give_up_states[MeetingReason.MEDIA_FAILED],
            assign={"media": "{% $states.result.Payload %}"},
        ),
        "AnythingToHear": choice_state([("{% $media.outcome = 'ready' %}", "Transcribe")], otherwise="Done"),
        "Transcribe": transcription_states(
            bucket,
            media.job.scope.context.stack_label,
            settings,
            to="MarkTranscribed",
            on_failure=give_up_states[MeetingReason.TRANSCRIPTION_FAILED],
        ),
        "MarkTranscribed": _step(
            steps,
            {"step": "transcribed"},
            to="StillWanted",
            on_failure=give_up_states[MeetingReason.TRANSCRIPTION_FAILED],
        ),
        # The other outcome is `superseded`: a newer execution or another upload of the meeting exists, so this
        # execution ends.
        "StillWanted": choice_state([("{% $step.outcome = 'goes_on' %}", "Summarize")], otherwise="Done"),
        "Summarize": task_state(
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
                retry(["ModelBusy", "StorageFailed"], attempts=8, first_seconds=30, longest_seconds=600),
                retry([*TRANSIENT_LAMBDA_ERRORS, "Sandbox.Timedout"], attempts=3),
            ],
            catches=[catch_failure(give_up_states[MeetingReason.SUMMARY_FAILED])],
            assign={"outcome": "{% $states.result.Payload.outcome %}"},
        ),
        "Finish": _step(
            steps,
            {"step": "finish", "outcome": "{% $outcome %}"},
            to="Done",
            on_failure=give_up_states[MeetingReason.SUMMARY_FAILED],
        ),
        **{give_up_states[reason]: _fail_step(steps, reason) for reason in _FAILURE_REASONS},
        FAILED: fail_state(
            "MeetingFailed", "A recording could not be processed. The meeting's record contains the reason."
        ),
        "Done": SUCCEED,
    }


_FAILURE_REASONS = (MeetingReason.MEDIA_FAILED, MeetingReason.TRANSCRIPTION_FAILED, MeetingReason.SUMMARY_FAILED)


def _step(
    steps: Function, step: Mapping[str, str], to: str, on_failure: str, assign: Mapping[str, str] | None = None
) -> State:
    """Return a state that invokes the function `steps` for one step. Repeating a step does no harm, so errors are
    retried.
    """
    return lambda_state(
        steps.live_arn,
        {**step, **STEP_INPUT},
        STEP_SECONDS,
        to=to,
        retries=[STEP_RETRY],
        catches=[catch_failure(on_failure) if on_failure != FAILED else catch(FAILED)],
        assign=assign or {"step": "{% $states.result.Payload %}"},
    )


def _fail_step(steps: Function, reason: MeetingReason) -> State:
    return _step(steps, {"step": "fail", "reason": reason.value, "error": "{% $error %}"}, to=FAILED, on_failure=FAILED)
