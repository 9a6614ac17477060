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
from components.transcription import monthly_usage as transcription_usage
from components.usage_formulas import DAYS_PER_MONTH, Usage
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
FILES_PER_DAY, UTTERANCES_PER_DAY, QUESTIONS_PER_DAY, EPISODES_PER_DAY = 8_000, 1_000, 200, 4
"""Numbers of the default loads."""


def usage(name: str, **sections: Any) -> Usage:
    deployment, monthly_usage = SUBSYSTEMS[name]
    return monthly_usage(deployment.settings(**sections))


def cost(name: str, load: dict[str, Any] | None = None, **sections: Any) -> CostReport:
    graph = SUBSYSTEMS[name][0].previewed(**sections).graph
    return estimate_cost(
        [to_priced_resource(resource, graph) for resource in graph], usage(name, load=load or {}, **sections)
    )


@pytest.mark.parametrize(("name", "sections"), [*((name, {}) for name in SUBSYSTEMS), ("meetings", FARGATE)], ids=str)
def test_every_measure_has_a_price_and_no_measure_is_missing(name: str, sections: dict[str, Any]) -> None:
    report = cost(name, **sections)
    assert (report.problems, report.gaps, report.unpriced) == ((), (), ())


LARGE_LOADS: dict[str, dict[str, float]] = {
    "ingestion": {"filesPerDay": 10**7, "fileMegabytes": 5_000.0, "peakFilesPerHour": 10**6, "runMinutes": 480.0},
    "transcription": {"utterancesPerDay": 10**6, "utteranceSeconds": 5.0},
    "voice-qa": {"questionsPerDay": 10**6, "lecturesPerDay": 1e4},
    "livestream": {"episodesPerDay": 10**6, "videoMinutes": 1e4},
    "meetings": {"meetingsPerMonth": 10**6, "hoursEach": 24.0, "encodedShare": 1.0},
}
"""Fields of each load, with a large value of the field's type."""


@pytest.mark.parametrize("name", SUBSYSTEMS)
@given(data=st.data())
def test_no_load_gives_negative_or_infinite_usage(name: str, data: st.DataObject) -> None:
    load = {
        key: data.draw(st.integers(1, maximum) if isinstance(maximum, int) else st.floats(0.1, maximum))
        for key, maximum in LARGE_LOADS[name].items()
    }
    block_usage = usage(name, load=load)
    assert all(0 <= amount < float("inf") for block in block_usage.values() for amount in block.values())


