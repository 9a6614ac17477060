"""How many bytes each user has, as it was counted on a day; and what that says beside an earlier day. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Final, Literal

from handlers.common.websocket.messages import Message
from handlers.meetings.metrics import STORAGE_GROWTH, MeetingMetric

OTHERS: Final = "others"
"""Whoever has no metric of his own, and what is nobody's. No user's name looks like it."""


class StorageTotals(Message):
    """One day's count."""

    schema_version: Literal[1] = 1
    day: date
    bytes_of: Mapping[str, int]
    """By user."""


def daily_growth(before: StorageTotals, now: StorageTotals) -> dict[str, int]:
    """What each user has more than a day before; where days were left out, so many a day. Who has nothing is zero."""
    days = max(1, (now.day - before.day).days)
    users = before.bytes_of.keys() | now.bytes_of.keys()
    return {user: (now.bytes_of.get(user, 0) - before.bytes_of.get(user, 0)) // days for user in users}


def growth_metrics(grown: Mapping[str, int], most: int) -> list[MeetingMetric]:
    """A number for each of those who grew most, one for all others together, and one for the stack."""
    named = sorted(grown.keys() - {OTHERS}, key=lambda user: (-grown[user], user))[:most]
    told = {user: grown[user] for user in named}
    told[OTHERS] = sum(grown.values()) - sum(told.values())
    return [
        MeetingMetric(STORAGE_GROWTH, sum(grown.values()), "Bytes"),
        *(MeetingMetric(STORAGE_GROWTH, value, "Bytes", user) for user, value in told.items()),
    ]
