"""How much transcription is used: it follows from the load, and a price reads all of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.blocks.measures import Usage
from components.settings import TranscriptionSettings
from components.transcription import monthly_usage
from guardrails.pricing.documents.transcription import STREAMING
from guardrails.pricing.estimate import CostReport, estimate
from local.cost import priced
from tests.components.transcription.deployment import plain

MONTH = 30
SPEECH = {"utterancesPerDay": 1_000, "utteranceSeconds": 2.5, "captionsPerUtterance": 6, "sessionMinutes": 10}


def usage(**changes: Any) -> Usage:
    return monthly_usage(TranscriptionSettings.model_validate({"load": {**SPEECH, **changes}}))


def cost(**changes: Any) -> CostReport:
    graph = plain().graph
    return estimate([priced(one, graph) for one in graph], usage(**changes))


def test_each_utterance_is_one_call_one_stream_and_one_put_of_metrics() -> None:
    processor = usage()["transcription-audio-processor"]
    assert processor["invocations"] == 1_000 * MONTH
    assert processor["metricRequests"] == processor["invocations"]


@pytest.mark.parametrize("seconds", [0.5, 2.5, 5])
def test_a_stream_is_billed_a_quarter_of_a_minute_however_short_its_utterance(seconds: float) -> None:
    processor = usage(utteranceSeconds=seconds)["transcription-audio-processor"]
    assert processor["transcribeStreamingMinutes"] == pytest.approx(1_000 * MONTH / 4)


def test_the_same_speech_in_shorter_utterances_costs_more_to_transcribe() -> None:
    long, short = cost(utterancesPerDay=500, utteranceSeconds=5), cost(utterancesPerDay=1_000, utteranceSeconds=2.5)
    assert short.by("service")["Amazon Transcribe"] == pytest.approx(2 * long.by("service")["Amazon Transcribe"])


def test_by_default_as_much_is_streamed_as_at_the_documents_usage() -> None:
    processor = monthly_usage(TranscriptionSettings())["transcription-audio-processor"]
    assert dict(STREAMING) == {"transcribe_streaming_minute": processor["transcribeStreamingMinutes"]}


def test_twice_the_utterances_are_twice_the_calls_minutes_and_captions() -> None:
    once, twice = usage(), usage(utterancesPerDay=2_000)
    for block, measure in (
        ("audio-processor", "invocations"),
        ("audio-processor", "transcribeStreamingMinutes"),
        ("audio-processor", "logGb"),
        ("audio-processor", "metricRequests"),
        ("socket", "messages"),
        ("socket", "connectionMinutes"),
        ("live", "writes"),
        ("live", "indexWrites"),
        ("live", "storageGb"),
        ("sessions", "reads"),
        ("sessions", "writes"),
    ):
        name = f"transcription-{block}"
        assert twice[name][measure] == pytest.approx(2 * once[name][measure]), f"{measure} of {name}"


def test_longer_utterances_are_more_time_in_as_many_calls() -> None:
    short, long = (usage(utteranceSeconds=seconds)["transcription-audio-processor"] for seconds in (2, 4))
    assert long["invocations"] == short["invocations"]
    assert long["milliseconds"] == short["milliseconds"] + 2_000


def test_more_captions_are_more_messages_and_hashes_and_no_more_calls() -> None:
    few, many = usage(captionsPerUtterance=6), usage(captionsPerUtterance=12)
    more = 6 * 1_000 * MONTH
    for name, measure in (("socket", "messages"), ("live", "writes")):
        block = f"transcription-{name}"
        assert many[block][measure] - few[block][measure] == pytest.approx(more)
    assert many["transcription-audio-processor"] == few["transcription-audio-processor"]


def test_shorter_sessions_are_more_of_them_in_the_same_minutes() -> None:
    long, short = usage(sessionMinutes=10), usage(sessionMinutes=5)
    assert short["transcription-sessions"]["writes"] == pytest.approx(2 * long["transcription-sessions"]["writes"])
    minutes = [one["transcription-socket"]["connectionMinutes"] for one in (long, short)]
    assert minutes[0] == pytest.approx(minutes[1])


def test_the_sweep_runs_every_minute_whatever_is_said() -> None:
    quiet = usage(utterancesPerDay=1)["transcription-router"]["invocations"]
    assert quiet > MONTH * 24 * 60
    busy = usage(utterancesPerDay=1_001)["transcription-router"]["invocations"]
    assert busy - quiet >= 1_000 * MONTH, "each utterance is a call of its own"


def test_every_measure_is_one_that_a_price_reads_and_none_is_missing() -> None:
    report = cost()
    assert (report.problems, report.gaps, report.unpriced) == ((), (), ())


def test_more_speech_costs_more_and_transcribing_it_the_most() -> None:
    assert cost(utterancesPerDay=2_000).total > cost().total
    assert next(iter(cost().by("service"))) == "Amazon Transcribe"


@given(
    utterances=st.integers(1, 10**6),
    seconds=st.floats(0.1, 5),
    captions=st.floats(0.1, 100),
    minutes=st.floats(0.1, 360),
)
def test_no_load_is_negative_or_without_end(utterances: int, seconds: float, captions: float, minutes: float) -> None:
    found = usage(
        utterancesPerDay=utterances, utteranceSeconds=seconds, captionsPerUtterance=captions, sessionMinutes=minutes
    )
    amounts = [amount for block in found.values() for amount in block.values()]
    assert all(0 <= amount < float("inf") for amount in amounts)
    assert found["transcription-router"]["invocations"] > found["transcription-audio-processor"]["invocations"]
