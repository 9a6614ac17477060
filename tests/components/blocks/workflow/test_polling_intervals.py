"""Tests of job polling: the count agrees with the workflow's expression, and the end of a job is noticed soon."""

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
from tests.components.settings.stack_config import complete

SECONDS = st.integers(1, 15 * 24 * 3600)
FIRST = st.integers(1, 600)


@given(SECONDS, FIRST)
def test_the_end_is_noticed_late_by_at_most_a_twentieth_or_the_shortest_pause(seconds: int, first: int) -> None:
    waited = last = 0
    for _ in range(count_polls(seconds, first)):
        last = max(first, waited // PAUSE_DIVISOR)
        waited += last
    assert seconds <= waited < seconds + max(first, seconds // PAUSE_DIVISOR + 1)
    assert waited <= max_detection_seconds(seconds) + first


@given(st.integers(0, 10**6), FIRST)
def test_the_jsonata_expression_gives_the_same_pauses(waited: int, first: int) -> None:
    expression = jsonata.Jsonata(pause_expression("$waited", first))
    expression.assign("waited", waited)
    assert expression.evaluate(None) == max(first, waited // PAUSE_DIVISOR)


@pytest.mark.parametrize(("seconds", "first", "most"), [(0, 30, 0), (30, 30, 1), (31, 30, 2), (4 * 3600, 30, 90)])
def test_hours_take_a_few_dozen_polls(seconds: int, first: int, most: int) -> None:
    assert count_polls(seconds, first) <= most


def test_the_history_of_an_execution_stays_below_the_limit_of_step_functions_with_any_settings() -> None:
    """A poll is a wait, a call and a choice, with nine events. 2,500 events are reserved for all other steps."""
    extreme = {"pollSeconds": 5, "capacityMinutes": 720, "maxHours": 24, "spot": {"vcpus": 2, "memoryMb": 4096}}
    settings = load_settings(
        complete({"meetings.processing": extreme, "meetings.speech.maxMinutes": 1_440}), "dev"
    ).meetings
    job, seconds = settings.processing, settings.processing.poll_seconds
    attempts = ATTEMPTS * sum(count_polls(item * 60, seconds) for item in (job.timeout_minutes, job.capacity_minutes))
    parts = settings.audio_parts * count_polls(settings.speech.max_minutes * 60, seconds)
    questions = attempts + count_polls(job.on_demand_seconds, seconds) + parts
    assert questions * 9 + 2_500 < 25_000
