"""Tests of the workflow's media states, which run the media job on Fargate Spot first and then on demand.

The states are executed as in the deployed definition, with a fake Batch. A *life* lists the times at which a job changes
its status.
"""

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.blocks.workflow.polling_intervals import count_polls
from components.meetings.media_job_states import MAX_SUBMISSIONS, NO_CAPACITY_REASON, TERMINATION_REASON
from components.settings.meetings_media import ATTEMPTS
from tests.components.meetings.fake_batch import INTERRUPTED, FakeBatch, Life, WalkResult, walk_states
from tests.components.meetings.jsonata_evaluation import RECORDING, fill_arguments, find_catch
from tests.components.meetings.recorded_deployment import MEETINGS, PREFIX, deployed, previewed, states

ENDS = ("ReadMedia", "GiveMediaUp")
"""The states that follow the media states after a success, and after a failure."""
HOUR = 3600
WAITING_LIFE: Life = [(0, "RUNNABLE", {})]
FINISHED_LIFE: Life = [
    (0, "RUNNABLE", {}),
    (60, "STARTING", {}),
    (90, "RUNNING", {}),
    (690, "SUCCEEDED", {"Attempts": [{}], "Container": {"ExitCode": 0}}),
]
INTERRUPTED_LIFE: Life = [
    (0, "RUNNING", {}),
    *((number * 100, "RUNNING", {"Attempts": [{}] * number}) for number in (1, 2)),
    (300, "FAILED", {"Attempts": [{}] * 3, **INTERRUPTED}),
]


def failed_life(**fields: Any) -> Life:
    """Return the life of a job that fails after 100 seconds, with fields of its final description."""
    return [(0, "RUNNING", {}), (100, "FAILED", {"Attempts": [{}], **fields})]


def walk_media_states(batch: FakeBatch, **processing: Any) -> WalkResult:
    """Execute the media states of a deployment with these settings of the media job."""
    return walk_states(_definition(tuple(processing.items())), batch, ENDS)


@cache
def _definition(processing: tuple[tuple[str, object], ...]) -> Any:
    return states(previewed(processing=dict(processing)) if processing else deployed())


def queues(batch: FakeBatch) -> list[str]:
    """Return the queues to which jobs were submitted."""
    return [job.queue.rpartition("media-")[2] for job in batch.jobs]


def spot_batch(life: Life, on_demand_life: Life = FINISHED_LIFE) -> FakeBatch:
    """Return a Batch with one life for Spot jobs and another for on-demand jobs."""
    return FakeBatch(lambda queue: life if queue == "spot" else on_demand_life)


def start_count(walk: WalkResult) -> int:
    """Return the number of job starts that the state `ReadMedia` receives."""
    attempts = fill_arguments(states(deployed())["ReadMedia"]["Arguments"]["Payload"]["attempts"], **walk.variables)
    assert isinstance(attempts, int)
    return attempts


def test_a_job_with_spot_capacity_runs_to_its_end() -> None:
    batch = spot_batch(FINISHED_LIFE)
    walk = walk_media_states(batch)
    assert (walk.final_state, queues(batch), start_count(walk)) == ("ReadMedia", ["spot"], 1)
    assert not {"canceljob", "terminatejob"} & set(batch.calls)
    assert 690 <= batch.now <= 690 + 35, "the job's end must be noticed soon"


def test_a_job_without_spot_capacity_is_cancelled_and_runs_on_demand() -> None:
    batch = spot_batch(WAITING_LIFE)
    walk = walk_media_states(batch, capacityMinutes=10)
    assert (walk.final_state, queues(batch), start_count(walk)) == ("ReadMedia", ["spot", "on-demand"], 1)
    assert batch.jobs[0].end_reason == NO_CAPACITY_REASON
    assert 600 <= batch.jobs[1].submitted_at <= 700, "capacityMinutes and up to two polling intervals"
    assert batch.calls.count("canceljob") == 1


