"""Workflow states that run the media job: on Spot capacity first, and on demand if there is none or it is interrupted.

The media job is an AWS Batch job that makes a recording's video and audio. The steps are:

1. Search (`FindMedia`): the job's name identifies the recording. The workflow searches for an active job with that
   name, first in the on-demand queue, then in the Spot queue (`SearchSpotQueue`). An active job may come from an
   earlier execution that was stopped, or from a submission whose response was lost. The workflow then waits for that
   job, so two jobs never process the same recording at once.
2. Submit (`SubmitMedia`): if there is no active job, the workflow submits one.
3. Poll (`WaitForMedia`, `AskForMedia`, `MediaOver`): Batch does not notify the execution when a job starts or ends, so
   the workflow polls the job, at the intervals of `components/blocks/workflow/polling_intervals.py`.
4. Cancel (`CancelSpotJob`): a job that still waits for Spot capacity after `processing.capacityMinutes` is cancelled.
   Cancelling does not end a job that has just started; that job continues.
5. Fall back (`MediaOnDemand`): if the Spot job got no capacity or lost it too often, the workflow starts again at the
   search, and submits to the on-demand queue.
6. Give up (`EndMedia`): a job that exceeds its time limit, or that the workflow cannot describe or cancel, is
   terminated.

`SearchSpotQueue` and the steps 4 and 5 exist only if the settings choose Spot capacity. The states share these
variables:

- `$job`: the state of the job that is polled (`DESCRIBED_JOB`).
- `$queue`: the queue that is searched or submitted to. `$submitQueue`: the queue for the next submission.
- `$spotStarts`: the number of times that Batch started the job on Spot capacity. It is 0 until the workflow falls back
  to on-demand capacity. Until then, `$job` contains this number.
- `$unclearSubmissions`: the number of submissions to `$submitQueue` whose response was lost or unclear.
- `$error`: the name of the error that the workflow reports if it gives up.
"""

from collections.abc import Sequence
from typing import Final

from components.blocks.workflow.polling_intervals import pause_expression
from components.blocks.workflow.state_definitions import (
    Retry,
    State,
    catch,
    choice_state,
    retry,
    set_variables_state,
    task_state,
    wait_state,
)
from components.meetings.workflow_expressions import CALL_SECONDS, RECORDING, RECORDING_NAME, catch_failure
from components.settings.meetings_media import ProcessingSettings
from handlers.meetings.media_job.environment import RECORDING_VARIABLES

