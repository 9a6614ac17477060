"""A Batch whose jobs go as a test says, and a walk through the workflow's states on it: a clock that only waits move."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.components.meetings.state_machine_runner import evaluate_choice, fill_arguments, find_catch

ENDED_STATUSES = ("SUCCEEDED", "FAILED")
WAITING_STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE")
INTERRUPTED = {"Container": {"ExitCode": 143}, "StatusReason": "Your Spot Task was interrupted."}
Life = Sequence[tuple[float, str, Mapping[str, Any]]]
"""From which second on a job is in which state, and what else is said of it then."""


class ServiceError(Exception):
    """An error that a service answers with, by its name."""


@dataclass
class FakeJob:
    """A job, from when it was submitted."""

    id: str
    queue: str
    name: str
    submitted_at: float
    life: Life
    ended: str | None = None
    """Why somebody ended it."""

    def detail(self, now: float) -> dict[str, Any]:
        """What is said of it at a time."""
        if self.ended is not None:
            return {"JobId": self.id, "Status": "FAILED", "StatusReason": self.ended, "Container": {}, "Attempts": []}
        status, more = next((s, m) for at, s, m in reversed(self.life) if self.submitted_at + at <= now)
        return {"JobId": self.id, "JobName": self.name, "Status": status, "Container": {}, "Attempts": [], **more}


@dataclass
class FakeBatch:
    """All jobs. No two of a name ever live at once."""

    lives: Callable[[str], Life]
    """By queue (`spot` or `on-demand`), for each job that is submitted."""
    lost_answers: int = 0
    """So many submissions are done and not answered."""
    refusing: str | None = None
    """The error that each submission is answered with, and not done."""
    now: float = 0
    jobs: list[FakeJob] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def listjobs(self, given: Mapping[str, Any]) -> Any:
        [name] = given["Filters"][0]["Values"]
        found = [job for job in self.jobs if job.queue == given["JobQueue"] and job.name.lower() == name.lower()]
        return {"JobSummaryList": [job.detail(self.now) for job in reversed(found)]}

    def submitjob(self, given: Mapping[str, Any]) -> Any:
        if self.refusing is not None:
            raise ServiceError(self.refusing)
        living = [job.id for job in self.jobs if job.detail(self.now)["Status"] not in ENDED_STATUSES]
        assert not living, f"{living} would be run twice"
        where = given["JobQueue"].rpartition("media-")[2]
        job = FakeJob(f"job-{len(self.jobs)}", given["JobQueue"], given["JobName"], self.now, self.lives(where))
        self.jobs.append(job)
        if self.lost_answers:
            self.lost_answers -= 1
            raise ServiceError("Batch.ServerException")
        return {"JobId": job.id}

    def describejobs(self, given: Mapping[str, Any]) -> Any:
        return {"Jobs": [job.detail(self.now) for job in self.jobs if job.id in given["Jobs"]]}

    def canceljob(self, given: Mapping[str, Any]) -> Any:
        job = self._job(given)
        if job.detail(self.now)["Status"] in WAITING_STATUSES:
            job.ended = given["Reason"]
        return {}

    def terminatejob(self, given: Mapping[str, Any]) -> Any:
        self._job(given).ended = given["Reason"]
        return {}

    def _job(self, given: Mapping[str, Any]) -> FakeJob:
        [job] = [job for job in self.jobs if job.id == given["JobId"]]
        return job


@dataclass
class WalkResult:
    """How a walk through the media's states went."""

    to: str
    """The first state that is none of theirs."""
    variables: dict[str, Any]
    events: int
    """Of the execution's history."""


EVENTS = {"Pass": 2, "Choice": 2, "Wait": 2, "Task": 5}


def walk_states(states: Mapping[str, Any], batch: FakeBatch, ends: Sequence[str]) -> WalkResult:
    """From the first state to one of those that it ends with."""
    at, variables, events = "Media", dict[str, Any](), 0
    while at not in ends:
        state = states[at]
        events += EVENTS[state["Type"]]
        context: dict[str, Any] = {}
        match state["Type"]:
            case "Choice":
                at = evaluate_choice(state, **variables)
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
                except ServiceError as refused:
                    state = find_catch(state, str(refused))
                    context["errorOutput"] = {"Error": str(refused)}
        assigned = {name: fill_arguments(one, context, **variables) for name, one in state.get("Assign", {}).items()}
        assert None not in assigned.values(), f"{at} leaves a variable without a value, which Step Functions refuses"
        variables |= assigned
        at = state["Next"]
    return WalkResult(at, variables, events)