def test_a_job_that_is_interrupted_too_often_runs_on_demand() -> None:
    batch = spot_batch(INTERRUPTED_LIFE)
    walk = walk_media_states(batch)
    assert (walk.final_state, queues(batch), start_count(walk)) == ("ReadMedia", ["spot", "on-demand"], 4)


def test_an_interrupted_job_waits_for_capacity_as_long_as_before() -> None:
    interrupted_life: Life = [
        (0, "RUNNABLE", {}),
        (500, "RUNNING", {}),
        (1000, "RUNNABLE", {"Attempts": [{}]}),
        (1500, "RUNNING", {"Attempts": [{}]}),
        (2000, "SUCCEEDED", {"Attempts": [{}] * 2}),
    ]
    batch = spot_batch(interrupted_life)
    assert walk_media_states(batch, capacityMinutes=10).final_state == "ReadMedia"
    assert queues(batch) == ["spot"]
    without_capacity: Life = [*interrupted_life[:3], (10 * HOUR, "RUNNING", {})]
    batch = spot_batch(without_capacity)
    assert walk_media_states(batch, capacityMinutes=10).final_state == "ReadMedia"
    assert queues(batch) == ["spot", "on-demand"]
    assert 1600 <= batch.jobs[1].submitted_at <= 1750, "600 seconds after the interruption, and up to two intervals"


def test_a_job_that_starts_during_its_cancellation_continues() -> None:
    class StartingBatch(FakeBatch):
        def canceljob(self, arguments: Any) -> Any:
            self.jobs[0].life = [
                (0, "RUNNABLE", {}),
                (self.now, "STARTING", {}),
                (self.now + 600, "RUNNING", {}),
                *finished,
            ]
            return super().canceljob(arguments)

    finished: Life = [(3 * HOUR, "SUCCEEDED", {"Attempts": [{}]})]
    batch = StartingBatch(lambda _: WAITING_LIFE)
    assert walk_media_states(batch, capacityMinutes=10).final_state == "ReadMedia"
    assert (queues(batch), batch.jobs[0].end_reason) == (["spot"], None)


def test_the_second_job_is_submitted_after_the_cancelled_one_has_ended() -> None:
    class SlowBatch(FakeBatch):
        def canceljob(self, arguments: Any) -> Any:
            assert arguments["JobId"] == self.jobs[0].id
            self.jobs[0].life = [(0, "RUNNABLE", {}), (self.now + 900, "FAILED", {"StatusReason": "cancelled"})]
            return {}

    batch = SlowBatch(lambda queue: WAITING_LIFE if queue == "spot" else FINISHED_LIFE)
    assert walk_media_states(batch, capacityMinutes=10).final_state == "ReadMedia"
    assert batch.jobs[1].submitted_at >= 600 + 900
    assert batch.calls.count("canceljob") == 1


def test_a_job_that_is_starting_is_not_cancelled() -> None:
    batch = spot_batch([(0, "STARTING", {}), (2400, "RUNNING", {}), (2500, "SUCCEEDED", {"Attempts": [{}]})])
    assert walk_media_states(batch, capacityMinutes=10).final_state == "ReadMedia"
    assert "canceljob" not in batch.calls


@pytest.mark.parametrize("exit_code", [0, 1, 2, 139])
def test_a_job_whose_container_ended_by_itself_does_not_run_on_demand(exit_code: int) -> None:
    batch = spot_batch(
        failed_life(Container={"ExitCode": exit_code}, StatusReason="Essential container in task exited")
    )
    walk = walk_media_states(batch)
    assert (walk.final_state, queues(batch), walk.variables["error"]) == ("GiveMediaUp", ["spot"], "MediaFailed")


@pytest.mark.parametrize(
    "description",
    [
        INTERRUPTED,
        {"Container": {"ExitCode": 137}},
        {"StatusReason": "Canceled by JobStateTimeLimit action"},
        {"StatusReason": "CannotPullContainerError"},
        {},
    ],
)
def test_a_job_whose_container_was_stopped_runs_on_demand(description: dict[str, Any]) -> None:
    batch = spot_batch(failed_life(**description))
    assert walk_media_states(batch).final_state == "ReadMedia"
    assert queues(batch) == ["spot", "on-demand"]


