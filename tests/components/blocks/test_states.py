"""Tests of the functions that build states: the pauses of a retrier, and the growing pauses with which a job is polled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.blocks.states import poll_states, retry, total_pause_seconds
from components.settings import load_settings
from tests.components.meetings.jsonata_evaluation import fill_arguments
from tests.components.meetings.recorded_deployment import count_audio_parts
from tests.components.settings.stack_config import stack_config


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 0), (1, 1), (3, 1 + 2 + 4), (5, 1 + 2 + 4 + 8 + 9)])
def test_the_pauses_of_a_retrier_double_up_to_the_maximum_delay(attempts: int, seconds: int) -> None:
    assert total_pause_seconds(retry(["X"], attempts=attempts, first_seconds=1, longest_seconds=9)) == seconds
    defaults = retry(["X"]), retry(["X"], attempts=10)
    assert [total_pause_seconds(retrier) for retrier in defaults] == [62, 510 + 2 * 300]


def wait_until(seconds: int, min_pause: int) -> list[int]:
    """Return the pauses between the polls of a job until some seconds have passed."""
    wait = poll_states("Job", {}, (), waited_variable="waited", min_pause=min_pause)["WaitForJob"]
    pauses, waited = list[int](), 0
    while waited < seconds:
        pauses.append(fill_arguments(wait["Seconds"], waited=waited))
        waited = fill_arguments(wait["Assign"]["waited"], waited=waited)
    assert waited == sum(pauses)
    return pauses


@settings(max_examples=20)
@given(st.integers(1, 15 * 24 * 3600), st.integers(5, 600))
def test_the_states_notice_a_jobs_end_within_a_twentieth_of_its_time_or_the_shortest_pause(
    seconds: int, min_pause: int
) -> None:
    assert seconds <= sum(wait_until(seconds, min_pause)) < seconds + max(min_pause, seconds // 20 + 1)
    ways_on = [{"Condition": "{% $ended %}", "Next": "Go"}]
    states = poll_states("Job", {}, [("{% $ended %}", "Go")], waited_variable="waited", min_pause=min_pause)
    assert states["JobDone"] == {"Type": "Choice", "Choices": ways_on, "Default": "WaitForJob"}


def test_the_history_of_an_execution_stays_below_the_limit_of_step_functions_with_any_settings() -> None:
    """A poll is a wait, a call and a choice, with nine events. 2,500 events are reserved for all other steps."""
    extreme = {"pollSeconds": 5, "capacityMinutes": 720, "maxHours": 24, "spot": {"vcpus": 2, "memoryMb": 4096}}
    config = stack_config({"meetings.processing": extreme, "meetings.speech.maxMinutes": 1_440})
    meetings = load_settings(config, "dev").meetings
    job, min_pause = meetings.processing, meetings.processing.poll_seconds
    waits = [job.spot_seconds, job.on_demand_seconds, *[meetings.speech.max_minutes * 60] * count_audio_parts(meetings)]
    polls = sum(len(wait_until(seconds, min_pause)) for seconds in waits)
    assert polls * 9 + 2_500 < 25_000
    polls_of_jobs = [len(wait_until(seconds, 30)) for seconds in (30, 4 * 3600)]
    assert polls_of_jobs == [1, 86], "a job of half a minute and of four hours"