@pytest.mark.parametrize(
    ("name", "load", "measures"),
    [
        ("ingestion", "filesPerDay", {"spark": "runs", "landing": "puts", "files": "writes", "intake": "messages"}),
        (
            "transcription",
            "utterancesPerDay",
            {"audio-processor": "transcribeStreamingMinutes", "socket": "messages", "live": "writes"},
        ),
        (
            "voice-qa",
            "questionsPerDay",
            {"query-worker": "invocations", "sessions": "storageGb", "socket": "connectionMinutes"},
        ),
        (
            "livestream",
            "episodesPerDay",
            {"api": "requests", "video-chunks": "mediaConvertMinutes", "agent": "haikuInputTokens"},
        ),
        (
            "meetings",
            "meetingsPerMonth",
            {"start": "invocations", "workflow": "transcribeMinutes", "media": "spotHours", "recordings": "storageGb"},
        ),
    ],
)
def test_twice_the_load_is_twice_the_usage_and_costs_more(name: str, load: str, measures: dict[str, str]) -> None:
    single_load = {load: int(LARGE_LOADS[name][load]) // 1_000}
    double_load = {load: 2 * single_load[load]}
    single_usage, double_usage = usage(name, load=single_load), usage(name, load=double_load)
    for block, measure in measures.items():
        single, double = (block_usage[f"{name}-{block}"][measure] for block_usage in (single_usage, double_usage))
        assert double == pytest.approx(2 * single), block
    assert cost(name, double_load).total > cost(name, single_load).total


# Ingestion


def test_usage_follows_from_the_load() -> None:
    """Every day, 8,000 files of 3.5 MB arrive. They are stored for 30 days, and as replaced versions for 7 more days."""
    block_usage = usage("ingestion")
    assert block_usage["ingestion-spark"]["runs"] == FILES_PER_DAY * 30 / 200, "a run processes 200 files"
    assert block_usage["ingestion-landing"]["storageGb"] == pytest.approx(FILES_PER_DAY * 3.5 / 1024 * (30 + 7))


@pytest.mark.parametrize(("megabytes", "files_per_run"), [(3.5, 200), (102.4, 100), (20_480, 1)])
def test_large_files_mean_fewer_files_per_run(megabytes: float, files_per_run: int) -> None:
    """A run processes at most 200 files, and at most 10 GB unless one file is larger."""
    block_usage = usage("ingestion", load={"fileMegabytes": megabytes})
    assert block_usage["ingestion-spark"]["runs"] == pytest.approx(FILES_PER_DAY * 30 / files_per_run)


# Transcription


@pytest.mark.parametrize("seconds", [0.5, 2.5, 5])
def test_every_stream_is_billed_for_fifteen_seconds_at_least(seconds: float) -> None:
    processor = usage("transcription", load={"utteranceSeconds": seconds})["transcription-audio-processor"]
    utterances = UTTERANCES_PER_DAY * DAYS_PER_MONTH
    assert processor["transcribeStreamingMinutes"] == pytest.approx(utterances * 15 / 60)
    assert processor["invocations"] == processor["metricRequests"] == utterances
    assert processor["milliseconds"] == (seconds + 1) * 1_000, "a call takes a second longer than its utterance"


def test_the_default_load_is_that_of_the_requirement() -> None:
    """A thousand streams a day, each billed for 15 seconds."""
    processor = usage("transcription")["transcription-audio-processor"]
    assert processor["transcribeStreamingMinutes"] == 1_000 * 30 * 15 / 60
    assert next(iter(cost("transcription").sum_by("service"))) == "Amazon Transcribe", "the largest cost"


def test_each_utterance_needs_two_reads_of_its_session_and_five_of_the_live_table() -> None:
    few, many = (usage("transcription", load={"utterancesPerDay": number}) for number in (100_000, 200_000))
    session_reads, live_reads = (
        many[table]["reads"] - few[table]["reads"] for table in ("transcription-sessions", "transcription-live")
    )
    assert session_reads == 2 * 100_000 * DAYS_PER_MONTH, "the router and the processor read the session once each"
    # The router reads connection and slots. The processor reads the slots three times.
    assert live_reads == 5 * 100_000 * DAYS_PER_MONTH


# Voice Q&A


def test_a_question_is_one_call_and_a_lecture_is_one_message_and_one_validation() -> None:
    few, many = (usage("voice-qa", load={"lecturesPerDay": lectures}) for lectures in (5, 15))
    assert few["voice-qa-query-worker"]["invocations"] == QUESTIONS_PER_DAY * DAYS_PER_MONTH
    assert few["voice-qa-query-worker"]["milliseconds"] >= 8_000, "the agent answers in eight seconds"
    assert few["voice-qa-uploads"]["messages"] == 5 * DAYS_PER_MONTH
    validator = "voice-qa-validate-lecture"
    assert few[validator]["invocations"] == pytest.approx(5 * DAYS_PER_MONTH)
    assert many[validator]["invocations"] - few[validator]["invocations"] == pytest.approx(10 * DAYS_PER_MONTH)


def test_a_longer_retention_of_sessions_stores_more() -> None:
    longer, default = usage("voice-qa", sessions={"days": 14}), usage("voice-qa")
    assert longer["voice-qa-sessions"]["storageGb"] > default["voice-qa-sessions"]["storageGb"]


def test_versioned_objects_are_stored_one_day_longer() -> None:
    versioned, unversioned, unversioned_for_another_day = (
        usage("voice-qa", audio=audio)["voice-qa-audio"]["storageGb"]
        for audio in ({}, {"versioned": False}, {"versioned": False, "queryDays": 8, "responseDays": 8})
    )
    assert unversioned < versioned == pytest.approx(unversioned_for_another_day)


# Livestream


def test_a_window_is_limited_by_characters_and_by_duration() -> None:
    """A window is the section of a transcript that the agent analyses at once. An episode lasts half an hour."""

    def windows(**agent: Any) -> float:
        return usage("livestream", agent=agent)["livestream-agent-windows"]["messages"] / (
            EPISODES_PER_DAY * DAYS_PER_MONTH
        )

    assert windows() == 5, "half an hour has 25,000 characters, which give 5 windows of at most 6,000"
    assert windows(windowCharacters=50_000) == 3, "half an hour gives 3 windows of at most ten minutes"


def test_expired_objects_are_stored_until_their_old_versions_expire() -> None:
    def stored(days: int) -> float:
        return usage("livestream", uploads={"objectDays": days})["livestream-transcripts"]["storageGb"]

    assert stored(7) == pytest.approx(2 * stored(3)), "objects are stored for 7 + 1 and for 3 + 1 days"
    assert stored(7) > 8 * EPISODES_PER_DAY * 2, "a video of 1 GB is stored twice: as it was uploaded and as chunks"


def test_each_uploaded_video_and_each_deletion_is_one_published_event() -> None:
    block_usage = usage("livestream")
    episodes = EPISODES_PER_DAY * DAYS_PER_MONTH
    assert block_usage["livestream-video-chunks"]["customEvents"] == episodes
    assert block_usage["livestream-episodes"]["customEvents"] == block_usage["livestream-deletions"]["messages"]
    events = episodes * 1.1  # one episode in ten is deleted
    assert block_usage["livestream-events"]["archivedGb"] == pytest.approx(events * 1_000 / 1024**3), "1,000 bytes each"


def test_every_chunk_of_a_video_is_an_object() -> None:
    def puts(**video: int) -> float:
        return usage("livestream", load={"videoMinutes": 30}, video=video)["livestream-transcripts"]["puts"]

    assert puts(chunkSeconds=60) - puts(chunkSeconds=120) == (30 - 15) * EPISODES_PER_DAY * DAYS_PER_MONTH


# Meetings


def test_a_recording_takes_three_steps_and_sends_metrics_three_times() -> None:
    block_usage = usage("meetings", load={"meetingsPerMonth": 1_000})
    steps, summary = block_usage["meetings-steps"], block_usage["meetings-bedrock-summarize"]
    assert steps["invocations"] == 3_000, "media, transcribed, finish"
    assert (steps["metricRequests"], summary["metricRequests"]) == (2_000, 1_000)


def test_the_media_job_writes_video_and_audio_in_parts() -> None:
    def puts(hours: float) -> float:
        load = {"meetingsPerMonth": 1_000, "hoursEach": hours}
        return usage("meetings", load=load)["meetings-recordings"]["puts"]

    # Per hour of a recording: megabytes of video and audio that the job writes, and uploaded chunks of one minute each.
    megabytes, chunks = (0.9 + 0.06) * 1024, 60
    assert puts(2) - puts(1) == pytest.approx(1_000 * (megabytes * 1024**2 / PART_BYTES + chunks))


def test_spot_capacity_costs_less_than_on_demand_fargate() -> None:
    load = {"encodedShare": 1, "meetingsPerMonth": 1_000}
    assert cost("meetings", load).total < cost("meetings", load, **FARGATE).total
    assert usage("meetings", **FARGATE)["meetings-media"]["spotHours"] == 0


def test_twice_the_vcpus_halve_only_the_encoding_time() -> None:
    def hours(encoded_share: float, **sections: Any) -> float:
        load = {"meetingsPerMonth": 100, "encodedShare": encoded_share}
        job_usage = usage("meetings", load=load, **sections)["meetings-media"]
        return job_usage["spotHours"] or job_usage["onDemandHours"]

    assert hours(0, **FARGATE) == hours(0), "copying and image pulls are limited by the network"
    assert hours(1, **FARGATE) - hours(0, **FARGATE) == pytest.approx((hours(1) - hours(0)) / 2)


def test_transcription_is_billed_by_the_minute_and_polling_costs_little() -> None:
    def workflow(seconds: int) -> Any:
        load = {"meetingsPerMonth": 1_000, "hoursEach": 2}
        return usage("meetings", load=load, processing={"pollSeconds": seconds})["meetings-workflow"]

    assert workflow(30)["transcribeMinutes"] == 1_000 * 2 * 60
    assert workflow(300)["transitions"] < workflow(30)["transitions"] < workflow(5)["transitions"]
    assert 40 * 1_000 < workflow(30)["transitions"] < 200 * 1_000, "at most half a cent per meeting"
