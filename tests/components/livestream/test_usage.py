"""How much livestream is used: it follows from the load and the settings."""

from typing import Any

import pytest

from components.blocks.measures import DAYS, Usage
from components.livestream import monthly_usage
from components.settings import LivestreamSettings

LOAD = {"episodesPerDay": 4, "videoMinutes": 30, "videoGigabytes": 1, "transcriptMegabytes": 0.2}


def usage(**sections: Any) -> Usage:
    return monthly_usage(LivestreamSettings.model_validate({"load": LOAD, **sections}))


def test_a_window_is_as_long_as_its_characters_or_its_seconds_allow() -> None:
    def windows(**agent: Any) -> float:
        return usage(agent=agent)["livestream-agent-windows"]["messages"] / (4 * DAYS)

    assert windows() == 5, "25,000 characters of half an hour, at 6,000 each"
    assert windows(windowCharacters=50_000) == 3, "and at ten minutes each"
    assert windows(windowCharacters=50_000, windowSeconds=7_200) == 1


def test_what_expired_is_stored_until_it_can_no_longer_be_had_back() -> None:
    def stored(**kept: Any) -> float:
        return usage(kept=kept)["livestream-transcripts"]["storageGb"]

    a_day = stored(versioned=False) / 7
    assert stored() == pytest.approx(8 * a_day)
    assert stored(oldVersionDays=3) == pytest.approx(10 * a_day)
    assert stored(objectDays=3) == pytest.approx(4 * a_day)
    assert a_day > 4 * 2, "the video, and what it is cut into"
