"""Tests of the growing pauses with which a workflow polls a job.

The workflow computes a pause with a JSONata expression, and the program counts the polls in Python. Both must agree.
"""

import jsonata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.blocks.workflow.polling_intervals import (
    PAUSE_DIVISOR,
    count_polls,
    max_detection_seconds,
    pause_expression,
)
from components.settings import load_settings
from components.settings.meetings_media import ATTEMPTS
from tests.components.settings.stack_config import stack_config

SECONDS = st.integers(1, 15 * 24 * 3600)
MIN_PAUSE = st.integers(1, 600)


@given(SECONDS, MIN_PAUSE)
def test_a_jobs_end_is_noticed_within_a_twentieth_of_its_time_or_the_shortest_pause(
    seconds: int, min_pause: int
) -> None:
    waited = 0
    for _ in range(count_polls(seconds, min_pause)):
        waited += max(min_pause, waited // PAUSE_DIVISOR)
    assert seconds <= waited < seconds + max(min_pause, seconds // PAUSE_DIVISOR + 1)
    assert waited <= max_detection_seconds(seconds) + min_pause, "the latest time at which the end is noticed"


@given(st.integers(0, 10**6), MIN_PAUSE)
def test_the_jsonata_expression_gives_the_same_pauses(waited: int, min_pause: int) -> None:
    expression = jsonata.Jsonata(pause_expression("$waited", min_pause))
    expression.assign("waited", waited)
    assert expression.evaluate(None) == max(min_pause, waited // PAUSE_DIVISOR)


@pytest.mark.parametrize(
    ("seconds", "min_pause", "max_polls"), [(0, 30, 0), (30, 30, 1), (31, 30, 2), (4 * 3600, 30, 90)]
)
def test_a_job_of_four_hours_takes_at_most_ninety_polls_and_a_short_job_few(
    seconds: int, min_pause: int, max_polls: int
) -> None:
    assert count_polls(seconds, min_pause) <= max_polls


def test_the_history_of_an_execution_stays_below_the_limit_of_step_functions_with_any_settings() -> None:
    """A poll is a wait, a call and a choice, with nine events. 2,500 events are reserved for all other steps."""
    extreme = {"pollSeconds": 5, "capacityMinutes": 720, "maxHours": 24, "spot": {"vcpus": 2, "memoryMb": 4096}}
    settings = load_settings(
        stack_config({"meetings.processing": extreme, "meetings.speech.maxMinutes": 1_440}), "dev"
    ).meetings
    job, min_pause = settings.processing, settings.processing.poll_seconds
    spot_polls = ATTEMPTS * sum(
        count_polls(minutes * 60, min_pause) for minutes in (job.timeout_minutes, job.capacity_minutes)
    )
    on_demand_polls = count_polls(job.on_demand_seconds, min_pause)
    transcription_polls = settings.audio_parts * count_polls(settings.speech.max_minutes * 60, min_pause)
    assert (spot_polls + on_demand_polls + transcription_polls) * 9 + 2_500 < 25_000