FIRST_STATE: Final = "Media"
SUBMIT: Final = "arn:aws:states:::batch:submitJob"
BATCH: Final = "arn:aws:states:::aws-sdk:batch"
"""Prefix of the resources with which states call AWS Batch; `SUBMIT` is the only resource without it."""
JOB_NAME: Final = f"{{% 'media-' & {RECORDING_NAME} %}}"
THROTTLING_ERRORS: Final = ("Batch.TooManyRequestsException", "Batch.ThrottlingException")
"""Errors of a submission that certainly created no job, so the submission is repeated.

`Batch.ClientException` is final. After any other error, the submission may have created a job, so the workflow searches
for the job before it submits again. This includes `Batch.AWSBatchException`, although its cause is often throttling.
"""
RETRYABLE_ERRORS: Final = (
    *THROTTLING_ERRORS,
    "Batch.ServerException",
    "Batch.BatchException",
    "Batch.SdkClientException",
    "States.Timeout",
)
"""Errors after which calls that read, cancel or terminate a job are repeated. If an error is not in the API model, the
resources of these calls (below `BATCH`) report `Batch.BatchException`, but `SUBMIT` reports
`Batch.AWSBatchException`.
"""
MAX_SUBMISSIONS: Final = 6
"""Maximum number of submissions to one queue whose response was lost or unclear."""
NO_CAPACITY_REASON: Final = "No Spot capacity within processing.capacityMinutes"
"""Reason that Batch shows for a job that the workflow has cancelled."""
TERMINATION_REASON: Final = "The workflow no longer waits for this job"
"""Reason that Batch shows for a job that the workflow has terminated."""
DESCRIBED_JOB: Final = """(
  $described := $states.result.Jobs[0];
  $status := $exists($described) ? $described.Status : 'SUBMITTED';
  $running := $status = 'RUNNING';
  $attempts := $count($described.Attempts);
  $phaseSeconds := $running = $job.running and $attempts = $job.attempts ? $job.phaseSeconds + $job.pauseSeconds : 0;
  $exitCode := $exists($described.Container.ExitCode) ? $described.Container.ExitCode : -1;
  {
    'id': $job.id,
    'status': $status,
    'running': $running,
    'waiting': $status in ['SUBMITTED', 'PENDING', 'RUNNABLE'],
    'attempts': $attempts,
    'phaseSeconds': $phaseSeconds,
    'pauseSeconds': %(pause)s,
    'totalSeconds': $job.totalSeconds + $job.pauseSeconds,
    'cancelled': $job.cancelled and $not($running),
    'killed': $exitCode in [-1, 137, 143] and $not($contains($described.StatusReason & '', 'timeout'))
  }
)"""
"""JSONata expression that computes the variable `$job` from its previous value and the response of DescribeJobs:

- `running`: true while the job runs. `waiting`: true while it waits for capacity.
- `phaseSeconds`: time since the job last began to run or to wait.
- `pauseSeconds`: time until the next call. `totalSeconds`: time for which the workflow has polled this job.
- `cancelled`: true after the workflow has cancelled the waiting job, unless the job runs nevertheless.
- `killed`: true if the container was killed or never started, but not if it exceeded its timeout. Only a killed job is
  submitted to other capacity, because a container that ended by itself would end the same way there.

Exit codes: -1 means none, 137 is SIGKILL, 143 is SIGTERM.
"""
NEW_JOB: Final = (
    "{'id': %(id)s, 'status': 'SUBMITTED', 'running': false, 'waiting': true, 'attempts': 0, 'phaseSeconds': 0, "
    "'pauseSeconds': %(pause)s, 'totalSeconds': 0, 'cancelled': false, 'killed': false}"
)
"""JSONata expression of the variable `$job` before the first DescribeJobs call."""
LISTED_JOB: Final = (
    "($living := $states.result.JobSummaryList[$not(Status in ['SUCCEEDED', 'FAILED'])][0]; "
    "$id := $exists($living) ? $living.JobId : ''; %(new)s)"
)
"""JSONata expression of the variable `$job` after a ListJobs call: the active job. If there is none, `id` is empty."""


def media_states(
    queues: Sequence[str], job: str, settings: ProcessingSettings, *, to: str, on_failure: str
) -> dict[str, State]:
    """Return the states. If the media job succeeds, the workflow continues with the state `to`, otherwise with
    `on_failure`.

    `queues` are the ARNs of the Spot and on-demand queues, or of the on-demand queue only. `job` is the name of the job
    definition. In the state `to`, `$spotStarts + $job.attempts` is the number of times that Batch started the job.
    """
    first, last = queues[0], queues[-1]
    retries = [retry(RETRYABLE_ERRORS, attempts=10, first_seconds=5)]
    environment = [
        {"Name": name, "Value": value} for name, value in zip(RECORDING_VARIABLES, RECORDING.values(), strict=True)
    ]
    is_late = f"$job.totalSeconds >= ($queue = '{last}' ? {settings.on_demand_seconds} : {settings.spot_seconds})"
    fallback = _OnDemandFallback(first, last, settings) if first != last else None
    return {
        # An active job may be in the on-demand queue, so that queue is searched first.
        FIRST_STATE: set_variables_state(
            {
                "queue": last,
                "submitQueue": first,
                "spotStarts": 0,
                "unclearSubmissions": 0,
                "error": "MediaNotSubmitted",
            },
            "FindMedia",
        ),
        "FindMedia": task_state(
            f"{BATCH}:listJobs",
            {"JobQueue": "{% $queue %}", "Filters": [{"Name": "JOB_NAME", "Values": [JOB_NAME]}]},
            CALL_SECONDS,
            to="MediaFound",
            retries=retries,
            catches=[catch_failure(on_failure)],
            assign={"job": f"{{% {LISTED_JOB % {'new': _new_job('$id', settings)}} %}}"},
        ),
        "MediaFound": choice_state(
            [
                ("{% $job.id != '' %}", "WaitForMedia"),
                *(fallback.after_search if fallback else ()),
                (f"{{% $unclearSubmissions >= {MAX_SUBMISSIONS} %}}", on_failure),
            ],
            otherwise="SubmitMedia",
        ),
        "SubmitMedia": task_state(
            SUBMIT,
            {
                "JobName": JOB_NAME,
                "JobQueue": "{% $queue %}",
                "JobDefinition": job,
                "ContainerOverrides": {"Environment": environment},
            },
            CALL_SECONDS,
            to="WaitForMedia",
            retries=[retry(THROTTLING_ERRORS, attempts=6, first_seconds=5)],
            catches=[
                catch_failure(on_failure, "Batch.ClientException"),
                catch_failure("AnswerLost", assign={"unclearSubmissions": "{% $unclearSubmissions + 1 %}"}),
            ],
            assign={"job": f"{{% {_new_job('$states.result.JobId', settings)} %}}"},
        ),
        "AnswerLost": wait_state(settings.poll_seconds, "FindMedia"),
        "WaitForMedia": wait_state("{% $job.pauseSeconds %}", "AskForMedia"),
        "AskForMedia": task_state(
            f"{BATCH}:describeJobs",
            {"Jobs": ["{% $job.id %}"]},
            CALL_SECONDS,
            to="MediaOver",
            retries=retries,
            catches=[catch_failure("EndMedia")],
            assign={
                "job": f"{{% {DESCRIBED_JOB % {'pause': pause_expression('$phaseSeconds', settings.poll_seconds)}} %}}",
                "error": "{% $states.result.Jobs[0].Status = 'FAILED' ? 'MediaFailed' : 'MediaTooLate' %}",
            },
        ),
        "MediaOver": choice_state(
            [
                ("{% $job.status = 'SUCCEEDED' %}", to),
                *(fallback.after_interruption if fallback else ()),
                ("{% $job.status = 'FAILED' %}", on_failure),
                *(fallback.after_waiting if fallback else ()),
                (f"{{% {is_late} %}}", "EndMedia"),
            ],
            otherwise="WaitForMedia",
        ),
        "EndMedia": task_state(
            f"{BATCH}:terminateJob",
            {"JobId": "{% $job.id %}", "Reason": TERMINATION_REASON},
            CALL_SECONDS,
            to=on_failure,
            retries=retries,
            catches=[catch(on_failure)],
        ),
        **(fallback.states(retries) if fallback else {}),
    }


