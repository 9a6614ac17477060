"""Tests of the workflow's states for the media job, which runs on Spot capacity first and then on demand.

A small interpreter executes the states of the deployed definition with a fake Batch. Only their Wait states advance the
clock. A *life* lists when a job changes its status, in seconds after the submission, and its attempts at that time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from components.meetings.workflow import END_REASON
from tests.components.meetings.jsonata_evaluation import RECORDING, evaluate_choice, fill_arguments, find_catch
from tests.components.meetings.recorded_deployment import PREFIX, deployed, states

HOUR = 3600
Life = Sequence[tuple[int, str, int]]
WAITING: Life = [(0, "RUNNABLE", 0)]
FINISHED: Life = [(0, "RUNNABLE", 0), (60, "STARTING", 0), (90, "RUNNING", 0), (690, "SUCCEEDED", 1)]
INTERRUPTED: Life = [(0, "RUNNING", 0), (100, "RUNNING", 1), (200, "RUNNING", 2), (300, "FAILED", 3)]
FAILING: Life = [(0, "RUNNING", 0), (100, "FAILED", 1)]


@dataclass
class FakeBatch:
    lives: Mapping[str, Life]
    """Lives of the jobs by the end of their queue's name."""
    now: int = 0
    jobs: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        self.calls.append(operation)
        match operation:
            case "submitJob":
                queue = arguments["JobQueue"].rpartition("media-")[2]
                self.jobs.append({"queue": queue, "submitted": self.now, "terminated": None})
                return {"JobId": str(len(self.jobs) - 1)}
            case "terminateJob":
                self.jobs[int(arguments["JobId"])]["terminated"] = arguments["Reason"]
                return {}
        job = self.jobs[int(arguments["Jobs"][0])]
        age = self.now - job["submitted"]
        status, attempts = next(
            (status, attempts) for seconds, status, attempts in reversed(self.lives[job["queue"]]) if seconds <= age
        )
        return {"Jobs": [{"Status": status, "Attempts": [{}] * attempts}]}

    @property
    def queues(self) -> list[str]:
        return [job["queue"] for job in self.jobs]


def run_media_states(batch: FakeBatch, **processing: Any) -> tuple[str, dict[str, Any]]:
    """Execute the states until the media job succeeds or the workflow gives up; return the next state, and the
    variables.
    """
    all_states = states(deployed(processing=processing) if processing else deployed())
    name, variables = "Media", dict[str, Any]()
    while name not in {"ReadMedia", "GiveMediaUp"}:
        state, context = all_states[name], dict[str, Any]()
        if state["Type"] == "Choice":
            name = evaluate_choice(state, **variables)
            continue
        if state["Type"] == "Wait":
            batch.now += fill_arguments(state["Seconds"], **variables)
        if state["Type"] == "Task":
            operation = state["Resource"].rpartition(":")[2]
            context["result"] = batch.call(operation, fill_arguments(state["Arguments"], **variables))
        new_values = fill_arguments(state.get("Assign", {}), context, **variables)
        assert None not in new_values.values(), f"Step Functions fails: {name} assigns an expression without a value"
        variables |= new_values
        name = state["Next"]
    return name, variables


def test_a_job_with_spot_capacity_runs_to_its_end() -> None:
    batch = FakeBatch({"spot": FINISHED})
    next_state, variables = run_media_states(batch)
    assert (next_state, batch.queues, variables["starts"]) == ("ReadMedia", ["spot"], 1)
    assert 690 <= batch.now <= 690 + 35, "the job's end must be noticed soon"
    assert "terminateJob" not in batch.calls


def test_a_job_without_spot_capacity_is_terminated_and_runs_on_demand() -> None:
    batch = FakeBatch({"spot": WAITING, "on-demand": FINISHED})
    next_state, variables = run_media_states(batch, capacityMinutes=10)
    assert (next_state, batch.queues, variables["starts"]) == ("ReadMedia", ["spot", "on-demand"], 1)
    assert [job["terminated"] for job in batch.jobs] == [END_REASON, None]
    assert 600 <= batch.jobs[1]["submitted"] <= 700, "capacityMinutes and up to two polling intervals"


