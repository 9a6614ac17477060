"""States of the workflow for one manifest, which is a list of files for one run of Spark.

1. The function `steps` confirms the files: it marks those that still belong to the manifest, and writes their list.
2. Spark converts the listed files.
3. The function `steps` records the results in the file table.

`ingestion.py` creates the workflow from these states, and grants the permissions to start it and to call its targets.
"""

from collections.abc import Mapping

from components.blocks.function import Function
from components.blocks.states import (
    LAMBDA_INVOKE,
    SUCCEED,
    TRANSIENT_LAMBDA_ERRORS,
    Catch,
    State,
    catch,
    choice_state,
    fail_state,
    retry,
    task_state,
    total_pause_seconds,
)
from components.ingestion.spark_job import SparkJob
from components.settings.ingestion import IngestionSettings, SparkSettings

FIRST_STATE = "Confirm"
GLUE_RUN = "arn:aws:states:::glue:startJobRun.sync"
QUEUEING_MINUTES = 60
"""Time that a started run may wait for capacity, as runs with the execution class FLEX do."""
INVOCATION_SECONDS = 60
"""Time for the invocation of the function `steps`, in addition to the function's own timeout."""
CAPACITY_ERRORS = ["Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"]
"""Errors of the start of a run because the job's limit of concurrent runs or the account's quota is reached."""
START_ERRORS = [
    "Glue.AWSGlueException",
    "Glue.InternalServiceException",
    "Glue.OperationTimeoutException",
    "Glue.ThrottlingException",
]
"""Errors of the start of a run that Glue rejected or did not confirm. Glue reports a throttled start as
`Glue.AWSGlueException`.

Glue may have started the run nevertheless, and the retry then starts a second run. The first run stops before it
publishes its output, because a newer run has started (`NewerRunStarted`). If it has already published its output, the
second run replaces it."""
START_RETRIER = retry([*CAPACITY_ERRORS, *START_ERRORS], attempts=100, first_seconds=30, longest_seconds=1800)
"""Retrier for the start of a run. After a large delivery of files, a manifest can wait for most of a day until its run
can start. The interval grows, because otherwise all waiting manifests together would exceed Glue's rate limit for
starts. Throttled starts have the same retrier and not a shorter one, because many waiting manifests cause many
throttled starts."""
RUN_RETRIES = [
    START_RETRIER,
    # A run that has started may fail because of a bad worker, so it is repeated once. The second run replaces the
    # output of the first.
    retry(["States.TaskFailed"], attempts=1, first_seconds=60),
]
ALL_STEPS_SECONDS = 2 * 3600
"""Time for all calls of the function `steps` before and after the run, with their retries."""
CAUSE = {"cause": "{% $states.errorOutput.Error %}"}
"""Variable that a Catch block sets: only the error's name, because the error's text may quote data."""


def timeout_seconds(settings: SparkSettings) -> int:
    """Return the workflow's timeout: two runs with their waiting time, the pauses of all retries, and the calls of
    `steps`.
    """
    runs = 2 * (settings.timeout_minutes + QUEUEING_MINUTES) * 60
    return runs + sum(map(total_pause_seconds, RUN_RETRIES)) + ALL_STEPS_SECONDS


def build_states(steps: Function, job: SparkJob, settings: IngestionSettings) -> dict[str, State]:
    """Return all states by name. An execution starts at `FIRST_STATE`."""
    failed = catch("MarkFailed", assign=CAUSE)

    def step_state(
        step: Mapping[str, str], to: str, on_error: Catch = failed, assign: Mapping[str, str] | None = None
    ) -> State:
        """Return a state that invokes the function `steps` for one step."""
        payload = {**step, "executionArn": "{% $states.context.Execution.Id %}"}
        return task_state(
            LAMBDA_INVOKE,
            {"FunctionName": steps.live_arn, "Payload": payload},
            settings.steps.timeout_seconds + INVOCATION_SECONDS,
            to=to,
            retries=[retry(TRANSIENT_LAMBDA_ERRORS)],
            catches=[on_error],
            assign=assign,
        )

    return {
        FIRST_STATE: step_state(
            {"step": "confirm"},
            to="AnythingToDo",
            assign={
                "manifestUri": "{% $states.result.Payload.manifestUri %}",
                "fileCount": "{% $states.result.Payload.files %}",
            },
        ),
        "AnythingToDo": choice_state([("{% $fileCount > 0 %}", "Run")], otherwise="Done"),
        "Run": task_state(
            GLUE_RUN,
            {
                "JobName": job.name,
                "Arguments": {
                    "--manifest_uri": "{% $manifestUri %}",
                    # A retry is another run, so the id contains the number of retries.
                    "--run_id": "{% $states.context.Execution.Name & '-' & $string($states.context.State.RetryCount) %}",
                },
            },
            (settings.spark.timeout_minutes + QUEUEING_MINUTES) * 60,
            to="MarkProcessed",
            retries=RUN_RETRIES,
            catches=[failed],
        ),
        "MarkProcessed": step_state({"step": "finish"}, to="Done"),
        "MarkFailed": step_state({"step": "fail", "cause": "{% $cause %}"}, to="Failed", on_error=catch("Failed")),
        "Failed": fail_state(
            "ManifestFailed",
            "The manifest could not be processed. Its files are marked as failed, unless MarkFailed failed.",
        ),
        "Done": SUCCEED,
    }