class _OnDemandFallback:
    """States and choices that lead from Spot capacity to on-demand capacity."""

    def __init__(self, spot: str, on_demand: str, settings: ProcessingSettings) -> None:
        has_waited = f"$job.waiting and $job.phaseSeconds >= {settings.capacity_minutes * 60} and $not($job.cancelled)"
        is_spot = f"$queue = '{spot}'"
        self._on_demand = on_demand
        self.after_search = [("{% $queue != $submitQueue %}", "SearchSpotQueue")]
        """Choice after a search without result: if the on-demand queue was searched, search the Spot queue next."""
        self.after_interruption = [(f"{{% {is_spot} and $job.status = 'FAILED' and $job.killed %}}", "MediaOnDemand")]
        """Choice after a failed Spot job: if it lost its capacity or got none, submit it on demand."""
        self.after_waiting = [(f"{{% {is_spot} and {has_waited} %}}", "CancelSpotJob")]
        """Choice while a Spot job waits: if it has waited too long for capacity, cancel it."""

    def states(self, retries: Sequence[Retry]) -> dict[str, State]:
        """Return the states that only a workflow with both queues has."""
        return {
            "SearchSpotQueue": set_variables_state({"queue": "{% $submitQueue %}"}, "FindMedia"),
            # The cancelled job fails, but a job that has started meanwhile continues. The next DescribeJobs call shows
            # it.
            "CancelSpotJob": task_state(
                f"{BATCH}:cancelJob",
                {"JobId": "{% $job.id %}", "Reason": NO_CAPACITY_REASON},
                CALL_SECONDS,
                to="WaitForMedia",
                retries=retries,
                catches=[catch_failure("EndMedia")],
                assign={"job": "{% $merge([$job, {'cancelled': true}]) %}"},
            ),
            "MediaOnDemand": set_variables_state(
                {
                    "queue": self._on_demand,
                    "submitQueue": self._on_demand,
                    "spotStarts": "{% $job.attempts %}",
                    "unclearSubmissions": 0,
                },
                "FindMedia",
            ),
        }


def _new_job(id_: str, settings: ProcessingSettings) -> str:
    return NEW_JOB % {"id": id_, "pause": settings.poll_seconds}
