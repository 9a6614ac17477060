"""How much meetings are used: it follows from the load, a price reads all of it, and spare machines cost less."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.blocks.measures import Usage
from components.meetings import monthly_usage
from components.settings import MeetingsSettings
from guardrails.pricing.estimate import CostReport, estimate
from local.cost import priced
from tests.components.meetings.deployment import meetings


def usage(sections: dict[str, Any] | None = None, **load: Any) -> Usage:
    return monthly_usage(MeetingsSettings.model_validate({"load": load, **(sections or {})}))


def cost(engine: str = "batch-spot", **load: Any) -> CostReport:
    sections = {"processing": {"engine": engine}}
    graph = meetings(**sections).graph
    return estimate([priced(one, graph) for one in graph], usage(sections, **load))


@pytest.mark.parametrize("engine", ["batch-spot", "fargate"])
def test_every_measure_is_one_that_a_price_reads_and_none_is_missing(engine: str) -> None:
    report = cost(engine)
    assert (report.problems, report.gaps, report.unpriced) == ((), (), ())


def test_spare_machines_cost_less_than_what_there_was_before() -> None:
    load = {"encodedShare": 1, "meetingsPerMonth": 1_000}
    assert cost("batch-spot", **load).total < cost("fargate", **load).total
    assert usage({"processing": {"engine": "fargate"}})["meetings-media"]["spotHours"] == 0


def test_twice_the_processors_encode_in_half_the_time_and_take_as_long_for_the_rest() -> None:
    def hours(encoded_share: float, **sections: Any) -> float:
        used = usage(sections, meetingsPerMonth=100, encodedShare=encoded_share)["meetings-media"]
        return used["spotHours"] or used["onDemandHours"]

    large = {"processing": {"engine": "fargate"}}
    assert hours(0, **large) == hours(0), "copying and fetching the image wait for the network"
    assert hours(1, **large) - hours(0, **large) == pytest.approx((hours(1) - hours(0)) / 2)


def test_twice_the_meetings_are_twice_the_work() -> None:
    once, twice = usage(meetingsPerMonth=60), usage(meetingsPerMonth=120)
    for block, measure in (
        ("auth-exchange", "invocations"),
        ("start", "invocations"),
        ("bedrock-summarize", "invocations"),
        ("workflow", "transcribeMinutes"),
        ("media", "spotHours"),
        ("recordings", "storageGb"),
    ):
        assert twice[f"meetings-{block}"][measure] == pytest.approx(2 * once[f"meetings-{block}"][measure]), block


def test_an_hour_is_transcribed_by_the_minute() -> None:
    assert usage(meetingsPerMonth=10, hoursEach=2)["meetings-workflow"]["transcribeMinutes"] == 10 * 2 * 60


def test_whoever_asks_less_often_pays_less_and_what_is_asked_is_cents() -> None:
    def transitions(seconds: int) -> float:
        asked = {"processing": {"pollSeconds": seconds}, "speech": {"pollSeconds": seconds}}
        return usage(asked, meetingsPerMonth=1_000)["meetings-workflow"]["transitions"]

    assert transitions(300) < transitions(30) < transitions(5)
    assert 40 * 1_000 < transitions(30) < 200 * 1_000, "half a cent a meeting at the most"


def test_more_meetings_cost_more() -> None:
    assert cost(meetingsPerMonth=600).total > cost().total


@given(
    meetings=st.integers(1, 10**6), hours=st.floats(0.01, 24), gigabytes=st.floats(0.01, 100), encoded=st.floats(0, 1)
)
def test_no_load_is_negative_or_without_end(meetings: int, hours: float, gigabytes: float, encoded: float) -> None:
    found = usage(meetingsPerMonth=meetings, hoursEach=hours, gigabytesPerHour=gigabytes, encodedShare=encoded)
    amounts = [amount for block in found.values() for amount in block.values()]
    assert all(0 <= amount < float("inf") for amount in amounts)
