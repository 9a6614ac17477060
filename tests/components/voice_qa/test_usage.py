"""How much voice Q&A is used: it follows from the load, and a price reads all of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.blocks.measures import Usage
from components.settings import VoiceQaSettings
from components.voice_qa import monthly_usage
from guardrails.pricing.estimate import CostReport, estimate
from local.cost import priced
from tests.components.voice_qa.deployment import plain

MONTH = 30
LOAD = {
    "questionsPerDay": 200,
    "answerSeconds": 8,
    "piecesPerAnswer": 40,
    "connectedMinutes": 10,
    "lecturesPerDay": 5,
    "lectureMegabytes": 60,
}


def usage(sections: dict[str, Any] | None = None, **load: Any) -> Usage:
    return monthly_usage(VoiceQaSettings.model_validate({"load": {**LOAD, **load}, **(sections or {})}))


def cost(**load: Any) -> CostReport:
    graph = plain().graph
    return estimate([priced(one, graph) for one in graph], usage(**load))


def test_each_question_is_one_call_of_the_worker_for_as_long_as_the_agent_answers() -> None:
    worker = usage()["voice-qa-query-worker"]
    assert worker["invocations"] == 200 * MONTH
    assert worker["milliseconds"] >= 8_000
    assert usage(answerSeconds=12)["voice-qa-query-worker"]["milliseconds"] == worker["milliseconds"] + 4_000


def test_twice_the_questions_are_twice_the_calls_messages_and_units() -> None:
    once, twice = usage(), usage(questionsPerDay=400)
    for block, measure in (
        ("query-worker", "invocations"),
        ("query-worker", "logGb"),
        ("websocket-handler", "invocations"),
        ("socket", "messages"),
        ("socket", "connectionMinutes"),
        ("audio", "downloadedGb"),
        ("sessions", "storageGb"),
    ):
        name = f"voice-qa-{block}"
        assert twice[name][measure] == pytest.approx(2 * once[name][measure]), f"{measure} of {name}"
    for measure in ("reads", "writes"):
        assert twice["voice-qa-sessions"][measure] > 1.9 * once["voice-qa-sessions"][measure]


def test_more_pieces_are_more_messages_and_no_more_calls() -> None:
    few, many = usage(piecesPerAnswer=40), usage(piecesPerAnswer=50)
    more = many["voice-qa-socket"]["messages"] - few["voice-qa-socket"]["messages"]
    assert more == pytest.approx(10 * 200 * MONTH)
    assert many["voice-qa-query-worker"] == few["voice-qa-query-worker"]


def test_whoever_stays_longer_pings_more_often() -> None:
    short, long = usage(connectedMinutes=10), usage(connectedMinutes=20)
    socket, handler = "voice-qa-socket", "voice-qa-websocket-handler"
    assert long[socket]["connectionMinutes"] == pytest.approx(2 * short[socket]["connectionMinutes"])
    pings = long[handler]["invocations"] - short[handler]["invocations"]
    assert pings == pytest.approx(200 * MONTH * 10 / 5), "one in five minutes"
    assert long[socket]["messages"] - short[socket]["messages"] == pytest.approx(2 * pings), "each is answered"


def test_each_lecture_is_one_message_and_one_validation_beside_the_sweeps() -> None:
    few, many = usage(lecturesPerDay=5), usage(lecturesPerDay=15)
    assert few["voice-qa-uploads"]["messages"] == 5 * MONTH
    validator = "voice-qa-validate-lecture"
    assert many[validator]["invocations"] - few[validator]["invocations"] == pytest.approx(10 * MONTH)
    assert few[validator]["invocations"] == pytest.approx(5 * MONTH + MONTH * 24 * 4), "a sweep every 15 minutes"
    rarer = usage({"lectures": {"sweepMinutes": 60}})[validator]["invocations"]
    assert rarer == pytest.approx(5 * MONTH + MONTH * 24)


def test_what_is_kept_longer_is_more_of_it() -> None:
    once = usage()
    for sections, block in (
        ({"audio": {"queryDays": 14}}, "voice-qa-audio"),
        ({"audio": {"responseDays": 14}}, "voice-qa-audio"),
        ({"sessions": {"days": 14}}, "voice-qa-sessions"),
    ):
        assert usage(sections)[block]["storageGb"] > once[block]["storageGb"]
    assert usage(lectureMegabytes=120)["voice-qa-audio"]["storageGb"] > once["voice-qa-audio"]["storageGb"]


def test_what_expires_is_paid_for_a_day_more_where_versions_are_kept() -> None:
    versioned, plainly, longer = (
        usage({"audio": audio})["voice-qa-audio"]["storageGb"]
        for audio in ({}, {"versioned": False}, {"versioned": False, "queryDays": 8, "responseDays": 8})
    )
    assert plainly < versioned == pytest.approx(longer)


def test_every_measure_is_one_that_a_price_reads_and_none_is_missing() -> None:
    report = cost()
    assert (report.problems, report.gaps, report.unpriced) == ((), (), ())


def test_more_questions_cost_more() -> None:
    assert cost(questionsPerDay=2_000).total > cost().total


@given(
    questions=st.integers(1, 10**6),
    answer=st.floats(0.1, 600),
    pieces=st.floats(0.1, 1_000),
    minutes=st.floats(0.1, 360),
    lectures=st.floats(0.1, 10**4),
    megabytes=st.floats(0.1, 5_000),
)
def test_no_load_is_negative_or_without_end(
    questions: int, answer: float, pieces: float, minutes: float, lectures: float, megabytes: float
) -> None:
    found = usage(
        questionsPerDay=questions,
        answerSeconds=answer,
        piecesPerAnswer=pieces,
        connectedMinutes=minutes,
        lecturesPerDay=lectures,
        lectureMegabytes=megabytes,
    )
    amounts = [amount for block in found.values() for amount in block.values()]
    assert all(0 <= amount < float("inf") for amount in amounts)
    assert found["voice-qa-websocket-handler"]["invocations"] > found["voice-qa-query-worker"]["invocations"]