def test_a_job_that_exceeded_its_timeout_does_not_run_on_demand() -> None:
    description = {"Container": {"ExitCode": 137}, "StatusReason": "Job attempt duration exceeded timeout"}
    batch = spot_batch(failed_life(**description))
    assert (walk_media_states(batch).final_state, queues(batch)) == ("GiveMediaUp", ["spot"])


@pytest.mark.parametrize("description", [INTERRUPTED, {"Container": {"ExitCode": 1}}])
def test_an_on_demand_job_that_was_stopped_or_failed_is_not_repeated(description: dict[str, Any]) -> None:
    for processing in ({}, {"engine": "fargate"}):
        batch = FakeBatch(lambda queue: INTERRUPTED_LIFE if queue == "spot" else failed_life(**description))
        assert walk_media_states(batch, **processing).final_state == "GiveMediaUp"
        assert queues(batch)[-1] == "on-demand"


def test_the_on_demand_engine_has_no_spot_states() -> None:
    state_names = set(states(previewed(processing={"engine": "fargate"})))
    assert not {"CancelSpotJob", "MediaOnDemand", "SearchSpotQueue"} & state_names
    batch = FakeBatch(lambda _: FINISHED_LIFE)
    assert (walk_media_states(batch, engine="fargate").final_state, queues(batch)) == ("ReadMedia", ["on-demand"])


@pytest.mark.parametrize(("engine", "hours"), [("batch-spot", 3 * 24.5), ("fargate", 2 * 24)])
def test_a_job_beyond_its_time_limit_is_terminated(engine: str, hours: float) -> None:
    """Each attempt may take 24 hours. Each of three Spot attempts may first wait half an hour for capacity, and an
    on-demand job may first wait until another job ends.
    """
    batch = FakeBatch(lambda _: [(0, "STARTING", {})])
    walk = walk_media_states(batch, engine=engine)
    assert (walk.final_state, walk.variables["error"]) == ("GiveMediaUp", "MediaTooLate")
    assert [job.end_reason for job in batch.jobs] == [TERMINATION_REASON]
    assert hours * HOUR <= batch.now <= hours * HOUR * 1.06, "polling notices the limit up to a twentieth later"


def test_a_new_execution_waits_for_an_active_job_of_the_same_recording() -> None:
    for queue in ("spot", "on-demand"):
        batch = FakeBatch(lambda _: FINISHED_LIFE)
        walk_media_states(batch, **({"engine": "fargate"} if queue == "on-demand" else {}))
        batch.now = 300  # the time at which the job runs
        assert walk_media_states(batch).final_state == "ReadMedia"
        assert queues(batch) == [queue], "no second job may be submitted"


@pytest.mark.parametrize("lost_responses", [1, 2])
def test_a_job_whose_submission_response_was_lost_is_found_by_its_name(lost_responses: int) -> None:
    batch = spot_batch(FINISHED_LIFE)
    batch.lost_responses = lost_responses
    assert (walk_media_states(batch).final_state, queues(batch)) == ("ReadMedia", ["spot"])


def test_a_queue_that_rejects_submissions_fails_the_recording() -> None:
    """Only `Batch.ClientException` proves that no job was submitted. After other errors, the states search for the job,
    and submit it again if they do not find it.
    """
    for error, submission_count in (
        ("Batch.SdkClientException", MAX_SUBMISSIONS),
        ("Batch.AWSBatchException", MAX_SUBMISSIONS),
        ("Batch.ClientException", 1),
    ):
        batch = FakeBatch(lambda _: FINISHED_LIFE, submission_error=error)
        walk = walk_media_states(batch)
        assert (walk.final_state, walk.variables["error"]) == ("GiveMediaUp", error)
        assert batch.calls.count("submitjob") == submission_count


