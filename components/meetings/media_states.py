"""How the workflow has a recording put together: on spare machines first, on demand where there are none or none stays.

Batch tells nobody whether a job runs or waits for a machine, so the job is asked about
(`components/settings/polling.py` says how often). One that still waits after `processing.capacityMinutes` is cancelled,
which a job that has just been given a machine is not: that one goes on. The other queue is submitted to only when the
first job is really over.

A job is known by its recording. Whoever is about to submit one looks for one that lives: left by an execution that was
stopped, or by a submission whose answer was lost. It is waited for, so a recording is not worked on twice at once.
"""

from collections.abc import Sequence
from typing import Final

from components.blocks.workflow.state_definitions import Retry, State, catch, choice, retry, set_variables, task, wait
from components.meetings.workflow_expressions import CALL_SECONDS, JOB_NAME_PARTS, RECORDING, catch_failure
from components.settings.meetings_media import ProcessingSettings
from components.settings.polling import pause
from handlers.meetings.media_job.environment import RECORDING_VARIABLES

FIRST_STATE: Final = "Media"
SUBMIT: Final = "arn:aws:states:::batch:submitJob"
BATCH: Final = "arn:aws:states:::aws-sdk:batch"
JOB_NAME: Final = f"{{% 'media-' & {JOB_NAME_PARTS} %}}"
THROTTLING_ERRORS: Final = ("Batch.TooManyRequestsException", "Batch.ThrottlingException")
"""What was too much, and so not done. `Batch.AWSBatchException`, which is often that too, may have been done as well."""
RETRYABLE_ERRORS: Final = (
    *THROTTLING_ERRORS,
    "Batch.ServerException",
    "Batch.BatchException",
    "Batch.SdkClientException",
    "States.Timeout",
)
"""What may be asked again whatever became of it, since asking does nothing."""
MAX_SUBMISSIONS: Final = 6
"""How often a job is submitted to a queue whose answers are lost, or do not say whether it was: before each, it is looked for."""
NO_CAPACITY_REASON: Final = "No spare machine in processing.capacityMinutes"
TIME_LIMIT_REASON: Final = "Nobody waits for it any longer"
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
"""What is known of a job once it was asked about. `phase`: for how many seconds it has waited, or run, as it does now.

Stopped is a container that was killed or told to end, or never was, and not for having taken all of its time: what a
container ended with by itself it would end with anywhere.
"""
NEW_JOB: Final = (
    "{'id': %(id)s, 'status': 'SUBMITTED', 'on': false, 'waits': true, 'attempts': 0, 'phase': 0, 'pause': %(pause)s, "
    "'spent': 0, 'left': false, 'stopped': false}"
)
LISTED_JOB: Final = (
    "($living := $states.result.JobSummaryList[$not(Status in ['SUCCEEDED', 'FAILED'])][0]; "
    "$id := $exists($living) ? $living.JobId : ''; %(new)s)"
)


