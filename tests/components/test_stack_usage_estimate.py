"""Tests of each subsystem's monthly usage, which is computed from the load and the settings and has a price.

The load is the expected use, for example files per day. A measure is one quantity of the usage of a block, which is a
part of the subsystem. For example, the block `ingestion-spark` has the measure `runs`.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ingestion import monthly_usage as ingestion_usage
from components.livestream import monthly_usage as livestream_usage
from components.meetings import monthly_usage as meetings_usage
from components.meetings.usage_estimate import MEDIA_PART_MEGABYTES
from components.transcription import monthly_usage as transcription_usage
from components.usage_formulas import Usage, token_usage
from components.voice_qa import monthly_usage as voice_qa_usage
from guardrails.pricing.cost_estimate import CostReport, estimate_cost
from handlers.meetings.media_job.job_bucket import PART_BYTES
from local.preview.cost import to_priced_resource
from tests.components.deployment_harness import Deployment
from tests.components.ingestion.recorded_deployment import INGESTION
from tests.components.livestream.recorded_deployment import LIVESTREAM
from tests.components.meetings.recorded_deployment import MEETINGS
from tests.components.transcription.recorded_deployment import TRANSCRIPTION
from tests.components.voice_qa.recorded_deployment import VOICE_QA

SUBSYSTEMS: dict[str, tuple[Deployment, Callable[[Any], Usage]]] = {
    "ingestion": (INGESTION, ingestion_usage),
    "transcription": (TRANSCRIPTION, transcription_usage),
    "voice-qa": (VOICE_QA, voice_qa_usage),
    "livestream": (LIVESTREAM, livestream_usage),
    "meetings": (MEETINGS, meetings_usage),
}
FARGATE = {"processing": {"engine": "fargate"}}
LARGE_LOADS: dict[str, dict[str, float]] = {
    "ingestion": {"filesPerDay": 10**7, "fileMegabytes": 5_000.0, "peakFilesPerHour": 10**6, "runMinutes": 480.0},
    "transcription": {"utterancesPerDay": 10**6, "utteranceSeconds": 5.0},
    "voice-qa": {"questionsPerDay": 10**6, "lecturesPerDay": 1e4},
    "livestream": {"episodesPerDay": 10**6, "videoMinutes": 1e4},
    "meetings": {"meetingsPerMonth": 10**6, "hoursEach": 24.0, "encodedShare": 1.0},
}
"""Fields of each load, with a large value of the field's type."""
USD_OF_LOADS: dict[str, tuple[dict[str, float], float]] = {
    "ingestion": ({"filesPerDay": 800_000, "peakFilesPerHour": 100_000}, 14_863.78),
    "transcription": ({"utterancesPerDay": 100_000}, 7_758.80),
    "voice-qa": ({"questionsPerDay": 20_000, "lecturesPerDay": 500}, 390.76),
    "livestream": ({"episodesPerDay": 400}, 6_974.61),
    "meetings": ({"meetingsPerMonth": 6_000, "encodedShare": 0.5}, 3_688.60),
}
"""Monthly cost of a hundred times the default load. A change of a formula, an assumption or a price changes it."""


def usage(name: str, **sections: Any) -> Usage:
    deployment, monthly_usage = SUBSYSTEMS[name]
    return monthly_usage(deployment.settings(**sections))


def cost(name: str, load: dict[str, Any] | None = None, **sections: Any) -> CostReport:
    """Return the cost of a subsystem. The estimate fails if a measure has no price or is missing."""
    graph = SUBSYSTEMS[name][0].previewed(**sections).graph
    resources = [to_priced_resource(resource, graph) for resource in graph]
    return estimate_cost(resources, usage(name, load=load or {}, **sections))


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        *((name, {}) for name in SUBSYSTEMS),
        ("meetings", FARGATE),
        ("ingestion", {"spark": {"executionClass": "FLEX", "workerType": "G.4X"}}),
        ("livestream", {"episodes": {"snapStart": True}}),
    ],
    ids=str,
)
def test_every_measure_has_a_price_and_no_measure_is_missing(name: str, sections: dict[str, Any]) -> None:
    assert cost(name, **sections).unpriced == ()


@pytest.mark.parametrize("name", SUBSYSTEMS)
def test_the_cost_of_each_subsystem_is_unchanged(name: str) -> None:
    load, usd = USD_OF_LOADS[name]
    assert round(cost(name, load).total, 2) == usd


@pytest.mark.parametrize("name", SUBSYSTEMS)
@given(data=st.data())
def test_no_load_gives_negative_or_infinite_usage(name: str, data: st.DataObject) -> None:
    load = {
        key: data.draw(st.integers(1, maximum) if isinstance(maximum, int) else st.floats(0.1, maximum))
        for key, maximum in LARGE_LOADS[name].items()
    }
    block_usage = usage(name, load=load)
    assert all(0 <= amount < float("inf") for block in block_usage.values() for amount in block.values())