@pytest.mark.parametrize(("spot", "starts"), [(INTERRUPTED, 4), (FAILING, 2)])
def test_a_job_that_fails_or_is_interrupted_too_often_runs_on_demand(spot: Life, starts: int) -> None:
    """Batch starts an interrupted job again, three times at most. `starts` includes the job on demand."""
    batch = FakeBatch({"spot": spot, "on-demand": FINISHED})
    next_state, variables = run_media_states(batch)
    assert (next_state, batch.queues, variables["starts"]) == ("ReadMedia", ["spot", "on-demand"], starts)
    assert "terminateJob" not in batch.calls


@pytest.mark.parametrize("runnable_until", [1500, 10 * HOUR])
def test_an_interrupted_job_waits_for_capacity_as_long_as_a_new_job(runnable_until: int) -> None:
    end: Life = [(runnable_until, "RUNNING", 1), (runnable_until + 500, "SUCCEEDED", 2)]
    interrupted_once: Life = [(0, "RUNNABLE", 0), (500, "RUNNING", 0), (1000, "RUNNABLE", 1), *end]
    batch = FakeBatch({"spot": interrupted_once, "on-demand": FINISHED})
    assert run_media_states(batch, capacityMinutes=10)[0] == "ReadMedia"
    assert batch.queues == (["spot"] if runnable_until == 1500 else ["spot", "on-demand"])
    assert runnable_until == 1500 or 1600 <= batch.jobs[1]["submitted"] <= 1750, "ten minutes and up to two intervals"


def test_a_job_that_fails_on_demand_too_is_given_up() -> None:
    batch = FakeBatch({"spot": INTERRUPTED, "on-demand": FAILING})
    next_state, variables = run_media_states(batch)
    assert (next_state, variables["error"], batch.queues) == ("GiveMediaUp", "MediaFailed", ["spot", "on-demand"])


def test_the_on_demand_engine_uses_no_spot_capacity() -> None:
    batch = FakeBatch({"on-demand": FINISHED})
    next_state, variables = run_media_states(batch, engine="fargate")
    assert (next_state, batch.queues, variables["starts"]) == ("ReadMedia", ["on-demand"], 1)
    assert "SpotJob" not in states(deployed(processing={"engine": "fargate"}))


@pytest.mark.parametrize(("engine", "hours"), [("batch-spot", 3 * 24.5 + 2 * 24), ("fargate", 2 * 24)])
def test_a_job_beyond_its_time_limit_is_terminated(engine: str, hours: float) -> None:
    """An attempt may take 24 hours. Each of three Spot attempts may first wait half an hour for capacity, and a job on
    demand may first wait for another job.
    """
    starting: Life = [(0, "STARTING", 0)]
    batch = FakeBatch({"spot": starting, "on-demand": starting})
    next_state, variables = run_media_states(batch, engine=engine)
    assert (next_state, variables["error"]) == ("GiveMediaUp", "MediaTooLate")
    assert {job["terminated"] for job in batch.jobs} == {END_REASON}
    assert hours * HOUR <= batch.now <= hours * HOUR * 1.06, "polling notices the limit up to a twentieth later"


def test_a_refused_call_ends_the_job_and_leads_to_the_next_queue_or_to_the_failure_state() -> None:
    all_states = states(deployed())
    for name, following in (("SpotJob", "OnDemandJob"), ("OnDemandJob", "GiveMediaUp")):
        next_states = [find_catch(all_states[f"{call}{name}"], "AnyError")["Next"] for call in ("", "Describe", "End")]
        assert next_states == [following, f"End{name}", following]
        assert all_states[f"End{name}"]["Next"] == following


def test_a_jobs_name_and_variables_name_its_recording() -> None:
    submission = fill_arguments(states(deployed())["SpotJob"]["Arguments"])
    environment = {variable["Name"]: variable["Value"] for variable in submission["ContainerOverrides"]["Environment"]}
    meeting = RECORDING.meeting
    assert environment == {"MEETING_USER": meeting.user, "MEETING_ID": meeting.meeting_id, "CONTENT": RECORDING.content}
    assert submission["JobDefinition"] == f"{PREFIX}-media"
    assert submission["JobName"] == f"media-{meeting.user}-{meeting.meeting_id}-{RECORDING.content}"
    assert len(submission["JobName"]) <= 128
