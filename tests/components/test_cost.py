"""Tests of each subsystem's monthly usage, which is computed from the load and the settings and has a price.

The load is the expected use, for example files per day. A measure is one quantity of the usage of a block, which is a
part of the subsystem. For example, the block `ingestion-spark` has the measure `runs`.
"""

from collections.abc import Callable
from typing import Any

import pytest

from components.ingestion.cost import monthly_usage as ingestion_usage
from components.livestream.cost import monthly_usage as livestream_usage
from components.meetings.cost import MEDIA_PART_MEGABYTES
from components.meetings.cost import monthly_usage as meetings_usage
from components.transcription.cost import monthly_usage as transcription_usage
from components.usage_formulas import Usage
from components.voice_qa.cost import monthly_usage as voice_qa_usage
from guardrails.pricing.cost_estimate import estimate_cost
from handlers.meetings.media_job.transfers import PART_BYTES
from local.preview.cost import to_priced_resource
from tests.components.deployment_harness import Deployment
from tests.components.ingestion.recorded_deployment import INGESTION
from tests.components.livestream.recorded_deployment import LIVESTREAM
from tests.components.meetings.recorded_deployment import MEETINGS
from tests.components.transcription.recorded_deployment import TRANSCRIPTION
from tests.components.voice_qa.recorded_deployment import VOICE_QA

HAIKU, GLOBAL_HAIKU = "us.anthropic.claude-haiku-5-5", "global.anthropic.claude-haiku-5-5"
SUBSYSTEMS: dict[str, tuple[Deployment, Callable[[Any], Usage]]] = {
    "ingestion": (INGESTION, ingestion_usage),
    "transcription": (TRANSCRIPTION, transcription_usage),
    "voice-qa": (VOICE_QA, voice_qa_usage),
    "livestream": (LIVESTREAM, livestream_usage),
    "meetings": (MEETINGS, meetings_usage),
}
INGESTION_LOAD: dict[str, float] = {"filesPerDay": 800_000, "peakFilesPerHour": 100_000}
QUESTIONS: dict[str, float] = {"questionsPerDay": 20_000, "lecturesPerDay": 500}
MEETINGS_LOAD = {"meetingsPerMonth": 6_000, "encodedShare": 0.5}
COSTS: list[tuple[str, dict[str, float], dict[str, Any], float]] = [
    ("ingestion", INGESTION_LOAD, {}, 14_803.76),
    ("ingestion", {"filesPerDay": 1, "peakFilesPerHour": 1}, {}, 1.24),
    (
        "ingestion",
        {**INGESTION_LOAD, "fileMegabytes": 102.4},
        {"spark": {"executionClass": "FLEX", "workerType": "G.4X"}},
        252_259.91,
    ),
    ("transcription", {"utterancesPerDay": 100_000}, {}, 7_733.40),
    ("transcription", {"utterancesPerDay": 1, "utteranceSeconds": 0.5}, {}, 2.18),
    ("voice-qa", QUESTIONS, {}, 387.13),
    ("voice-qa", {"questionsPerDay": 1, "lecturesPerDay": 0.1}, {}, 6.46),
    ("voice-qa", QUESTIONS, {"audio": {"versioned": False}, "sessions": {"days": 14}}, 386.76),
    ("voice-qa", QUESTIONS, {"audio": {"accelerated": True}}, 426.98),
    ("livestream", {"episodesPerDay": 400}, {}, 7_374.88),
    ("livestream", {"episodesPerDay": 1, "videoMinutes": 0.1}, {}, 33.71),
    (
        "livestream",
        {"episodesPerDay": 400},
        {"agent": {"windowCharacters": 50_000}, "uploads": {"objectDays": 7}, "video": {"chunkSeconds": 30}},
        7_108.26,
    ),
    ("livestream", {"episodesPerDay": 400}, {"episodes": {"provisionedConcurrency": 2}}, 7_391.60),
    ("livestream", {"episodesPerDay": 400}, {"episodes": {"snapStart": True}}, 7_383.87),
    ("meetings", MEETINGS_LOAD, {}, 3_680.05),
    ("meetings", {"meetingsPerMonth": 1, "hoursEach": 0.1}, {}, 3.32),
    ("meetings", MEETINGS_LOAD, {"processing": {"engine": "fargate", "pollSeconds": 5}}, 3_794.61),
    ("meetings", {"meetingsPerMonth": 6_000, "hoursEach": 2}, {"models": {"actionItems": HAIKU}}, 6_708.35),
    ("meetings", {"meetingsPerMonth": 6_000}, {"models": {"actionItems": GLOBAL_HAIKU}}, 3_415.84),
]
"""Monthly cost of each subsystem without its alarms, at a hundred times the default load and at a tiny load, and with
settings that select other prices or formulas. A change of a formula, an assumption or a price changes these amounts."""


def usage(name: str, **sections: Any) -> Usage:
    deployment, monthly_usage = SUBSYSTEMS[name]
    return monthly_usage(deployment.settings(**sections))


@pytest.mark.parametrize(("name", "load", "sections", "usd"), COSTS)
def test_every_measure_has_a_price_and_no_measure_is_missing(
    name: str, load: dict[str, float], sections: dict[str, Any], usd: float
) -> None:
    """The estimate fails if a measure has no price or is missing."""
    graph = SUBSYSTEMS[name][0].deployed(**sections).graph
    resources = [to_priced_resource(resource, graph) for resource in graph]
    report = estimate_cost(resources, usage(name, load=load, **sections))
    assert report.unpriced == ()
    assert round(report.total - report.sum_by("price")["alarm"], 2) == usd


def test_usage_follows_from_the_load() -> None:
    """Every day, 8,000 files of 3.5 MB arrive. They are stored for 30 days, and as replaced versions for 7 more days."""
    block_usage = usage("ingestion")
    assert block_usage["ingestion-spark"]["runs"] == 8_000 * 30 / 200, "a run processes 200 files"
    assert block_usage["ingestion-spark"]["minutes"] == 4
    assert block_usage["ingestion-landing"]["storageGb"] == pytest.approx(8_000 * 3.5 / 1024 * (30 + 7))


@pytest.mark.parametrize("seconds", [0.5, 5])
def test_each_of_a_thousand_streams_a_day_is_billed_for_fifteen_seconds_at_least(seconds: float) -> None:
    processor = usage("transcription", load={"utteranceSeconds": seconds})["transcription-audio-processor"]
    assert processor["transcribeStreamingMinutes"] == 1_000 * 30 * 15 / 60


def test_the_usage_counts_parts_of_the_size_that_the_media_job_uploads() -> None:
    assert MEDIA_PART_MEGABYTES * 1024**2 == PART_BYTES


def test_polling_a_job_costs_at_most_half_a_cent_per_meeting() -> None:
    workflow = usage("meetings", load={"meetingsPerMonth": 1_000, "hoursEach": 2})["meetings-workflow"]
    assert workflow["transitions"] < 200 * 1_000