def test_usage_follows_from_the_load() -> None:
    """Every day, 8,000 files of 3.5 MB arrive. They are stored for 30 days, and as replaced versions for 7 more days."""
    block_usage = usage("ingestion")
    assert block_usage["ingestion-spark"]["runs"] == 8_000 * 30 / 200, "a run processes 200 files"
    assert block_usage["ingestion-spark"]["minutes"] == 4
    assert block_usage["ingestion-landing"]["storageGb"] == pytest.approx(8_000 * 3.5 / 1024 * (30 + 7))


@pytest.mark.parametrize(("megabytes", "files_per_run"), [(3.5, 200), (102.4, 100), (20_480, 1)])
def test_large_files_mean_fewer_files_per_run(megabytes: float, files_per_run: int) -> None:
    """A run processes at most 200 files, and at most 10 GB unless one file is larger."""
    block_usage = usage("ingestion", load={"fileMegabytes": megabytes})
    assert block_usage["ingestion-spark"]["runs"] == pytest.approx(8_000 * 30 / files_per_run)


@pytest.mark.parametrize("seconds", [0.5, 5])
def test_each_of_a_thousand_streams_a_day_is_billed_for_fifteen_seconds_at_least(seconds: float) -> None:
    processor = usage("transcription", load={"utteranceSeconds": seconds})["transcription-audio-processor"]
    assert processor["transcribeStreamingMinutes"] == 1_000 * 30 * 15 / 60
    assert processor["milliseconds"] == (seconds + 1) * 1_000, "a call takes a second longer than its utterance"


def test_versioned_objects_are_stored_one_day_longer() -> None:
    versioned, unversioned, unversioned_for_another_day = (
        usage("voice-qa", audio=audio)["voice-qa-audio"]["storageGb"]
        for audio in ({}, {"versioned": False}, {"versioned": False, "queryDays": 8, "responseDays": 8})
    )
    assert unversioned < versioned == pytest.approx(unversioned_for_another_day)


@pytest.mark.parametrize(("agent", "windows"), [({}, 5), ({"windowCharacters": 50_000}, 3)])
def test_a_window_is_limited_by_characters_and_by_duration(agent: dict[str, int], windows: int) -> None:
    """A window is the section of a transcript that the agent analyses at once. Half an hour has 25,000 characters, which
    give 5 windows of at most 6,000. It gives 3 windows of at most ten minutes.
    """
    assert usage("livestream", agent=agent)["livestream-agent-windows"]["messages"] == windows * 4 * 30


def test_spot_capacity_is_used_only_with_its_engine_and_twice_the_vcpus_halve_only_the_encoding_time() -> None:
    def hours(encoded_share: float, **sections: Any) -> tuple[float, float]:
        load = {"meetingsPerMonth": 100, "encodedShare": encoded_share}
        job_usage = usage("meetings", load=load, **sections)["meetings-media"]
        return job_usage["spotHours"], job_usage["onDemandHours"]

    copied, encoded = hours(0), hours(1)
    assert copied[1] == pytest.approx(0.05 * copied[0]), "interrupted jobs end on demand"
    assert hours(0, **FARGATE) == (0, copied[0]), "copying and image pulls are limited by the network"
    spot_hours, on_demand_hours = hours(1, **FARGATE)
    assert spot_hours == 0
    assert on_demand_hours == pytest.approx(copied[0] + (encoded[0] - copied[0]) / 2)


def test_the_usage_counts_parts_of_the_size_that_the_media_job_uploads() -> None:
    assert MEDIA_PART_MEGABYTES * 1024**2 == PART_BYTES


def test_polling_a_job_costs_at_most_half_a_cent_per_meeting() -> None:
    def transitions(seconds: int) -> float:
        load = {"meetingsPerMonth": 1_000, "hoursEach": 2}
        return usage("meetings", load=load, processing={"pollSeconds": seconds})["meetings-workflow"]["transitions"]

    assert transitions(300) < transitions(30) < transitions(5)
    assert transitions(30) < 200 * 1_000


@pytest.mark.parametrize(
    ("model", "measures"),
    [
        ("us.anthropic.claude-haiku-5-5", {"haikuInputTokens": 3, "haikuOutputTokens": 2}),
        ("global.anthropic.claude-haiku-5-5", {"haikuGlobalInputTokens": 3, "haikuGlobalOutputTokens": 2}),
        ("global.anthropic.claude-sonnet-5-5", {"sonnetGlobalInputTokens": 3, "sonnetGlobalOutputTokens": 2}),
        ("us.anthropic.claude-opus-5-5", {"sonnetInputTokens": 3, "sonnetOutputTokens": 2}),
    ],
)
def test_tokens_are_counted_by_model_family_and_inference_profile(model: str, measures: dict[str, float]) -> None:
    assert token_usage(model, 3, 2) == measures
