"""Fake AWS Batch whose jobs change their status at given times, and an interpreter of the workflow's media states.

The media states submit the media job and poll it. In a test, only their Wait states advance the clock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.components.meetings.jsonata_evaluation import evaluate_choice, fill_arguments, find_catch

ENDED_STATUSES = ("SUCCEEDED", "FAILED")
WAITING_STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE")
INTERRUPTED = {"Container": {"ExitCode": 143}, "StatusReason": "Your Spot Task was interrupted."}
Life = Sequence[tuple[float, str, Mapping[str, Any]]]
"""States of a job: each has the second after the submission from which it applies, the status, and further fields of the
job's description.
"""


class ServiceError(Exception):
    """An error of a service, with its name as the message."""


@dataclass
class FakeJob:
    """A submitted job."""

    id: str
    queue: str
    name: str
    submitted_at: float
    life: Life
    end_reason: str | None = None
    """Reason of its termination or cancellation. None if it was neither terminated nor cancelled."""

    def detail(self, now: float) -> dict[str, Any]:
        """Return the job's description at a time."""
        age = now - self.submitted_at
        status, fields = next((status, fields) for seconds, status, fields in reversed(self.life) if seconds <= age)
        if self.end_reason is not None:
            status, fields = "FAILED", {"StatusReason": self.end_reason}
        return {"JobId": self.id, "JobName": self.name, "Status": status, "Container": {}, "Attempts": [], **fields}


@dataclass
class FakeBatch:
    """Replacement of AWS Batch. A submission fails the test if another job is still active."""

    lives: Callable[[str], Life]
    """Function that returns the life of a new job by its queue, `spot` or `on-demand`."""
    lost_responses: int = 0
    """Number of submissions that succeed but whose response is lost."""
    submission_error: str | None = None
    """Error with which every submission is rejected."""
    now: float = 0
    jobs: list[FakeJob] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """Operations that the states called, for example `submitjob`."""

    def listjobs(self, arguments: Mapping[str, Any]) -> Any:
        [name] = arguments["Filters"][0]["Values"]
        jobs = [job for job in self.jobs if job.queue == arguments["JobQueue"] and job.name.lower() == name.lower()]
        return {"JobSummaryList": [job.detail(self.now) for job in reversed(jobs)]}

    def submitjob(self, arguments: Mapping[str, Any]) -> Any:
        if self.submission_error is not None:
            raise ServiceError(self.submission_error)
        active_jobs = [job.id for job in self.jobs if job.detail(self.now)["Status"] not in ENDED_STATUSES]
        assert not active_jobs, f"a second job was submitted while {active_jobs} are active"
        queue = arguments["JobQueue"].rpartition("media-")[2]
        job = FakeJob(f"job-{len(self.jobs)}", arguments["JobQueue"], arguments["JobName"], self.now, self.lives(queue))
        self.jobs.append(job)
        if self.lost_responses:
            self.lost_responses -= 1
            raise ServiceError("Batch.ServerException")
        return {"JobId": job.id}

    def describejobs(self, arguments: Mapping[str, Any]) -> Any:
        return {"Jobs": [job.detail(self.now) for job in self.jobs if job.id in arguments["Jobs"]]}

    def canceljob(self, arguments: Mapping[str, Any]) -> Any:
        job = self._job(arguments)
        if job.detail(self.now)["Status"] in WAITING_STATUSES:
            job.end_reason = arguments["Reason"]
        return {}

    def terminatejob(self, arguments: Mapping[str, Any]) -> Any:
        self._job(arguments).end_reason = arguments["Reason"]
        return {}

    def _job(self, arguments: Mapping[str, Any]) -> FakeJob:
        [job] = [job for job in self.jobs if job.id == arguments["JobId"]]
        return job


@dataclass
class WalkResult:
    """Result of an execution of the media states."""

    final_state: str
    """The first state after the media states."""
    variables: dict[str, Any]
    events: int
    """Number of events in the execution's history."""


EVENTS_BY_TYPE = {"Pass": 2, "Choice": 2, "Wait": 2, "Task": 5}
"""Number of events that a state of each type adds to the history of the execution."""


def walk_states(states: Mapping[str, Any], batch: FakeBatch, ends: Sequence[str]) -> WalkResult:
    """Execute the states from `Media` on, until the next state is one of `ends`, which is not executed."""
    name, variables, events = "Media", dict[str, Any](), 0
    while name not in ends:
        state = states[name]
        events += EVENTS_BY_TYPE[state["Type"]]
        context: dict[str, Any] = {}
        match state["Type"]:
            case "Choice":
                name = evaluate_choice(state, **variables)
                continue
            case "Wait":
                seconds = fill_arguments(state["Seconds"], **variables)
                assert seconds == int(seconds) > 0
                batch.now += seconds
            case "Task":
                operation = state["Resource"].rpartition(":")[2].lower()
                batch.calls.append(operation)
                try:
                    context["result"] = getattr(batch, operation)(fill_arguments(state["Arguments"], **variables))
                except ServiceError as error:
                    state = find_catch(state, str(error))
                    context["errorOutput"] = {"Error": str(error)}
        new_values = fill_arguments(state.get("Assign", {}), context, **variables)
        assert None not in new_values.values(), f"Step Functions fails: {name} assigns an expression without a value"
        variables |= new_values
        name = state["Next"]
    return WalkResult(name, variables, events)
