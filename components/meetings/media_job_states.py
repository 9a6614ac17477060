"""Workflow states that run the media job: on Spot capacity first, and on demand if there is none or it is interrupted.

1. Search (`FindMedia`): the job's name identifies the recording. The workflow searches for an active job with that
   name, first in the on-demand queue, then in the Spot queue (`SearchSpotQueue`). Such a job was left by an execution
   that was stopped, or by a submission whose response was lost. The workflow waits for that job, so two jobs never
   process the same recording at once.
2. Submit (`SubmitMedia`): if there is no active job, the workflow submits one.
3. Poll (`WaitForMedia`, `AskForMedia`, `MediaOver`): Batch does not notify the execution when a job starts or ends, so
   the workflow polls the job. `components/blocks/workflow/polling_intervals.py` defines the intervals.
4. Cancel (`CancelSpotJob`): a job that still waits for Spot capacity after `processing.capacityMinutes` is cancelled.
   Cancelling does not end a job that has just started; that job continues.
5. Fall back (`MediaOnDemand`): after the Spot job has ended because of its capacity, the workflow starts again at the
   search, and submits to the on-demand queue. `SearchSpotQueue` and the steps 4 and 5 exist only if the settings choose
   Spot capacity.
6. Give up (`EndMedia`): a job that exceeds its time limit, or that the workflow cannot describe or cancel, is
   terminated.

The states share these variables:

- `$job`: the job that is polled (`DESCRIBED_JOB`).
- `$queue`: the queue that is searched or submitted to. `$to`: the queue for the next submission.
- `$before`: how often Batch started the job on Spot capacity, before the fallback to on-demand capacity.
- `$lost`: the number of submissions to this queue whose response was lost or unclear.
- `$error`: the error that the workflow reports if the media job fails.
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
from components.meetings.workflow_expressions import CALL_SECONDS, JOB_NAME_PARTS, RECORDING, catch_failure
from components.settings.meetings_media import ProcessingSettings
from handlers.meetings.media_job.environment import RECORDING_VARIABLES

FIRST_STATE: Final = "Media"
SUBMIT: Final = "arn:aws:states:::batch:submitJob"
BATCH: Final = "arn:aws:states:::aws-sdk:batch"
"""Prefix of the resources with which states call AWS Batch; `SUBMIT` is the only resource without it."""
JOB_NAME: Final = f"{{% 'media-' & {JOB_NAME_PARTS} %}}"
THROTTLING_ERRORS: Final = ("Batch.TooManyRequestsException", "Batch.ThrottlingException")
"""Errors of a submission that AWS Batch rejected. It had no effect, so it is repeated.

`Batch.ClientException` is final. After any other error, the submission may have had an effect, so the workflow searches
for the job. Such an error is `Batch.AWSBatchException`, although it is often throttling too.
"""
RETRYABLE_ERRORS: Final = (
    *THROTTLING_ERRORS,
    "Batch.ServerException",
    "Batch.BatchException",
    "Batch.SdkClientException",
    "States.Timeout",
)
"""Errors after which a read, a cancellation or a termination is repeated. Repeating them has no further effect. The
states with these calls use resources below `BATCH`. They report an error that is not in the API model as
`Batch.BatchException`, while `SUBMIT` reports it as `Batch.AWSBatchException`.
"""
MAX_SUBMISSIONS: Final = 6
"""Maximum number of submissions to one queue whose response was lost or unclear. The workflow searches for the job
before it repeats one.
"""
NO_CAPACITY_REASON: Final = "No Spot capacity within processing.capacityMinutes"
TIME_LIMIT_REASON: Final = "The workflow no longer waits for this job"
"""Reasons that Batch shows for a cancelled and for a terminated job."""
DESCRIBED_JOB: Final = """(
  $seen := $states.result.Jobs[0];
  $status := $exists($seen) ? $seen.Status : 'SUBMITTED';
  $on := $status = 'RUNNING';
  $attempts := $count($seen.Attempts);
  $phase := $on = $job.on and $attempts = $job.attempts ? $job.phase + $job.pause : 0;
  $code := $exists($seen.Container.ExitCode) ? $seen.Container.ExitCode : -1;
  {
    'id': $job.id,
    'status': $status,
    'on': $on,
    'waits': $status in ['SUBMITTED', 'PENDING', 'RUNNABLE'],
    'attempts': $attempts,
    'phase': $phase,
    'pause': %(pause)s,
    'spent': $job.spent + $job.pause,
    'left': $job.left and $not($on),
    'stopped': $code in [-1, 137, 143] and $not($contains($seen.StatusReason & '', 'timeout'))
  }
)"""
"""JSONata expression for the variable `$job` after a DescribeJobs call. It computes the new value from the previous
one:

- `on`: true while the job runs. `waits`: true while it waits for capacity.
- `phase`: seconds for which the job has waited, or run, without interruption. `pause`: seconds until the next call.
- `spent`: seconds for which the workflow has waited for this job.
- `left`: true after the workflow has cancelled the waiting job, unless it runs nevertheless.
- `stopped`: true if the container was killed, was asked to end or never started, but not if it exceeded its timeout. A
  container that ended by itself would end the same way on other capacity.

