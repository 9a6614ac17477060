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
from components.meetings.workflow_expressions import CALL_SECONDS, KNOWN_AS, RECORDING, caught
from components.settings.meetings_media import ProcessingSettings
from components.settings.polling import pause_expression
from handlers.meetings.media_job.environment import ABOUT

START: Final = "Media"
SUBMIT: Final = "arn:aws:states:::batch:submitJob"
BATCH: Final = "arn:aws:states:::aws-sdk:batch"
JOB_NAME: Final = f"{{% 'media-' & {KNOWN_AS} %}}"
REFUSED: Final = ("Batch.TooManyRequestsException", "Batch.ThrottlingException")
"""What was too much, and so not done. `Batch.AWSBatchException`, which is often that too, may have been done as well."""
BUSY: Final = (
    *REFUSED,
    "Batch.ServerException",
    "Batch.BatchException",
    "Batch.SdkClientException",
    "States.Timeout",
)
"""What may be asked again whatever became of it, since asking does nothing."""
SUBMISSIONS: Final = 6
"""How often a job is submitted to a queue whose answers are lost, or do not say whether it was: before each, it is looked for."""
NO_MACHINE: Final = "No spare machine in processing.capacityMinutes"
TOO_LATE: Final = "Nobody waits for it any longer"
SEEN: Final = """(
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
NEW: Final = (
    "{'id': %(id)s, 'status': 'SUBMITTED', 'on': false, 'waits': true, 'attempts': 0, 'phase': 0, 'pause': %(pause)s, "
    "'spent': 0, 'left': false, 'stopped': false}"
)
FOUND: Final = (
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
    asked_again = [retry(BUSY, attempts=10, first_seconds=5)]
    environment = [{"Name": name, "Value": value} for name, value in zip(ABOUT, RECORDING.values(), strict=True)]
    late = f"$job.spent >= ($queue = '{last}' ? {settings.on_demand_seconds} : {settings.spot_seconds})"
    fallback = _Fallback(first, last, settings) if first != last else None
    return {
        # One on demand may live where nobody would look for it: there first, then where one is submitted.
        START: set_variables_state(
            {"queue": last, "to": first, "before": 0, "lost": 0, "error": "MediaNotSubmitted"}, "FindMedia"
        ),
        "FindMedia": task_state(
            f"{BATCH}:listJobs",
            {"JobQueue": "{% $queue %}", "Filters": [{"Name": "JOB_NAME", "Values": [JOB_NAME]}]},
            CALL_SECONDS,
            to="MediaFound",
            retries=asked_again,
            catches=[caught(failed)],
            assign={"job": f"{{% {FOUND % {'new': _new('$id', settings)}} %}}"},
        ),
        "MediaFound": choice_state(
            [
                ("{% $job.id != '' %}", "WaitForMedia"),
                *(fallback.elsewhere if fallback else ()),
                (f"{{% $lost >= {SUBMISSIONS} %}}", failed),
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
            retries=[retry(REFUSED, attempts=6, first_seconds=5)],
            catches=[
                caught(failed, "Batch.ClientException"),
                caught("AnswerLost", assign={"lost": "{% $lost + 1 %}"}),
            ],
            assign={"job": f"{{% {_new('$states.result.JobId', settings)} %}}"},
        ),
        "AnswerLost": wait_state(settings.poll_seconds, "FindMedia"),
        "WaitForMedia": wait_state("{% $job.pause %}", "AskForMedia"),
        "AskForMedia": task_state(
            f"{BATCH}:describeJobs",
            {"Jobs": ["{% $job.id %}"]},
            CALL_SECONDS,
            to="MediaOver",
            retries=asked_again,
            catches=[caught("EndMedia")],
            assign={
                "job": f"{{% {SEEN % {'pause': pause_expression('$phase', settings.poll_seconds)}} %}}",
                "error": "{% $states.result.Jobs[0].Status = 'FAILED' ? 'MediaFailed' : 'MediaTooLate' %}",
            },
        ),
        "MediaOver": choice_state(
            [
                ("{% $job.status = 'SUCCEEDED' %}", to),
                *(fallback.lost if fallback else ()),
                ("{% $job.status = 'FAILED' %}", failed),
                *(fallback.nowhere if fallback else ()),
                (f"{{% {late} %}}", "EndMedia"),
            ],
            otherwise="WaitForMedia",
        ),
        "EndMedia": task_state(
            f"{BATCH}:terminateJob",
            {"JobId": "{% $job.id %}", "Reason": TOO_LATE},
            CALL_SECONDS,
            to=failed,
            retries=asked_again,
            catches=[catch(failed)],
        ),
        **(fallback.states(asked_again) if fallback else {}),
    }


class _Fallback:
    """From spare machines to those on demand."""

    def __init__(self, spare: str, on_demand: str, settings: ProcessingSettings) -> None:
        waited = f"$job.waits and $job.phase >= {settings.capacity_minutes * 60} and $not($job.left)"
        spare_one = f"$queue = '{spare}'"
        self._on_demand = on_demand
        self.elsewhere = [("{% $queue != $to %}", "MediaOnSpare")]
        """Where none lives on demand."""
        self.lost = [(f"{{% {spare_one} and $job.status = 'FAILED' and $job.stopped %}}", "MediaOnDemand")]
        """Where one has lost its last spare machine, or never had one."""
        self.nowhere = [(f"{{% {spare_one} and {waited} %}}", "LeaveSpare")]
        """Where one has waited for a spare machine long enough."""

    def states(self, again: Sequence[Retry]) -> dict[str, State]:
        """What only a workflow with both has."""
        return {
            "MediaOnSpare": set_variables_state({"queue": "{% $to %}"}, "FindMedia"),
            # A cancelled job has failed; one that was given a machine meanwhile runs. Either is seen when it is asked about.
            "LeaveSpare": task_state(
                f"{BATCH}:cancelJob",
                {"JobId": "{% $job.id %}", "Reason": NO_MACHINE},
                CALL_SECONDS,
                to="WaitForMedia",
                retries=again,
                catches=[caught("EndMedia")],
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


def _new(id_: str, settings: ProcessingSettings) -> str:
    return NEW % {"id": id_, "pause": settings.poll_seconds}
