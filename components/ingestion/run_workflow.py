"""The workflow of one manifest: confirm its files, run Spark, mark what became of them.

Its states as data; who may start it and what it may call is decided in `ingestion.py`.
"""

from components.blocks.compute.function import Function
from components.blocks.workflow.state_definitions import (
    SUCCEED,
    State,
    catch,
    choice_state,
    fail_state,
    lambda_state,
    retry,
    task_state,
    total_pause_seconds,
)
from components.ingestion.spark_job import SparkJob
from components.settings.ingestion import SparkSettings

GLUE_RUN = "arn:aws:states:::glue:startJobRun.sync"
QUEUEING_MINUTES = 60
"""How long a run may wait for its turn (FLEX waits for spare capacity)."""
STEP_SECONDS = 180
NO_PLACE = ["Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"]
"""The job's own limit on runs at once is reached, or the account's."""
NOT_TAKEN = [
    "Glue.AWSGlueException",
    "Glue.InternalServiceException",
    "Glue.OperationTimeoutException",
    "Glue.ThrottlingException",
]
"""Glue did not take the start; a throttled one comes under the first name. Should it run after all, it is overtaken."""
AGAIN = [
    # Other runs have all the places: wait for one, after a great drop for most of a day. Who has waited long looks
    # seldom, or all that wait would ask Glue for more starts than it takes.
    retry(NO_PLACE, attempts=100, first_seconds=30, longest_seconds=1800),
    # The more often a run looks for a place, the more often it is throttled.
    retry(NOT_TAKEN, attempts=20, first_seconds=30, longest_seconds=600),
    # A run that failed once may have met a bad worker; it replaces its own output.
    retry(["States.TaskFailed"], attempts=1, first_seconds=60),
]
BESIDE_SECONDS = 2 * 3600
"""For the steps around the run, and what is asked again of them."""
CAUSE = {"cause": "{% $states.errorOutput.Error %}"}
"""The error's name alone: a cause can repeat data."""


def start() -> str:
    """The first state."""
    return "Confirm"


def longest_seconds(settings: SparkSettings) -> int:
    """The workflow's own limit: two runs with their waiting, all pauses between, and the steps around them."""
    runs = 2 * (settings.timeout_minutes + QUEUEING_MINUTES) * 60
    return runs + sum(map(total_pause_seconds, AGAIN)) + BESIDE_SECONDS


def states(steps: Function, job: SparkJob, settings: SparkSettings) -> dict[str, State]:
    """All states by name."""
    failed = catch("MarkFailed", assign=CAUSE)
    manifest = {"manifestId": "{% $manifestId %}", "executionArn": "{% $states.context.Execution.Id %}"}
    return {
        "Confirm": lambda_state(
            steps.live_arn,
            {
                "step": "confirm",
                "manifestId": "{% $states.input.manifestId %}",
                "executionArn": "{% $states.context.Execution.Id %}",
            },
            STEP_SECONDS,
            to="AnythingToDo",
            catches=[catch("MarkFailed", assign={**CAUSE, "manifestId": "{% $states.input.manifestId %}"})],
            assign={
                "manifestId": "{% $states.input.manifestId %}",
                "manifestUri": "{% $states.result.Payload.manifestUri %}",
                "files": "{% $states.result.Payload.files %}",
            },
        ),
        "AnythingToDo": choice_state([("{% $files > 0 %}", "Run")], otherwise="Done"),
        "Run": task_state(
            GLUE_RUN,
            {
                "JobName": job.name,
                "Arguments": {
                    "--manifest_uri": "{% $manifestUri %}",
                    "--run_id": "{% $states.context.Execution.Name & '-' & $string($states.context.State.RetryCount) %}",
                },
            },
            (settings.timeout_minutes + QUEUEING_MINUTES) * 60,
            to="MarkProcessed",
            retries=AGAIN,
            catches=[failed],
        ),
        "MarkProcessed": lambda_state(
            steps.live_arn, {"step": "finish", **manifest}, STEP_SECONDS, to="Done", catches=[failed]
        ),
        "MarkFailed": lambda_state(
            steps.live_arn,
            {"step": "fail", "cause": "{% $cause %}", **manifest},
            STEP_SECONDS,
            to="Failed",
            catches=[catch("Failed")],
        ),
        "Failed": fail_state("ManifestFailed", "A manifest could not be processed; its files are marked as failed."),
        "Done": SUCCEED,
    }