def media_states(
    queues: Sequence[str], job: str, settings: ProcessingSettings, *, to: str, failed: str
) -> dict[str, State]:
    """`queues`: ARNs, of spare machines and of those on demand, or of these alone; `job`: the definition's name.

    Where they lead to, `$before + $job.attempts` is how often the job was begun.
    """
    first, last = queues[0], queues[-1]
    asked_again = [retry(RETRYABLE_ERRORS, attempts=10, first_seconds=5)]
    environment = [
        {"Name": name, "Value": value} for name, value in zip(RECORDING_VARIABLES, RECORDING.values(), strict=True)
    ]
    late = f"$job.spent >= ($queue = '{last}' ? {settings.on_demand_seconds} : {settings.spot_seconds})"
    fallback = _OnDemandFallback(first, last, settings) if first != last else None
    return {
        # One on demand may live where nobody would look for it: there first, then where one is submitted.
        FIRST_STATE: set_variables(
            {"queue": last, "to": first, "before": 0, "lost": 0, "error": "MediaNotSubmitted"}, "FindMedia"
        ),
        "FindMedia": task(
            f"{BATCH}:listJobs",
            {"JobQueue": "{% $queue %}", "Filters": [{"Name": "JOB_NAME", "Values": [JOB_NAME]}]},
            CALL_SECONDS,
            to="MediaFound",
            retries=asked_again,
            catches=[catch_failure(failed)],
            assign={"job": f"{{% {LISTED_JOB % {'new': _new_job('$id', settings)}} %}}"},
        ),
        "MediaFound": choice(
            [
                ("{% $job.id != '' %}", "WaitForMedia"),
                *(fallback.after_search if fallback else ()),
                (f"{{% $lost >= {MAX_SUBMISSIONS} %}}", failed),
            ],
            otherwise="SubmitMedia",
        ),
        "SubmitMedia": task(
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
                catch_failure(failed, "Batch.ClientException"),
                catch_failure("AnswerLost", assign={"lost": "{% $lost + 1 %}"}),
            ],
            assign={"job": f"{{% {_new_job('$states.result.JobId', settings)} %}}"},
        ),
        "AnswerLost": wait(settings.poll_seconds, "FindMedia"),
        "WaitForMedia": wait("{% $job.pause %}", "AskForMedia"),
        "AskForMedia": task(
            f"{BATCH}:describeJobs",
            {"Jobs": ["{% $job.id %}"]},
            CALL_SECONDS,
            to="MediaOver",
            retries=asked_again,
            catches=[catch_failure("EndMedia")],
            assign={
                "job": f"{{% {DESCRIBED_JOB % {'pause': pause('$phase', settings.poll_seconds)}} %}}",
                "error": "{% $states.result.Jobs[0].Status = 'FAILED' ? 'MediaFailed' : 'MediaTooLate' %}",
            },
        ),
        "MediaOver": choice(
            [
                ("{% $job.status = 'SUCCEEDED' %}", to),
                *(fallback.after_interruption if fallback else ()),
                ("{% $job.status = 'FAILED' %}", failed),
                *(fallback.after_waiting if fallback else ()),
                (f"{{% {late} %}}", "EndMedia"),
            ],
            otherwise="WaitForMedia",
        ),
        "EndMedia": task(
            f"{BATCH}:terminateJob",
            {"JobId": "{% $job.id %}", "Reason": TIME_LIMIT_REASON},
            CALL_SECONDS,
            to=failed,
            retries=asked_again,
            catches=[catch(failed)],
        ),
        **(fallback.states(asked_again) if fallback else {}),
    }


class _OnDemandFallback:
    """From spare machines to those on demand."""

    def __init__(self, spare: str, on_demand: str, settings: ProcessingSettings) -> None:
        waited = f"$job.waits and $job.phase >= {settings.capacity_minutes * 60} and $not($job.left)"
        spare_one = f"$queue = '{spare}'"
        self._on_demand = on_demand
        self.after_search = [("{% $queue != $to %}", "MediaOnSpare")]
        """Where none lives on demand."""
        self.after_interruption = [
            (f"{{% {spare_one} and $job.status = 'FAILED' and $job.stopped %}}", "MediaOnDemand")
        ]
        """Where one has lost its last spare machine, or never had one."""
        self.after_waiting = [(f"{{% {spare_one} and {waited} %}}", "LeaveSpare")]
        """Where one has waited for a spare machine long enough."""

    def states(self, again: Sequence[Retry]) -> dict[str, State]:
        """What only a workflow with both has."""
        return {
            "MediaOnSpare": set_variables({"queue": "{% $to %}"}, "FindMedia"),
            # A cancelled job has failed; one that was given a machine meanwhile runs. Either is seen when it is asked about.
            "LeaveSpare": task(
                f"{BATCH}:cancelJob",
                {"JobId": "{% $job.id %}", "Reason": NO_CAPACITY_REASON},
                CALL_SECONDS,
                to="WaitForMedia",
                retries=again,
                catches=[catch_failure("EndMedia")],
                assign={"job": "{% $merge([$job, {'left': true}]) %}"},
            ),
            "MediaOnDemand": set_variables(
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
