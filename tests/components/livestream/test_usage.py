"""How much livestream is used: it follows from the load and the settings."""

from typing import Any

import pytest

from components.blocks.measures import Usage
from components.livestream import monthly_usage
from components.settings import LivestreamSettings

LOAD = {"episodesPerDay": 4, "videoMinutes": 30, "videoGigabytes": 1, "transcriptMegabytes": 0.2}


def usage(**sections: Any) -> Usage:
    return monthly_usage(LivestreamSettings.model_validate({"load": LOAD, **sections}))


def test_what_expired_is_stored_until_it_can_no_longer_be_had_back() -> None:
    def stored(**kept: Any) -> float:
        return usage(kept=kept)["livestream-transcripts"]["storageGb"]

    a_day = stored(versioned=False) / 7
    assert stored() == pytest.approx(8 * a_day)
    assert stored(oldVersionDays=3) == pytest.approx(10 * a_day)
    assert stored(objectDays=3) == pytest.approx(4 * a_day)
    assert a_day > 4 * 2, "the video, and what it is cut into"