Exit codes: -1 means none, 137 is SIGKILL, 143 is SIGTERM.
"""
NEW_JOB: Final = (
    "{'id': %(id)s, 'status': 'SUBMITTED', 'on': false, 'waits': true, 'attempts': 0, 'phase': 0, 'pause': %(pause)s, "
    "'spent': 0, 'left': false, 'stopped': false}"
)
"""JSONata expression for the variable `$job` before the first DescribeJobs call."""
LISTED_JOB: Final = (
    "($living := $states.result.JobSummaryList[$not(Status in ['SUCCEEDED', 'FAILED'])][0]; "
    "$id := $exists($living) ? $living.JobId : ''; %(new)s)"
)
"""JSONata expression for the variable `$job` after a ListJobs call: the active job. If there is none, `id` is empty."""


def media_states(
    queues: Sequence[str], job: str, settings: ProcessingSettings, *, to: str, on_failure: str
) -> dict[str, State]:
    """Return the states. After a success, the workflow continues with the state `to`, otherwise with `on_failure`.

    `queues` are the ARNs of the Spot and on-demand queues, or of the on-demand queue only. `job` is the name of the job
    definition. In the state `to`, `$before + $job.attempts` is the number of times that Batch started the job.
    """
    first, last = queues[0], queues[-1]
    retries = [retry(RETRYABLE_ERRORS, attempts=10, first_seconds=5)]
    environment = [
        {"Name": name, "Value": value} for name, value in zip(RECORDING_VARIABLES, RECORDING.values(), strict=True)
    ]
    is_late = f"$job.spent >= ($queue = '{last}' ? {settings.on_demand_seconds} : {settings.spot_seconds})"
    fallback = _OnDemandFallback(first, last, settings) if first != last else None
    return {
        # An active job may be in the on-demand queue, so that queue is searched first.
        FIRST_STATE: set_variables_state(
            {"queue": last, "to": first, "before": 0, "lost": 0, "error": "MediaNotSubmitted"}, "FindMedia"
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
                (f"{{% $lost >= {MAX_SUBMISSIONS} %}}", on_failure),
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
                catch_failure("AnswerLost", assign={"lost": "{% $lost + 1 %}"}),
            ],
            assign={"job": f"{{% {_new_job('$states.result.JobId', settings)} %}}"},
        ),
        "AnswerLost": wait_state(settings.poll_seconds, "FindMedia"),
        "WaitForMedia": wait_state("{% $job.pause %}", "AskForMedia"),
        "AskForMedia": task_state(
            f"{BATCH}:describeJobs",
            {"Jobs": ["{% $job.id %}"]},
            CALL_SECONDS,
            to="MediaOver",
            retries=retries,
            catches=[catch_failure("EndMedia")],
            assign={
                "job": f"{{% {DESCRIBED_JOB % {'pause': pause_expression('$phase', settings.poll_seconds)}} %}}",
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
            {"JobId": "{% $job.id %}", "Reason": TIME_LIMIT_REASON},
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
        has_waited = f"$job.waits and $job.phase >= {settings.capacity_minutes * 60} and $not($job.left)"
        is_spot = f"$queue = '{spot}'"
        self._on_demand = on_demand
        self.after_search = [("{% $queue != $to %}", "SearchSpotQueue")]
        """The on-demand queue has no active job. The Spot queue, to which the job would be submitted, is searched
        next."""
        self.after_interruption = [(f"{{% {is_spot} and $job.status = 'FAILED' and $job.stopped %}}", "MediaOnDemand")]
        """The job's last Spot capacity was interrupted, or it never got any."""
        self.after_waiting = [(f"{{% {is_spot} and {has_waited} %}}", "CancelSpotJob")]
        """The job has waited too long for Spot capacity."""

    def states(self, retries: Sequence[Retry]) -> dict[str, State]:
        """Return the states that only a workflow with both queues has."""
        return {
            "SearchSpotQueue": set_variables_state({"queue": "{% $to %}"}, "FindMedia"),
            # A cancelled job fails; one that has started meanwhile continues. The next DescribeJobs call shows which.
            "CancelSpotJob": task_state(
                f"{BATCH}:cancelJob",
                {"JobId": "{% $job.id %}", "Reason": NO_CAPACITY_REASON},
                CALL_SECONDS,
                to="WaitForMedia",
                retries=retries,
                catches=[catch_failure("EndMedia")],
                assign={"job": "{% $merge([$job, {'left': true}]) %}"},
            ),
            "MediaOnDemand": set_variables_state(
                {
                    "queue": self._on_demand,
                    "to": self._on_demand,
                    "before": "{% $job.attempts %}",
                    "lost": 0,
                },
                "FindMedia",
            ),
        }


def _new_job(id_: str, settings: ProcessingSettings) -> str:
    return NEW_JOB % {"id": id_, "pause": settings.poll_seconds}