def test_a_job_that_cannot_be_described_is_terminated() -> None:
    """The state `AskForMedia` describes the job, and `EndMedia` terminates it."""
    for name in ("AskForMedia", "CancelSpotJob"):
        state = states(deployed())[name]
        assert find_catch(state, "Batch.AccessDeniedException")["Next"] == "EndMedia"
        [retry] = state["Retry"]
        assert {"Batch.TooManyRequestsException", "Batch.ServerException", "States.Timeout"} <= set(
            retry["ErrorEquals"]
        )
    assert find_catch(states(deployed())["EndMedia"], "Batch.ClientException")["Next"] == "GiveMediaUp"
    assert find_catch(states(deployed())["FindMedia"], "Batch.ClientException")["Next"] == "GiveMediaUp"


def test_a_jobs_name_and_variables_name_its_recording() -> None:
    submission = fill_arguments(states(deployed())["SubmitMedia"]["Arguments"], queue="arn:of:a-queue")
    environment = {variable["Name"]: variable["Value"] for variable in submission["ContainerOverrides"]["Environment"]}
    meeting = RECORDING.meeting
    assert environment == {"MEETING_USER": meeting.user, "MEETING_ID": meeting.meeting_id, "CONTENT": RECORDING.content}
    assert (submission["JobDefinition"], submission["JobQueue"]) == (f"{PREFIX}-media", "arn:of:a-queue")
    assert submission["JobName"] == f"media-{meeting.user}-{meeting.meeting_id}-{RECORDING.content}"
    assert len(submission["JobName"]) <= 128
    search = fill_arguments(states(deployed())["FindMedia"]["Arguments"], queue="arn:of:a-queue")
    assert search["Filters"] == [{"Name": "JOB_NAME", "Values": [submission["JobName"]]}]


def test_only_rejected_submissions_are_retried_without_a_search() -> None:
    [retry] = states(deployed())["SubmitMedia"]["Retry"]
    assert set(retry["ErrorEquals"]) == {"Batch.TooManyRequestsException", "Batch.ThrottlingException"}


ATTEMPT = st.tuples(st.integers(0, 40 * 60), st.integers(0, 5 * HOUR))
"""Seconds for which an attempt waits for capacity, and seconds for which it then runs."""


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Return any life of a job on Spot capacity."""
    time, life = 0, list[tuple[float, str, dict[str, Any]]]()
    for number, (waiting_seconds, running_seconds) in enumerate(draw(st.lists(ATTEMPT, min_size=1, max_size=3))):
        fields: dict[str, Any] = {"Attempts": [{}] * number}
        starting_at = time + waiting_seconds
        life += [(time, "RUNNABLE", fields), (starting_at, "STARTING", fields), (starting_at + 30, "RUNNING", fields)]
        time = starting_at + running_seconds + 30
    last_fields: dict[str, Any] = {"Attempts": [{}] * (number + 1)}
    status = draw(st.sampled_from(["SUCCEEDED", "FAILED", "RUNNABLE"]))
    return [
        *life,
        (time, status, {**last_fields, **draw(st.sampled_from([{}, INTERRUPTED, {"Container": {"ExitCode": 1}}]))}),
    ]


@settings(max_examples=20)
@given(lives(), st.integers(0, 2))
def test_any_job_ends_in_a_limited_number_of_steps_without_a_duplicate(life: Life, lost_responses: int) -> None:
    batch = spot_batch(life)
    batch.lost_responses = lost_responses
    walk = walk_media_states(batch)  # the fake Batch asserts that no two jobs are active at once
    processing = MEETINGS.settings().processing
    attempt_polls = sum(
        count_polls(minutes * 60, 30) for minutes in (processing.timeout_minutes, processing.capacity_minutes)
    )
    polls = ATTEMPTS * attempt_polls + count_polls(processing.on_demand_seconds, 30)
    assert walk.events <= polls * 9 + 2_500, "a poll is a wait, a call and a choice, with nine events"
    assert batch.now <= 1.06 * (processing.spot_seconds + processing.on_demand_seconds)
